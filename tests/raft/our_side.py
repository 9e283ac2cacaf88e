"""A voter of ours, protected or with one protection left out, as the scenarios of holes see it."""

from collections.abc import Callable
from pathlib import Path

from cluster.raft.disk import Disk
from cluster.raft.journal import COMMIT, RECORD, VOTE
from cluster.raft.members import Change, Peer, members_of
from cluster.raft.pin import Member
from cluster.raft.problems import Fatal
from cluster.raft.snapshot import Snapshot, encoded
from cluster.raft.voter import Voter
from cluster.raft.wire import WIRE_VERSION, Ack, Body, Envelope, PreVote, Vote
from packages.core.values import to_msgpack
from tests.raft.bare import TickingClock
from tests.raft.memory_disk import MemoryDisk
from tests.raft.rig import Rig, tell


class OurSide:
    def __init__(
        self, folder: Path, names: tuple[str, ...], voter: type[Voter] = Voter, *,
        disk: Disk | None = None,
    ) -> None:
        self._rig, self._disk = Rig(folder, names, voter=voter), disk
        if disk is not None:
            self._rig.disks[names[0]] = disk
        self._rig.clock = TickingClock()
        self.clock = self._rig.clock
        self._name = names[0]
        self._said: list[tuple[str, Body]] = []
        self._folder = folder / self._name
        self.voter = self._rig.start(self._name)

    # What it shows

    @property
    def commands(self) -> list[bytes]:
        return self._rig.books[self._name].commands

    @property
    def log(self) -> list[tuple[bytes, int, int]]:
        return self.voter.engine.log[:]

    @property
    def term(self) -> int:
        return self.voter.engine.term

    @property
    def leads(self) -> bool:
        return self.voter.engine.is_leading

    @property
    def others(self) -> int:
        return len(self.voter.engine.other_voters)

    def matched(self, peer: str) -> int:
        return self.voter.engine.match_index[Member(peer)]

    def next_for(self, peer: str) -> int:
        return self.voter.engine.next_index[Member(peer)]

    @property
    def is_ready(self) -> bool:
        return self.voter.is_leader()

    def peers_log(self, peer: str) -> list[tuple[bytes, int, int]]:
        """Of a peer that is given all that was said to it."""
        other = self._rig.start(peer)
        for source, target, raw in self._rig.under_way:
            if (source, target) == (self._name, peer):
                other.transport.receive(source, raw)
        return other.engine.log[:]

    def _collect(self) -> None:
        for peer in self._rig.names:
            self._said += [(peer, body) for body in self._rig.said(self._name, peer)]

    def acks(self, peer: str) -> list[int]:
        self._collect()
        return [body.next_index for to, body in self._said if to == peer and isinstance(body, Ack)]

    def votes(self, peer: str) -> int:
        self._collect()
        return sum(1 for to, body in self._said if to == peer and isinstance(body, Vote))

    def spoken(self) -> int:
        self._collect()
        return len(self._said)

    # What happens to it

    def hear(self, peer: str, term: int, body: Body) -> None:
        tell(self.voter, peer, term, body)

    def sealed(self, peer: str, term: int, body: Body) -> bytes:
        """What the peer sends to this life of it."""
        return to_msgpack(Envelope(
            version=WIRE_VERSION, boot=1, known_boot=self.voter.journal.boot, number=1, term=term,
            body=body,
        ))

    def arrive(self, peer: str, sealed: bytes) -> None:
        self.voter.transport.receive(peer, sealed)

    def connect(self, peer: str) -> None:
        self.voter.transport._is_there(Member(peer))

    def pre_vote(self, peer: str) -> None:
        grant = PreVote(round=self.voter.transport.pre_votes.round, is_granted=True)
        tell(self.voter, peer, self.term, grant)

    def turn(self) -> None:
        self.voter.transport.pump()

    def submit(self, command: bytes, told: Callable[[object, int], None]) -> None:
        self.voter.engine.submit(command, told)

    def add_member(self, name: str) -> None:
        members = members_of([*self.voter.engine.members.peers, Peer(name=name)])
        self.voter.engine.change_members(Change(members=members), lambda *_: None)

    def send_all_to(self, peer: str) -> None:
        """As if it had nothing yet."""
        self.voter.engine.next_index[Member(peer)] = 1
        self.voter.engine.send_appends()
        self.turn()

    def compact(self) -> None:
        self.voter.engine.forceLogCompaction()
        self.turn()
        self.turn()
        self.turn()

    def believe_committed(self, index: int) -> None:
        self.voter.journal.setRaftCommitIndex(index)
        self.voter.journal._record_vote()
        self.voter.journal.flush()

    def snapshot(
        self, commands: list[bytes], last: tuple[bytes, int, int], before: tuple[bytes, int, int],
    ) -> bytes:
        return encoded(Snapshot(last=last, previous=before, state=b"\n".join(commands)))

    def kill(self) -> None:
        self._rig.crash(self._name)

    def lose_power(self) -> None:
        assert isinstance(self._disk, MemoryDisk)
        self.kill()
        self._disk.lose_power()

    def restart(self) -> bool:
        """Whether it starts."""
        try:
            self.voter = self._rig.start(self._name)
        except Fatal:
            return False
        self.turn()
        return True

    @property
    def journal(self) -> Path:
        return self._folder / "journal"

    @property
    def snapshot_path(self) -> Path:
        return self._folder / "snapshot"

    def forget_vote(self) -> None:
        """A byte of the record turns: it is one of another kind now."""
        raw = self.journal.read_bytes()
        for boot in range(9):
            vote = RECORD.pack(3, VOTE, boot, 1) + b"bee"
            raw = raw.replace(vote, RECORD.pack(3, COMMIT, boot, 1) + b"bee")
        self.journal.write_bytes(raw)

    def close(self) -> None:
        self._rig.close()
