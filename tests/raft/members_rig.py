"""A rig whose membership changes: founders that vote from the beginning, and others that come in
later with an empty folder, knowing the founders alone."""

from pathlib import Path

from cluster.raft.members import Change, Members, Peer, all_voting, encoded_change, members_of
from cluster.raft.voter import Voter
from tests.raft.rig import TIMINGS, Book, Rig, RigWire

FOUNDERS = ("ape", "bee", "cat")


def joining(name: str, founders: tuple[str, ...]) -> Members:
    """What a new node's own files say: the others vote, and it does not yet."""
    return members_of([*(Peer(name=each) for each in founders), Peer(name=name, votes=False)])


class MembersRig(Rig):
    def __init__(
        self, folder: Path, *, founders: tuple[str, ...] = FOUNDERS,
        later: tuple[str, ...] = ("dog", "elk"), compact_after_entries: int = 5000,
    ) -> None:
        super().__init__(
            folder, (*founders, *later), compact_after_entries=compact_after_entries)
        self.founders = founders

    def start(self, *names: str) -> Voter:
        for name in names:
            (self._folder / name).mkdir(exist_ok=True)
            self.books[name] = self.new_book()
            self.voters[name] = Voter(
                name, (), folder=self._folder / name, machine=self.books[name], timings=TIMINGS,
                clock=self.clock, disk=self.disks[name], wire=RigWire(self, name),
                wake=lambda: None, compact_after_entries=self._compact_after_entries,
                founding=self.founding_of(name),
            )
        return self.voters[names[-1]]

    def founding_of(self, name: str) -> Members:
        if name in self.founders:
            return all_voting(self.founders)
        return joining(name, self.founders)

    def step(self, wanted: Members, command: bytes = b"") -> Members | None:
        """The leader's next change, if it may make one, and time for it to be agreed upon."""
        leader = self.leader()
        step = leader.next_members(wanted)
        if step is not None:
            change = Change(members=step, command=command)
            assert leader.engine.change_members(change, lambda *_: None)
        self.pass_time(0.3)
        return step

    def settle(self, *voters: str, listening: tuple[str, ...] = ()) -> None:
        """Until these are the members, agreed upon on everybody of them who is up."""
        wanted = members_of([
            *(Peer(name=each) for each in voters),
            *(Peer(name=each, votes=False) for each in listening),
        ])
        for _ in range(40):
            if all(self.knows(name, wanted) for name in wanted.names & self.voters.keys()):
                return
            self.step(wanted)
        raise AssertionError(f"not settled: {self.leader().engine.members}")

    def knows(self, name: str, wanted: Members) -> bool:
        engine = self.voters[name].engine
        history = engine.log.members
        return (
            engine.members == wanted and history.is_in_log
            and history.latest_index <= engine.commit_index
        )

    def leader_book(self) -> Book:
        return self.books[self.leader().engine.name]

    def force(self, voter: Voter, *names: str) -> None:
        """A change that no rule has looked at, as the engine's own would be."""
        engine = voter.engine
        change = Change(members=all_voting(names))
        engine.log.add(encoded_change(change), engine.last_index + 1, engine.term)
        engine.adopt_members()
