"""Who is to vote, and what the log is to say of it. PURE.

A witness votes and runs nothing. Of the others the first seven vote, because each further voter
makes every decision slower and saves no more than the one before; those beyond follow: they have
the log, hold leases and run packages like anybody. Whoever has a vote keeps it, so that a node
that comes in costs nobody's.
"""

from collections.abc import Mapping

from cluster.core.model import Member, NodeRecord, NodeRole, Seat, State

MOST_VOTERS = 7


def roles(members: tuple[Member, ...], nodes: Mapping[str, NodeRecord]) -> dict[str, NodeRole]:
    """Name -> role; `nodes` are those there were before."""
    found: dict[str, NodeRole] = {
        each.name: "witness" for each in members if each.is_witness
    }
    voting = [each.name for each in members if not each.is_witness and has_vote(each, nodes)]
    waiting = [each.name for each in members if not each.is_witness and not has_vote(each, nodes)]
    for name in (*voting, *waiting):
        found[name] = "voter" if len(found) < MOST_VOTERS else "follower"
    return found


def has_vote(member: Member, nodes: Mapping[str, NodeRecord]) -> bool:
    record = nodes.get(member.name)
    return record is not None and record.role != "follower"


def wanted_seats(state: State) -> tuple[Seat, ...]:
    """What the log is to say; nothing while the record does not know where its members are."""
    return tuple(
        Seat(name=each.name, endpoint=each.endpoint,
             votes=state.nodes[each.name].role != "follower")
        for each in state.members if each.name in state.nodes
    )


def is_settled(state: State) -> bool:
    """Whether everybody who belongs is in the log's membership, and nobody else; a newcomer may
    still be without the vote it is to have. While the log does not say who votes, each node goes
    by its own cluster file, and files two changes apart would share no majority."""
    if not state.members:
        return True
    return {each.name for each in state.seats} == {each.name for each in state.members}


def seat_of(state: State, name: str) -> Seat | None:
    return next((each for each in state.seats if each.name == name), None)
