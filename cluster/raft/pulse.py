"""The leader's pulse: that it is there, and heard, said on a way that nothing large shares.

A heartbeat that carries entries, or stands behind some, may be stuck for seconds where packets of
full size are lost (a switch port that takes fewer bytes than its neighbours, a tunnel), or behind
a snapshot. Small packets pass. So whoever has not confirmed a heartbeat for a moment is sent a
pulse on a connection of its own, and answers there. It promises nothing about the log: it counts
for elections, and for the round that a majority has confirmed (cluster/nodes/lease.py), exactly as
a heartbeat does that has to wait for the disk.

What must never happen here: a pulse sent, or answered, by a node whose disk is stuck: another is to
lead then.
"""

from collections.abc import Callable
from typing import Protocol

from cluster.clock import Clock
from cluster.raft.amnesia import Amnesia
from cluster.raft.engine import GuardedEngine
from cluster.raft.filters import Incoming
from cluster.raft.lease import Lease
from cluster.raft.pin import Member
from cluster.raft.wire import Ack, Append, Body, Envelope, Pulse, PulseAck, Stamps

LATE = 2.0
"""Of the time between two heartbeats: whoever confirms in it is sent no pulse."""


class Urgent(Protocol):
    """`urgent`: on the connection that carries nothing else."""

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool: ...


class Pulses:
    """Its stamps are its own: what comes by the two ways is not in one order."""

    def __init__(
        self, *, engine: GuardedEngine, lease: Lease, incoming: Incoming, amnesia: Amnesia,
        clock: Clock, wire: Urgent, boot: int, every_s: float, is_hung: Callable[[], bool],
    ) -> None:
        self._engine, self._lease, self._incoming = engine, lease, incoming
        self._amnesia, self._clock, self._wire = amnesia, clock, wire
        self._stamps, self._every_s, self._is_hung = Stamps(boot), every_s, is_hung
        self._said_s: dict[str, float] = {}

    def beat(self) -> None:
        """To be called every tick."""
        if not self._engine.is_leading or not self._may_speak():
            return
        now_s = self._clock.boottime_s()
        for member in self._engine.match_index:
            peer = member.name
            if now_s - self._lease.confirmed_at_s(peer) <= LATE * self._every_s:
                continue
            if now_s - self._said_s.get(peer, 0.0) >= self._every_s:
                self._said_s[peer] = now_s
                self._send(peer, Pulse(
                    term=self._engine.term, sent_s=now_s, quorum_age_s=self._lease.quorum_age_s()))

    def admit(self, member: Member, envelope: Envelope) -> None:
        """A pulse or its answer has come."""
        if self._stamps.refusal(member.name, envelope) is not None:
            return
        body = envelope.body
        if isinstance(body, PulseAck):
            self._incoming.heed(member, envelope.term, Ack(
                next_index=1, is_reset=False, is_success=False, sent_s=body.sent_s,
                loyal_s=body.loyal_s))
        elif isinstance(body, Pulse):
            heard = self._incoming.heed(member, envelope.term, Append(
                term=body.term, commit_index=0, previous_index=None, previous_term=None, entries=[],
                sent_s=body.sent_s, quorum_age_s=body.quorum_age_s))
            allowed = self._amnesia.allowed(heard) if heard is not None else None
            # Without its stamp it says nothing: whoever forgot its promises confirms no round.
            if isinstance(allowed, Ack) and allowed.sent_s is not None and self._may_speak():
                self._send(member.name, PulseAck(
                    sent_s=allowed.sent_s, loyal_s=self._lease.loyal_s))

    def _may_speak(self) -> bool:
        return self._engine.log.is_term_durable() and not self._is_hung()

    def _send(self, peer: str, body: Body) -> None:
        self._wire.send(peer, self._stamps.sealed(peer, self._engine.term, body), urgent=True)
