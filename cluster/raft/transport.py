"""The engine's transport: what it says goes out in turns (turns.py), what arrives reaches it
filtered.

While a turn waits for the disk, what arrives waits too, but for what it proves by itself: that its
sender is there and leads, or follows.

Who is spoken to follows the log: everybody of a membership that may yet be in force (members.py).

What must never happen here: a message of a stranger or of an earlier life reaching the filters;
anything said after a fatal error.
"""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from cluster.clock import Clock
from cluster.config.schema import Timings
from cluster.raft.alarms import Alarms
from cluster.raft.amnesia import Amnesia
from cluster.raft.bounds import is_believable
from cluster.raft.engine import GuardedEngine
from cluster.raft.filters import Incoming
from cluster.raft.flusher import Flusher, InlineFlusher
from cluster.raft.introductions import introduction
from cluster.raft.lease import Lease, PreVotes
from cluster.raft.links import Circle
from cluster.raft.members import MembersUnreadable
from cluster.raft.outgoing import Outgoing
from cluster.raft.pin import FAIL_REASON, Member, Transport
from cluster.raft.problems import Fatal, disk_failed, members_unreadable
from cluster.raft.pulse import Pulses
from cluster.raft.reads import Reads
from cluster.raft.turns import Turns
from cluster.raft.wire import (
    Ack, AskIndex, Body, Envelope, Forward, Introduction, Message, Ping, PreVoteRequest, Pulse,
    PulseAck, Stamps, TellIndex, as_message, opened
)
from packages.core.values import changed

PING_S = 0.25
"""What is said to a peer that nothing else was said to: two pings fit into the shortest time
after which a peer counts as gone."""

FAREWELL_S = 3.0
"""How long a removed node is told of it after it was agreed upon: it needs two messages, and one
that is down learns it from nobody listening to it."""

ABSTAIN_S = 5.0
"""A leader that resigned does not stand for as long as the others need to elect one of them."""

MOST_HELD = 2000
"""Messages that wait for the disk, as many as ZeroMQ holds for a peer; what is lost beyond that is
sent again."""


class Wire(Protocol):
    """Carries bytes to a peer, or drops them; what arrives is given to `receive`."""

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        """`urgent`: on a connection that carries nothing else."""


