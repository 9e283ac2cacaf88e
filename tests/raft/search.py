"""A seeded search for a run in which agreement breaks: voters on simulated time, network and disk.

    python -m tests.raft.search <network> <crash> <first seed> <seeds>     from the project's root

The network is `orderly` (like TCP: cuts delay or break) or `wild` (reorders, repeats, loses,
delays); a crash is `kill` (also in the middle of a file operation), `power` (unsynced writes are
lost or torn) or `either`, so that power may take what an earlier life was killed over; a disk takes
its time now and then. Checked after every step: one leader a term, one command an index, never two
leases; at the end: everything acknowledged is applied everywhere.
"""

import heapq
import logging
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from cluster.raft.attendance import Attendance
from cluster.raft.problems import Fatal
from cluster.raft.voter import Voter
from tests.raft.memory_disk import MemoryDisk, Stopped
from tests.raft.rig import TIMINGS, Book, HandClock
from tests.raft.slow_flusher import SlowFlusher

Network = Literal["orderly", "wild"]
Crash = Literal["kill", "power", "either"]

TURN_S = 0.02
TROUBLE_S = 12.0
SLOW_SHARE, SLOWEST_S = 0.1, 0.3
"""Of what the disks are given to write, and how long that takes at most."""
CALM_S = 6.0
"""Long enough for the last election, the last snapshot and the last entry."""


class Broken(AssertionError):
    """An invariant does not hold; says the seed and the simulated time."""


class Witness(Book):
    """A machine that shows the search what it applies, and where."""

    def __init__(self, applied: Callable[[int, bytes], None]) -> None:
        super().__init__()
        self._applied = applied

    def apply(self, index: int, command: bytes) -> object:
        self._applied(index, command)
        return super().apply(index, command)


