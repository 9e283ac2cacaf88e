"""Rules about the way the guest's memory takes: nobody may read it on the wire.

The memory of a guest holds its keys and its users' secrets; unencrypted it may travel only where
the operator has said that nobody else listens.
"""

from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem


def migration_channel_insecure(asked: PreflightInput) -> Problem | None:
    if asked.transport != "plain" or asked.migration_private:
        return None
    return problem(
        "migration-channel-insecure", f"package:{asked.spec.name}",
        what="the guest's memory would travel unencrypted",
        because="migration.transport is plain and the network is not marked private",
        fix="set `transport: tls`, or `private: true` if nothing else is on that network",
    )


def migration_network_shared(asked: PreflightInput) -> Problem | None:
    """A recommendation only: the copy competes with heartbeats on a shared network."""
    facts = (asked.source_facts, asked.target_facts)
    shared = sorted({each.name for each in facts if each is not None and each.migration_shared})
    if not shared:
        return None
    return problem(
        "migration-network-shared", f"package:{asked.spec.name}",
        what="the copy would share the cluster network",
        because=f"{' and '.join(shared)} has no migration address of its own",
        fix="give each node a `migration_address` on a private network of 1 Gb/s or more",
        severity="warn",
    )