class GuardedTransport(Transport):  # type: ignore[misc]  # the engine has no types
    """Made before the engine, which takes it; `attach` closes the circle. `wake` asks for a
    `pump` soon."""

    incoming_type: type[Incoming] = Incoming
    outgoing_type: type[Outgoing] = Outgoing
    stamps_type: type[Stamps] = Stamps

    def __init__(
        self, name: str, *, wire: Wire, clock: Clock, timings: Timings, boot: int,
        wake: Callable[[], None], amnesia: Amnesia, flusher: Flusher | None = None,
    ) -> None:
        super().__init__(None, Member(name), ())
        self.name = name
        self._members: dict[str, Member] = {}
        self._farewell_until_s: float | None = None
        self._abstains_until_s = 0.0
        self._wire, self._clock, self._timings, self._wake = wire, clock, timings, wake
        self._boot, self._stamps = boot, self.stamps_type(boot)
        self._amnesia = amnesia
        self._flusher = flusher or InlineFlusher()
        self._held: list[tuple[Member, Envelope]] = []
        self._heard_s: dict[str, float] = {}
        self._said_s: dict[str, float] = {}
        self._followed: object = None
        self.is_stopped = False
        self.drops: Counter[str] = Counter()
        self.lease = Lease((), clock=clock, raft_min_s=timings.raft_min_s)
        self.pre_votes = PreVotes((), clock=clock, raft_min_s=timings.raft_min_s)
        self.index_told: Callable[[int, int], None] = lambda number, index: None
        """(number of our AskIndex, the index to wait for)"""
        self.vouched: Callable[[str, bytes], bytes] = lambda peer, command: command
        """What a peer forwards, with what its connection proves (filters.py)."""
        self.alarms = Alarms(clock)
        self._circle: Circle | None = None
        self._introduced: tuple[int, dict[str, str]] = (0, {})
        """By another member: its latest agreed change, and the endpoints of those who belong."""

    def attach(self, engine: GuardedEngine) -> None:
        self.engine = engine
        self._outgoing = self.outgoing_type(
            engine, lease=self.lease, clock=self._clock, drops=self.drops,
        )
        self.reads = Reads(engine, lease=self.lease, clock=self._clock)
        self._turns = Turns(
            engine, reads=self.reads, flusher=self._flusher, clock=self._clock, say=self._say,
            follow_members=self._follow_members, wake=self._wake,
        )
        self.incoming = self.incoming_type(
            engine, lease=self.lease, pre_votes=self.pre_votes, post=self.post,
            deliver=self._deliver, store=self._turns.store, drops=self.drops,
        )
        self._pulses = Pulses(
            engine=engine, lease=self.lease, incoming=self.incoming, amnesia=self._amnesia,
            clock=self._clock, wire=self._wire, boot=self._boot,
            every_s=self._timings.raft_append_s,
            is_hung=lambda: self._turns.is_waiting() and self._turns.is_hung(),
        )
        self.incoming.refused = self.alarms.raised
        self.incoming.vouched = lambda peer, command: self.vouched(peer, command)
        self._follow_members()

    # Who belongs

    def serve(
        self, index_told: Callable[[int, int], None], vouched: Callable[[str, bytes], bytes],
        circle: Circle | None,
    ) -> None:
        self.index_told, self.vouched = index_told, vouched
        if circle is not None:
            self.join(circle)

    def join(self, circle: Circle) -> None:
        """Have it told whom to speak to, now and whenever that changes."""
        self._circle = circle
        circle.reach(self._endpoints())

    def _endpoints(self) -> dict[str, str]:
        """Of everybody who is spoken to; empty where the log has none."""
        history, (index, introduced) = self.engine.log.members, self._introduced
        names = history.names_since(self.engine.commit_index) | self.engine.departing
        leader = self.engine.leader_name
        if leader is not None:
            names |= {leader}  # a log that is being caught up may be from before its time
        found = {name: history.endpoint(name) for name in sorted(names - {self.name})}
        return found if history.latest_index >= index else {**introduced, **found}

    def _was_introduced(self, peer: str, said: Introduction) -> None:  # which does not name itself
        if not is_believable(said, last_index=self.engine.last_index):
            self.drops["index-beyond-reason"] += 1
            return self.alarms.raised(peer, "index-beyond-reason", "an Introduction was dropped")
        if self._circle is not None:
            for name, _, keys in said.peers:
                self._circle.introduce(name, tuple(keys))
        if said.members_index > max(self._introduced[0], self.engine.log.members.latest_index):
            named = {peer: self._introduced[1].get(peer, ""), **{it[0]: it[1] for it in said.peers}}
            self._introduced = said.members_index, named
            self._follow_members()

    def _follow_members(self) -> None:
        """Speak to, and count, whom the log says by now."""
        engine = self.engine
        engine.adopt_members()
        latest_index, introduced_index = engine.log.members.latest_index, self._introduced[0]
        state = (engine.members, engine.commit_index < latest_index, engine.departing,
                 engine.leader_name, introduced_index if introduced_index > latest_index else 0)
        if state == self._followed:
            return
        self._followed = state
        self.lease.voters = self.pre_votes.voters = engine.other_voters
        endpoints = self._endpoints()
        for peer in set(self._members) - set(endpoints):
            if self._heard_s.pop(peer, None) is not None:
                self._onNodeDisconnected(self._members[peer])
            del self._members[peer]
        for peer in endpoints:
            self._members.setdefault(peer, Member(peer))
        if self._circle is not None:
            self._circle.reach(endpoints)

    def known_boot(self, peer: str) -> int:
        return self._stamps.known_boot(peer)

    def present(self) -> frozenset[str]:
        """Who was heard lately."""
        return frozenset(self._heard_s)

    def heard_from_s(self, peer: str) -> float:
        return self._heard_s.get(peer, 0.0)

    def _bid_farewell(self) -> None:
        """Removed nodes are told until a while after it was agreed upon, and by a leader only."""
        engine, now_s = self.engine, self._clock.boottime_s()
        if not engine.departing or engine.commit_index < engine.log.members.latest_index:
            self._farewell_until_s = None
        elif self._farewell_until_s is None:
            self._farewell_until_s = now_s + FAREWELL_S
        if engine.departing and (
            not engine.is_leading
            or self._farewell_until_s is not None and now_s >= self._farewell_until_s
        ):
            engine.dismiss()
            self._follow_members()

    def resign(self) -> None:
        """Have one of the others elected."""
        self._abstains_until_s = self._clock.boottime_s() + ABSTAIN_S
        self.engine.resign()

    # What the engine asks

    def send(self, member: Member, message: Message) -> bool:
        """The engine speaks; it goes out with the next pump."""
        if member.name not in self._members:
            return False
        body = self._outgoing.typed(member, message, self.incoming.basis)
        if isinstance(body, Forward) and member.name not in self._heard_s:
            self._not_forwarded(body.number)
            return False
        if body is not None:
            self.post(member.name, body)
        return member.name in self._heard_s

    def may_stand(self) -> bool:
        """Whether an election that is due may begin: only once a majority would vote for us."""
        voters = self.engine.other_voters
        is_able = (
            self.engine.has_vote and not self._amnesia.lasts
            and self._clock.boottime_s() >= self._abstains_until_s
        )
        if is_able and (not voters or self.pre_votes.has_majority()):
            self.pre_votes.forget()  # if this election fails, the next one is asked for anew
            return True
        self.engine.forget_leader()
        if is_able and self.pre_votes.is_due():
            round_ = self.pre_votes.begin_round(self.engine.spread())
            for peer in sorted(voters):
                self.post(peer, PreVoteRequest(
                    round=round_, term=self.engine.term + 1, last_index=self.engine.last_index,
                    last_term=self.engine.last_term,
                ))
        return False

    def elected(self) -> None:
        self.incoming.became_leader()

    def destroy(self) -> None:
        self.is_stopped = True

    # What arrives

    def receive(self, peer: str, raw: bytes) -> None:
        """`peer` is who the connection's key belongs to. Raises Fatal."""
        member = self._members.get(peer)
        if member is None or self.is_stopped:
            self.drops["stranger"] += 1
            return
        envelope = opened(raw)
        if envelope is None:
            self.drops["undecodable"] += 1
            return
        if isinstance(envelope.body, (Pulse, PulseAck)):
            self._pulses.admit(member, envelope)
            return
        is_restart = self._stamps.is_restart(peer, envelope)
        refusal = self._stamps.refusal(peer, envelope)
        if refusal is not None:
            self.drops[refusal] += 1
            self.alarms.dropped(peer, refusal, envelope, boot=self._boot)
            return
        self.incoming.terms.heard(peer, envelope.term)
        if is_restart:
            self._forget_life(member)
        self._is_there(member)
        self._understand(member, envelope)

    def _forget_life(self, member: Member) -> None:
        """It was restarted: what it has is learned anew."""
        self._held = [each for each in self._held if each[0] != member]
        self.engine.forget_life(member)

    def _understand(self, member: Member, envelope: Envelope) -> None:
        match envelope.body:
            case Ping() as ping:
                others = introduction(self.engine, member.name, ping, self._circle)
                if others is not None:
                    self.post(member.name, others)
            case Introduction() as said:
                self._was_introduced(member.name, said)
            case AskIndex(number=number):
                self.reads.ask(lambda index: self.post(
                    member.name, TellIndex(number=number, index=index),
                ))
                self._wake()
            case TellIndex(number=number, index=index):
                self.index_told(number, index)
            case _ if self._turns.is_waiting():
                self._hold(member, envelope)
            case _:
                self._admit(member, envelope)

    def _admit(self, member: Member, envelope: Envelope) -> None:
        try:
            if self.incoming.admit(member, envelope.term, envelope.body) or self.reads.is_waiting():
                self._wake()
            self._follow_members()
        except MembersUnreadable as error:
            raise Fatal(members_unreadable(self.name, str(error))) from error
        except OSError as error:
            raise Fatal(disk_failed(self.name, error)) from error

    def _hold(self, member: Member, envelope: Envelope) -> None:
        """Until the disk is done. A heartbeat is answered at once: its sender need not doubt this
        node because its disk is slow."""
        if len(self._held) >= MOST_HELD:
            self.drops["disk-behind"] += 1
            return
        self._held.append((member, envelope))
        heard = self.incoming.heed(member, envelope.term, envelope.body)
        answer = None if heard is None else self._amnesia.allowed(heard)
        if answer is not None and self.engine.log.is_term_durable() and not self._turns.is_hung():
            self._say(member.name, self.engine.term, answer)

    def _deliver(self, member: Member, body: Body) -> None:
        self._onMessageReceived(member, as_message(body))

    def _is_there(self, member: Member) -> None:
        if member.name not in self._heard_s:
            self._onNodeConnected(member)
        self._heard_s[member.name] = self._clock.boottime_s()

    def check_peers(self) -> None:
        """Note who went silent, and let nobody think it of us. To be called every tick."""
        self._bid_farewell()
        self._pulses.beat()
        now_s = self._clock.boottime_s()
        for peer, heard_s in list(self._heard_s.items()):
            if now_s - heard_s > self._timings.raft_max_s:
                del self._heard_s[peer]
                self._onNodeDisconnected(self._members[peer])
        for peer in self._members:
            if now_s - self._said_s.get(peer, 0.0) >= PING_S:
                self._say(peer, self.engine.term, self._ping())

    def _ping(self) -> Ping:
        engine = self.engine
        index = engine.log.members.latest_index
        return Ping(
            members_index=index if index <= engine.commit_index else 0,
            has_leader=engine.leader_name is not None,
        )

    # The turn

    def post(self, peer: str, body: Body) -> None:
        allowed = self._amnesia.allowed(body)
        if allowed is None:
            self.drops["forgot-its-promises"] += 1
            return
        self._turns.post(peer, self.engine.term, allowed)

    def pump(self) -> None:
        """A turn, or as much of it as the disk allows now. Raises Fatal, after which nothing more
        is said."""
        if self.is_stopped:
            return
        try:
            self._amnesia.look(applied=self.engine.last_applied, term=self.engine.term)
            self._turns.go_on()
        except OSError as error:
            raise Fatal(disk_failed(self.name, error)) from error
        if self._turns.is_waiting():
            return
        held, self._held = self._held, []
        for member, envelope in held:
            self._admit(member, envelope)
        engine = self.engine
        is_alone = engine.is_leading and not engine.other_voters
        if is_alone and engine.commit_index < engine.last_index:
            self._wake()  # what was just flushed is committed at the next tick

    def _say(self, peer: str, term: int, body: Body) -> None:
        self._said_s[peer] = self._clock.boottime_s()
        if isinstance(body, Ack):
            body = changed(body, loyal_s=self.lease.loyal_s)
        if self._wire.send(peer, self._stamps.sealed(peer, term, body)):
            return
        self.drops["not-sent"] += 1
        if isinstance(body, Forward):
            self._not_forwarded(body.number)

    def _not_forwarded(self, number: int) -> None:
        """Hole 20: the engine would never tell."""
        told = self.engine.forget(number)
        if told is not None:
            told(None, FAIL_REASON.MISSING_LEADER)
