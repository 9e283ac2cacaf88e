"""What would be another way after a cluster file was applied, and what follows from it. PURE.

A line for each difference, in the order of the file; a Problem, as a warning, for each that changes
what the cluster survives, who finds it, or whom it can talk to.
"""

from collections.abc import Iterator
from typing import Any

from cluster.config.schema import PROFILES, ClusterConfig
from packages.core.problem import Problem, problem
from packages.core.values import plain

HARMLESS = ("name", "role")
"""Of a node: its name is how it was found, and the record itself refuses another role."""


def differences(before: ClusterConfig, after: ClusterConfig) -> list[str]:
    lines = [_line(key, getattr(before, key), getattr(after, key)) for key in ("name", "profile")]
    were, are = _by_name(before.nodes), _by_name(after.nodes)
    lines += [f"node {name}: removed" for name in were if name not in are]
    lines += [f"node {name}: added at {are[name].address}" for name in are if name not in were]
    for name in (each for each in are if each in were):
        lines += _fields(f"node {name}", were[name], are[name])
    switches, wanted = _by_name(before.vswitches), _by_name(after.vswitches)
    lines += [
        _line(f"vswitch {name}", _subnet(switches, name), _subnet(wanted, name))
        for name in dict.fromkeys([*switches, *wanted])]
    lines += _fields("migration", before.migration, after.migration)
    lines += _fields("limits", before.limits, after.limits)
    lines += _fields("accounts", before.accounts, after.accounts)
    lines += [_line(key, _listed(getattr(before, key)), _listed(getattr(after, key)))
              for key in ("programs", "images")]
    lines.append(_line(
        "takeover_reserve_mib", before.takeover_reserve_mib, after.takeover_reserve_mib))
    return [each for each in lines if each]


def consequences(before: ClusterConfig, after: ClusterConfig) -> list[Problem]:
    """Of the differences that are not to be made in passing; in the order of the file."""
    return [*_of_the_cluster(before, after), *_of_nodes(before, after),
            *_of_networks(before, after)]


def _of_the_cluster(before: ClusterConfig, after: ClusterConfig) -> Iterator[Problem]:
    if before.name != after.name:
        yield _follows(
            "cluster-renamed", f"cluster:{before.name}",
            what=f"The cluster would be called {after.name} from now on.",
            because="Status, events and new invitations name it so; certificates and what scripts "
                    f"know it by stay with {before.name}.",
            fix=f"Keep `name: {before.name}`, unless the new name is meant.")
    if before.profile != after.profile:
        old, new = PROFILES[before.profile], PROFILES[after.profile]
        later = new.lease_s > old.lease_s
        yield _follows(
            "profile-changed", f"cluster:{before.name}",
            what=f"Nodes would hold leases of {new.lease_s:g} s instead of {old.lease_s:g} s.",
            because="A takeover that waits for the end of a lease begins later by as much."
            if later else "Hosts or links that are late for as long have their guests frozen.",
            fix=f"Keep `profile: {before.profile}`, unless the new one is meant.")
    if after.takeover_reserve_mib < before.takeover_reserve_mib:
        yield _weaker(
            f"cluster:{before.name}",
            what=f"Nodes would keep {after.takeover_reserve_mib} MiB for takeovers instead of "
                 f"{before.takeover_reserve_mib} MiB.",
            because="What operators order may take the memory that takeovers would need.")


def _of_nodes(before: ClusterConfig, after: ClusterConfig) -> Iterator[Problem]:
    were = _by_name(before.nodes)
    for node in after.nodes:
        old = were.get(node.name)
        if old is None:
            continue
        if (old.address, old.api_port, old.migration_address or old.address) != (
                node.address, node.api_port, node.migration_address or node.address):
            yield _follows(
                "network-changed", f"node:{node.name}",
                what=f"{node.name} would be looked for at other addresses or ports.",
                because="Its daemon listens there from its next start on, and is not found before "
                        "that.",
                fix=f"Restart its daemon right after it, best while it is empty: vmsg node drain "
                    f"{node.name}")
        if len(node.fences) < len(old.fences):
            yield _weaker(
                f"node:{node.name}",
                what=f"{node.name} would have {len(node.fences)} fences instead of "
                     f"{len(old.fences)}.",
                because="Without a fence, a takeover from it waits for the end of its lease, or "
                        "for an operator.")


def _of_networks(before: ClusterConfig, after: ClusterConfig) -> Iterator[Problem]:
    switches, wanted = _by_name(before.vswitches), _by_name(after.vswitches)
    for name in switches:
        if _subnet(switches, name) != _subnet(wanted, name):
            yield _follows(
                "network-changed", f"vswitch:{name}",
                what=f"The virtual switch {name} would "
                     + (f"carry {wanted[name].subnet}." if name in wanted else "be none any more."),
                because="Bridges and guests stay as they are: no guest is moved to, or started on, "
                        "a node where the bridge is not as the file says.",
                fix="Change the bridges on every node first, then the file.")
    if before.migration.transport == "tls" != after.migration.transport:
        yield _follows(
            "migration-channel-insecure", f"cluster:{before.name}",
            what="The memory of guests would travel unencrypted.",
            because="Who reads on the migration network reads what is in them.",
            fix="Keep `transport: tls`, unless nothing else is on that network.")


def _follows(code: str, subject: str, *, what: str, because: str, fix: str) -> Problem:
    return problem(code, subject, what=what, because=because, fix=fix, severity="warn")


def _weaker(subject: str, *, what: str, because: str) -> Problem:
    return problem("survivability-worse", subject, what=what, because=because,
                   fix="Leave it as it is, unless that is meant.", severity="warn")


def _fields(where: str, before: Any, after: Any) -> list[str]:
    old, new = plain(before), plain(after)
    return [_line(f"{where}: {key}", old.get(key), new[key]) for key in new if key not in HARMLESS]


def _line(what: str, before: Any, after: Any) -> str:
    return "" if before == after else f"{what}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} of them"
    return "none" if value in (None, "") else str(value).lower() \
        if isinstance(value, bool) else str(value)


def _listed(value: Any) -> str | None:
    """What is allowed is to be read before it is agreed to, word for word."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return ", ".join(value)
    return "; ".join((*value.folders, *(" ".join(each) for each in value.commands)))


def _by_name(values: Any) -> dict[str, Any]:
    return {each.name: each for each in values}


def _subnet(switches: dict[str, Any], name: str) -> str | None:
    return switches[name].subnet if name in switches else None
