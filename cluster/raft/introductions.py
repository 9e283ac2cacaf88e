"""Whom a member that hears no leader is told of.

What must never happen here: members told of that are not agreed upon.
"""

from cluster.raft.engine import GuardedEngine
from cluster.raft.links import Circle
from cluster.raft.wire import MOST_PEERS, Introduction, Ping


def introduction(
    engine: GuardedEngine, peer: str, ping: Ping, circle: Circle | None,
) -> Introduction | None:
    """A member that was away while others came in, or came in before them, does not know them or
    their keys, and hears no leader among them: its log cannot say, and theirs does not reach it."""
    history = engine.log.members
    agreed = history.latest_index
    if ping.has_leader or agreed > engine.commit_index or ping.members_index > agreed:
        return None
    if peer not in history.latest.names:
        return None
    others = [each for each in history.latest.peers if each.name not in (engine.name, peer)]
    return Introduction(members_index=agreed, peers=[
        (each.name, each.endpoint, list(circle.keys_of(each.name)) if circle else [])
        for each in others[:MOST_PEERS]
    ])