class Search:
    voter_type: type[Voter] = Voter
    calm_s = CALM_S

    def __init__(
        self, seed: int, network: Network, crash: Crash, *, names: tuple[str, ...],
        flusher: type[SlowFlusher] = SlowFlusher,
    ) -> None:
        self.dice = random.Random(seed)
        self.clock = HandClock()
        self._seed, self._network, self._crash, self._names = seed, network, crash, names
        self._flusher = flusher
        self._disks = {name: MemoryDisk(self.dice) for name in names}
        self._voters: dict[str, Voter] = {}
        self._books: dict[str, Witness] = {}
        self._cut: set[tuple[str, str]] = set()
        self._arriving: list[tuple[float, int, str, str, bytes]] = []
        self._last_due_s: dict[tuple[str, str], float] = {}
        self._sequence = 0
        self._commands: dict[int, bytes] = {}
        self._leaders: dict[int, str] = {}
        self._acked: list[bytes] = []
        self._proposed = 0
        self.crashes = 0

    # The run

    def run(self) -> None:
        for name in self._names:
            self._start(name)
        end_s = self.clock.now_s + TROUBLE_S
        while self.clock.now_s < end_s:
            self._step()
            self._make_trouble()
            self._propose()
        self._calm_down()
        end_s = self.clock.now_s + self.calm_s
        while self.clock.now_s < end_s:
            self._step()
            if self.dice.random() < 0.05:
                self._propose()
        self._check_end()

    def acknowledged(self) -> int:
        return len(self._acked)

    def _step(self) -> None:
        """Until the next turn, deliver what is due in between."""
        turn_s = self.clock.now_s + TURN_S
        while self._arriving and self._arriving[0][0] <= turn_s:
            due_s, _, source, target, raw = heapq.heappop(self._arriving)
            self.clock.now_s = max(self.clock.now_s, due_s)
            if target in self._voters and (source, target) not in self._cut:
                voter = self._voters[target]
                self._guarded(target, lambda: voter.transport.receive(source, raw))
                self._turn(target)
        self.clock.now_s = turn_s
        for name in list(self._voters):
            self._turn(name)

    def _turn(self, name: str) -> None:
        if name not in self._voters:
            return
        voter = self._voters[name]
        self._guarded(name, voter.transport.check_peers)
        self._guarded(name, voter.transport.pump)
        self._check(name)

    def _guarded(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Stopped:
            self._end(name)
        except Fatal as fatal:
            raise self._broken(f"{name} stepped out: {fatal}") from fatal

    # Trouble

    def _make_trouble(self) -> None:
        chance, dice = self.dice.random(), self.dice
        if chance < 0.003:
            for name in sorted(self._voters):  # a whole room without power
                self._end(name)
        elif chance < 0.01 and self._voters:
            self._end(dice.choice(sorted(self._voters)))
        elif chance < 0.02 and self._voters:
            self._disks[dice.choice(sorted(self._voters))].stop_chance = dice.choice((0.02, 0.2))
        elif chance < 0.05:
            for name in self._names:
                if name not in self._voters:
                    self._start(name)
                    break
        elif chance < 0.065:
            one, other = dice.sample(self._names, 2)
            self._cut |= {(one, other)} | ({(other, one)} if dice.random() < 0.6 else set())
        elif chance < 0.085:
            self._cut = set()

    def _calm_down(self) -> None:
        self._cut = set()
        for disk in self._disks.values():
            disk.stop_chance = 0.0
        for name in self._names:
            if name not in self._voters:
                self._start(name)

    def _start(self, name: str) -> None:
        self._disks[name].slow_share, self._disks[name].slowest_s = SLOW_SHARE, SLOWEST_S
        self._books[name] = Witness(lambda index, command: self._saw(name, index, command))
        try:
            self._voters[name] = self.voter_type(
                name, [each for each in self._names if each != name], folder=Path("/", name),
                machine=self._books[name], timings=TIMINGS, clock=self.clock,
                disk=self._disks[name], wire=SearchWire(self, name), wake=lambda: None,
                compact_after_entries=20,
                flusher=self._flusher(self._disks[name], self.clock, self.dice),
                attendance=self._attendance(name),
            )
        except Fatal as fatal:
            self._cannot_start(name, fatal)

    def _attendance(self, name: str) -> Attendance | None:
        return None

    def _cannot_start(self, name: str, fatal: Fatal) -> None:
        raise self._broken(f"{name} cannot start: {fatal}") from fatal

    def _end(self, name: str) -> None:
        """The process is gone at this instant, without a word."""
        self.crashes += 1
        self._voters.pop(name).stop()
        if self._crash == "power" or self._crash == "either" and self.dice.random() < 0.5:
            self._disks[name].lose_power()
        else:
            self._disks[name].restart()
        if self._network == "orderly":
            self._arriving = [each for each in self._arriving if name not in each[2:4]]
            heapq.heapify(self._arriving)

    def _propose(self) -> None:
        if self._voters and self.dice.random() < 0.6:
            self._proposed += 1
            command = b"%d" % self._proposed
            voter = self._voters[self.dice.choice(sorted(self._voters))]
            voter.engine.submit(command, lambda _, reason: self._told(command, reason))

    def _told(self, command: bytes, reason: int) -> None:
        if reason == 0:
            self._acked.append(command)

    # The network

    def carry(self, source: str, target: str, raw: bytes) -> bool:
        if (source, target) in self._cut:
            return False
        dice = self.dice
        delay_s = dice.uniform(0.0005, 0.005)
        if self._network == "orderly":
            due_s = max(self.clock.now_s + delay_s, self._last_due_s.get((source, target), 0.0))
            self._last_due_s[source, target] = due_s
            self._put(due_s, source, target, raw)
            return True
        if dice.random() < 0.02:
            return True
        for _ in range(2 if dice.random() < 0.03 else 1):
            late_s = dice.expovariate(2.0) if dice.random() < 0.05 else 0.0
            self._put(self.clock.now_s + delay_s + late_s, source, target, raw)
        return True

    def _put(self, due_s: float, source: str, target: str, raw: bytes) -> None:
        self._sequence += 1
        heapq.heappush(self._arriving, (due_s, self._sequence, source, target, raw))

    # The judge

    def _saw(self, name: str, index: int, command: bytes) -> None:
        if self._commands.setdefault(index, command) != command:
            raise self._broken(f"{name} applied {command!r} at {index}, "
                               f"another {self._commands[index]!r}")

    def _check(self, name: str) -> None:
        voter = self._voters.get(name)
        if voter is None or not voter.engine.is_leading:
            return
        if self._leaders.setdefault(voter.engine.term, name) != name:
            raise self._broken(f"two leaders in term {voter.engine.term}")
        if voter.transport.lease.left_s() > 0:
            holders = [
                each for each, other in self._voters.items()
                if other.engine.is_leading and other.transport.lease.left_s() > 0
            ]
            if len(holders) > 1:
                raise self._broken(f"two leases: {holders}")

    def _check_end(self) -> None:
        applied = {name: voter.engine.last_applied for name, voter in self._voters.items()}
        if max(applied.values()) - min(applied.values()) > 3:
            raise self._broken(f"not converged: {applied}")
        for name, book in self._books.items():
            lost = set(self._acked) - set(book.commands)
            if len(lost) > 3:  # the last few may still be on their way to this one
                raise self._broken(f"{name} lacks {sorted(lost)[:5]}")
        agreed = set(self._commands.values())
        if lost := [each for each in self._acked if each not in agreed]:
            raise self._broken(f"acknowledged and nowhere applied: {lost[:5]}")

    def _broken(self, what: str) -> Broken:
        return Broken(
            f"seed {self._seed}, {self._network}, {self._crash}, "
            f"{self.clock.now_s - 1000:.3f} s: {what}",
        )


class SearchWire:
    def __init__(self, search: Search, name: str) -> None:
        self._search, self._name = search, name

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        return self._search.carry(self._name, peer, raw)


def search(
    seed: int, network: Network, crash: Crash, *, nodes: int = 3,
    flusher: type[SlowFlusher] = SlowFlusher,
) -> Search:
    names = ("ape", "bee", "cat", "dog", "elk")[:nodes]
    found = Search(seed, network, crash, names=names, flusher=flusher)
    found.run()
    return found


def main(
    one: Callable[[int, Network, Crash], Search], counts: Callable[[Any], dict[str, int]],
) -> int:
    """Whatever the command line asks for; 1 if any of it was broken. `counts`: what one run that
    held amounts to."""
    network, crash, first, seeds = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    broken, totals = 0, Counter[str]()
    for seed in range(int(first), int(first) + int(seeds)):
        try:
            totals.update(counts(one(seed, network, crash)))  # type: ignore[arg-type]
        except Broken as error:
            broken += 1
            print(error)
    told = "".join(f", {count} {name}" for name, count in totals.items())
    print(f"{seeds} seeds: {broken} broken{told}")
    return 1 if broken else 0


def nodes_of(seed: int) -> int:
    return 5 if seed % 4 == 0 else 3


if __name__ == "__main__":
    sys.exit(main(
        lambda seed, network, crash: search(seed, network, crash, nodes=nodes_of(seed)),
        lambda run: {"crashes": run.crashes, "acknowledged": run.acknowledged()},
    ))
