"""The same search with a membership that changes: nodes come in, are removed and never come back
under their names, while others crash and are cut off.

    python -m tests.raft.search_members <network> <crash> <first seed> <seeds>

`rules=False` appends changes that no rule has looked at, as the engine's own mechanism would: the
search must find that (tests/raft/test_search_members.py).
"""

import sys
from pathlib import Path

from cluster.raft.members import Change, Members, Peer, all_voting, encoded_change, members_of
from cluster.raft.problems import Fatal
from cluster.raft.voter import Voter
from tests.raft.members_rig import joining
from tests.raft.memory_disk import MemoryDisk
from tests.raft.rig import TIMINGS
from tests.raft.search import Crash, Network, Search, SearchWire, Witness, main

NAMES = ("ape", "bee", "cat", "dog", "elk", "fox", "gnu")
FOUNDERS = NAMES[:3]
LEAST_VOTERS = 2


class MembersSearch(Search):
    """What is wanted changes now and then; whoever leads takes the next step towards it."""

    def __init__(
        self, seed: int, network: Network, crash: Crash, *, rules: bool = True,
    ) -> None:
        super().__init__(seed, network, crash, names=FOUNDERS)
        self._disks = {name: MemoryDisk(self.dice) for name in NAMES}
        self._rules = rules
        self._wanted = all_voting(FOUNDERS)
        self._retired: set[str] = set()
        self._files = {name: self._wanted for name in FOUNDERS}
        """What each node's own files say: a newcomer's are made when it is wanted."""
        self._parted_until_s = 0.0
        self.changes = 0

    def _make_trouble(self) -> None:
        before = self._cut
        super()._make_trouble()
        if self.clock.now_s < self._parted_until_s:
            self._cut = self._cut | before
        elif self.dice.random() < 0.015:
            self._part()
        if self.dice.random() < 0.02:
            for _ in range(1 if self._rules else 3):
                self._want_another()
        for name in list(self._voters):
            if self.dice.random() < 0.2:
                self._take_step(name)

    def _part(self) -> None:
        """Two halves that do not reach each other, for long enough to elect in both."""
        self._parted_until_s = self.clock.now_s + self.dice.uniform(0.5, 5.0)
        half = {name for name in self._names if self.dice.random() < 0.5}
        self._cut = {
            (one, other) for one in self._names for other in self._names
            if (one in half) != (other in half)
        }

    def _calm_down(self) -> None:
        super()._calm_down()
        self._arriving = [each for each in self._arriving if each[2] in self._voters]

    def _step(self) -> None:
        super()._step()
        for name in list(self._voters):
            self._take_step(name)

    def _is_settled(self) -> bool:
        """A leader has everybody who is wanted, voting: who is still coming in knows the others
        from its own files, which must not become history meanwhile."""
        return any(
            each.engine.is_leading and each.engine.members == self._wanted
            and each.engine.may_change_members() for each in self._voters.values())

    def _want_another(self) -> None:
        """One node more or less than wanted now, once that is settled."""
        if self._rules and not self._is_settled():
            return
        names = sorted(self._wanted.names)
        fresh = [each for each in NAMES if each not in {*names, *self._retired}]
        if fresh and (len(names) <= LEAST_VOTERS or self.dice.random() < 0.5):
            self._files[fresh[0]] = joining(fresh[0], tuple(names))
            self._wanted = members_of([*self._wanted.peers, Peer(name=fresh[0])])
            self._names = (*self._names, fresh[0])
            self._start(fresh[0])
        elif len(names) > LEAST_VOTERS:
            gone = self.dice.choice(names)
            self._retired.add(gone)
            self._wanted = members_of(
                each for each in self._wanted.peers if each.name != gone)

    def _take_step(self, name: str) -> None:
        voter = self._voters.get(name)
        if voter is None:
            return
        if not self._rules:
            self._take_any_step(voter)
            return
        step = voter.next_members(self._wanted)
        if step is None:
            return
        if name not in step.voters:
            voter.transport.resign()
        elif voter.engine.change_members(Change(members=step), lambda *_: None):
            self.changes += 1

    def _take_any_step(self, voter: Voter) -> None:
        engine = voter.engine
        if engine.is_leading and engine.members != self._wanted and engine.has_vote:
            wanted = members_of([*self._wanted.peers, Peer(name=engine.name)]) \
                if engine.name not in self._wanted.names else self._wanted
            if engine.members != wanted:
                self.changes += 1
                change = encoded_change(Change(members=wanted))
                engine.log.add(change, engine.last_index + 1, engine.term)

    def _start(self, name: str) -> None:
        self._books[name] = Witness(lambda index, command: self._saw(name, index, command))
        try:
            self._voters[name] = Voter(
                name, (), folder=Path("/", name), machine=self._books[name], timings=TIMINGS,
                clock=self.clock, disk=self._disks[name], wire=SearchWire(self, name),
                wake=lambda: None, compact_after_entries=20, founding=self._files[name],
            )
        except Fatal as fatal:
            raise self._broken(f"{name} cannot start: {fatal}") from fatal

    def _check_end(self) -> None:
        """Those who are wanted are the members, and agree; who was removed is nobody's concern."""
        for name in sorted(self._voters.keys() - self._wanted.names):
            self._voters.pop(name)
            self._books.pop(name)
        for name in sorted(self._wanted.names):
            found = self._voters[name].engine.members
            if found != self._wanted:
                raise self._broken(f"{name} has the members {shown(found)}, "
                                   f"wanted are {shown(self._wanted)}")
        super()._check_end()


def shown(members: Members) -> str:
    return ", ".join(
        peer.name + ("" if peer.votes else " (listening)") for peer in members.peers)


def search_members(
    seed: int, network: Network, crash: Crash, *, rules: bool = True,
) -> MembersSearch:
    found = MembersSearch(seed, network, crash, rules=rules)
    found.run()
    return found


if __name__ == "__main__":
    sys.exit(main(
        search_members, lambda run: {"crashes": run.crashes, "changes of members": run.changes}))
