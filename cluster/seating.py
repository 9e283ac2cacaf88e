"""The log's membership follows the record: on the leader, one step at a time.

The record says who is wanted (core/roles.py); the log says who counts (raft/members.py). Each step
carries an entry that writes it into the record, so that both are of one moment. What must never
happen here: a step proposed for a wish that has changed meanwhile; the coordinator kept waiting by
one.
"""

import asyncio

from cluster.config.addresses import tcp_endpoint
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.core import entries
from cluster.core.codec import encode_entry
from cluster.core.coordinator import BY
from cluster.core.floor import refused_by_floor
from cluster.core.model import Member, Seat
from cluster.core.roles import roles, wanted_seats
from cluster.ledger import Ledger
from cluster.raft.members import Members, Peer, members_of

STEP_S = 2.0
"""A step is agreed upon in milliseconds or, after an election, by somebody else."""


def file_members(config: ClusterConfig) -> tuple[Member, ...]:
    """The nodes of a cluster file as the record has them."""
    return tuple(
        Member(name=each.name, is_witness=each.role == "witness", endpoint=endpoint_of(each))
        for each in config.nodes
    )


def endpoint_of(node: NodeConfig) -> str:
    """Where the log is carried to it."""
    return tcp_endpoint(node.address, node.raft_port)


def founding_members(config: ClusterConfig) -> Members:
    """Who votes by a node's own file, for as long as its log does not say. One that comes in to a
    cluster that is there already believes in its own vote, and nobody else does: with an empty log
    nobody grants it theirs."""
    members = file_members(config)
    assigned = roles(members, {})
    return members_of(
        Peer(name=each.name, endpoint=each.endpoint,
             votes=assigned[each.name] != "follower")
        for each in members
    )


class Seating:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._step: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Take the next step if there is one, beside the caller."""
        if self._step is not None and not self._step.done():
            return
        state = self._ledger.state
        wanted = wanted_seats(state)
        if wanted and set(wanted) != set(state.seats):
            self._step = asyncio.ensure_future(self._take_step(wanted))

    async def _take_step(self, wanted: tuple[Seat, ...]) -> None:
        if refused_by_floor(self._ledger.state, entries.MembersAgreed) is not None:
            return
        await self._ledger.replica.step_members(
            members_of(
                Peer(name=each.name, votes=each.votes, endpoint=each.endpoint) for each in wanted),
            self._announced, deadline_s=STEP_S,
        )

    def _announced(self, members: Members) -> bytes:
        return encode_entry(entries.MembersAgreed(
            id=self._ledger.clock.token(), at_ms=self._ledger.clock.wall_ms(), by=BY,
            because="the log follows the cluster file",
            seats=tuple(
                Seat(name=each.name, votes=each.votes, endpoint=each.endpoint)
                for each in members.peers),
        ))
