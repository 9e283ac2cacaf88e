"""What the answering node has to say about the cluster as a whole, before anything else. PURE."""

from collections.abc import Collection

from packages.core.problem import Problem, problem
from packages.core.values import Value


class Hearing(Value):
    """Of the node that answers."""

    node: str
    members: tuple[str, ...]
    voters: tuple[str, ...]
    heard: tuple[str, ...]
    """Members heard of lately, itself included."""
    since: str
    """When a majority was last known of, in words."""


def without_quorum(hearing: Hearing) -> Problem:
    """Who is heard and who is missing, since when."""
    heard = [name for name in hearing.members if name in hearing.heard]
    missing = [name for name in hearing.members if name not in hearing.heard]
    voting = [name for name in hearing.voters if name in hearing.heard]
    told = f"Heard: {named(heard)}. Not heard: {named(missing)}. Since {hearing.since}."
    if 2 * len(voting) > len(hearing.voters):
        return problem(
            "no-quorum", "cluster", what="Nothing can be decided now: no leader is elected.",
            because=f"{told} Those who are heard are a majority.",
            fix="Wait a few seconds: they elect one. If they do not, look at what their daemons "
                "log: journalctl -u vmsgd",
        )
    needed = len(hearing.voters) // 2 + 1
    return problem(
        "no-quorum", "cluster",
        what=f"Nothing can be decided now: {hearing.node} reaches no majority.",
        because=f"{told} {needed} of {len(hearing.voters)} who vote are needed, "
                f"{len(voting)} are heard.",
        fix=f"Start vmsgd on {named(missing)}, or repair the network between them and "
            f"{hearing.node}; what the others know is asked with: vmsg status --endpoint NODE",
    )


def not_known_to(node: str, refusing: Collection[str]) -> Problem:
    """For a node that was cut off while it was removed: nobody is allowed to tell it so."""
    return problem(
        "node-not-known", f"node:{node}",
        what=f"The key of {node} is refused by {named(tuple(refusing))}.",
        because=f"{node} was removed from the cluster while it was cut off, or its key was changed "
                "meanwhile. Its guests stand frozen and are continued by nobody.",
        fix="Ask one of the others: vmsg node list. If it is not named there, nothing is to be "
            "kept here: systemctl disable --now vmsgd; to use the host again, add it under a new "
            "name. If it is named, copy its keys here anew: vmsg node invite, then vmsg node join",
    )


def forming(hearing: Hearing) -> Problem:
    """There is a majority, and nobody in the record yet."""
    missing = [name for name in hearing.members if name not in hearing.heard]
    return problem(
        "cluster-forming", "cluster", what="The cluster is being formed.",
        because=f"No node has joined the record yet. Heard: {named(hearing.heard)}.",
        fix=f"Start vmsgd on {named(missing)}." if missing else "Wait a few seconds.",
        severity="warn",
    )


def named(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nobody"
