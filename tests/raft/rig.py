"""Voters without sockets or an event loop: messages wait in lists until a test delivers them."""

from collections.abc import Callable
from pathlib import Path

from cluster.config.schema import PROFILES
from cluster.raft.disk import Disk, HostDisk
from cluster.raft.flusher import Flusher
from cluster.raft.pin import Member
from cluster.raft.voter import Voter
from cluster.raft.wire import Append, Body, PreVote, Vote, as_message, opened

TIMINGS = PROFILES["lan"]
NAMES = ("ape", "bee", "cat")
NO_OP = b"\1"


class HandClock:
    """Moves only when told; its dice are always the same."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def boottime_s(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return 0

    def token(self) -> str:
        return "00000000000000ff"


class Book:
    """A machine that writes down what it is given."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def apply(self, index: int, command: bytes) -> object:
        if command == b"raise":
            raise ValueError("a bug in the machine")
        if command == b"exhaust":
            raise MemoryError
        self.commands.append(command)
        return b"applied " + command

    def dump(self) -> bytes:
        return b"\n".join(self.commands)

    def load(self, snapshot: bytes) -> None:
        self.commands = snapshot.split(b"\n") if snapshot else []


class Rig:
    def __init__(
        self, folder: Path, names: tuple[str, ...] = NAMES, *, compact_after_entries: int = 5000,
        voter: type[Voter] = Voter,
    ) -> None:
        self.clock = HandClock()
        self.names = names
        self.voters: dict[str, Voter] = {}
        self.books: dict[str, Book] = {}
        self.under_way: list[tuple[str, str, bytes]] = []
        self.disks: dict[str, Disk] = {name: HostDisk() for name in names}
        self.flushers: dict[str, Flusher] = {}
        self.new_book: Callable[[], Book] = Book
        self.is_wire_down = False
        self._folder, self._voter = folder, voter
        self._compact_after_entries = compact_after_entries

    def start(self, *names: str) -> Voter:
        """Open these voters; returns the last. Raises Fatal."""
        for name in names:
            (self._folder / name).mkdir(exist_ok=True)
            self.books[name] = self.new_book()
            self.voters[name] = self._voter(
                name, [each for each in self.names if each != name], folder=self._folder / name,
                machine=self.books[name], timings=TIMINGS, clock=self.clock,
                disk=self.disks[name], wire=RigWire(self, name), wake=lambda: None,
                compact_after_entries=self._compact_after_entries,
                flusher=self.flushers.get(name),
            )
        return self.voters[names[-1]]

    def crash(self, name: str) -> None:
        """End without flushing anything."""
        self.voters.pop(name).close()
        self.under_way = [each for each in self.under_way if name not in each[:2]]

    def close(self) -> None:
        for voter in self.voters.values():
            voter.close()

    def turn(self, dropped: Callable[[str, str, Body], bool] = lambda *_: False) -> None:
        """Everybody's turn, then everything under way arrives."""
        for voter in list(self.voters.values()):
            voter.transport.check_peers()
            voter.transport.pump()
        arriving, self.under_way = self.under_way, []
        for source, target, raw in arriving:
            envelope = opened(raw)
            assert envelope is not None
            if target in self.voters and not dropped(source, target, envelope.body):
                self.voters[target].transport.receive(source, raw)

    def pass_time(
        self, seconds: float, dropped: Callable[[str, str, Body], bool] = lambda *_: False,
    ) -> None:
        for _ in range(round(seconds / 0.01)):
            self.clock.now_s += 0.01
            self.turn(dropped)

    def leader(self) -> Voter:
        """Let time pass until one of the voters leads."""
        for _ in range(100):
            for voter in self.voters.values():
                if voter.is_leader():
                    return voter
            self.pass_time(0.1)
        raise AssertionError("nobody was elected")

    def decide(self, voter: Voter, *commands: bytes) -> list[tuple[object, int]]:
        """Propose, let everything arrive; what was told."""
        told: list[tuple[object, int]] = []
        for command in commands:
            voter.engine.submit(command, lambda result, reason: told.append((result, reason)))
        for _ in range(8):
            self.turn()
        return told

    def said(self, source: str, target: str) -> list[Body]:
        """What is under way, and take it off the way."""
        mine = [each for each in self.under_way if each[:2] == (source, target)]
        self.under_way = [each for each in self.under_way if each not in mine]
        envelopes = [opened(raw) for _, _, raw in mine]
        return [envelope.body for envelope in envelopes if envelope is not None]


class RigWire:
    def __init__(self, rig: Rig, name: str) -> None:
        self._rig, self._name = rig, name

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        if self._rig.is_wire_down:
            return False
        self._rig.under_way.append((self._name, peer, raw))
        return True


def tell(voter: Voter, peer: str, term: int, body: Body) -> bool:
    """As if the peer, being in that term, had said it: through the filters."""
    return voter.transport.incoming.admit(Member(peer), term, body)


def tell_engine(voter: Voter, peer: str, body: Body) -> None:
    """The same past the filters: what the engine itself makes of it."""
    voter.engine._SyncObj__onMessageReceived(Member(peer), as_message(body))


def deliver(guarded: bool, voter: Voter, peer: str, term: int, body: Body) -> None:
    """Through the filters, or past them."""
    if guarded:
        tell(voter, peer, term, body)
    else:
        tell_engine(voter, peer, body)


def make_leader(rig: Rig, voter: Voter) -> int:
    """Have it elected by made-up votes of its peers, alone on the rig; its term."""
    peers = [name for name in rig.names if name != voter.engine.name]
    for peer in peers:
        voter.transport._is_there(Member(peer))
    rig.clock.now_s += TIMINGS.raft_max_s + 0.01
    for peer in peers:
        voter.transport._is_there(Member(peer))
    voter.transport.pump()
    for peer in peers:
        grant = PreVote(round=voter.transport.pre_votes.round, is_granted=True)
        tell(voter, peer, voter.engine.term, grant)
    voter.transport.pump()
    term = voter.engine.term
    for peer in peers:
        tell(voter, peer, term, Vote(term=term))
    assert voter.engine.is_leading
    voter.transport.pump()
    return term


def voted(bodies: list[Body]) -> list[int]:
    """The terms of the votes among them."""
    return [body.term for body in bodies if isinstance(body, Vote)]


def append(
    term: int, previous: tuple[int, int], entries: list[tuple[bytes, int, int]], *,
    commit: int = 0, sent_s: float = 1.0,
) -> Append:
    """`previous` is (index, term)."""
    return Append(
        term=term, commit_index=commit, previous_index=previous[0], previous_term=previous[1],
        entries=entries, sent_s=sent_s, quorum_age_s=0.0,
    )


def command(number: int, *, index: int, term: int) -> tuple[bytes, int, int]:
    return (b"\0%d" % number, index, term)
