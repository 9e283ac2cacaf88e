"""The same search with state folders that are put back from an earlier copy, as from a backup.

    python -m tests.raft.search_restore <network> <crash> <first seed> <seeds>

A node that knows its folder for an earlier one begins again (search_rejoin.py). A folder that was
put back after its host lost power is one that was copied at least LAG_S before: what lies in
between is the limit that attendance.py names. `protected=False` leaves the mark out, so that the
earlier folder is taken for the newest: the search must find that.
"""

import sys
from pathlib import Path

from cluster.raft.attendance import LAG_S, MARK_FILE, Attendance
from cluster.raft.problems import Fatal
from tests.raft.search import Crash, Network, main, nodes_of
from tests.raft.search_rejoin import RejoinSearch

COPIES = 20
"""Of a folder, the latest: a backup of a few seconds ago, and older ones."""


class RestoreSearch(RejoinSearch):
    def __init__(
        self, seed: int, network: Network, crash: Crash, *, names: tuple[str, ...],
        protected: bool = True,
    ) -> None:
        super().__init__(seed, network, crash, names=names)
        self._has_mark = protected
        self._copies: dict[str, list[tuple[float, dict[Path, bytes]]]] = {
            name: [] for name in names}
        self.refused = 0

    def _make_trouble(self) -> None:
        super()._make_trouble()
        if self.dice.random() < 0.05:
            name = self.dice.choice(self._names)
            copy = self._disks[name].copied(Path("/", name))
            self._copies[name] = [*self._copies[name], (self.clock.now_s, copy)][-COPIES:]

    def _lose_disk(self, name: str) -> None:
        """Lost, and put back as it was."""
        if name in self._voters:
            self._end(name)
        copies = [
            copy for copied_s, copy in self._copies[name] if copied_s <= self.clock.now_s - LAG_S]
        if not copies:
            return
        self._disks[name].put_back(Path("/", name), self.dice.choice(copies))
        self.losses += 1
        self._start(name)

    def _attendance(self, name: str) -> Attendance | None:
        if not self._has_mark:
            return None
        return Attendance(
            name, mark=Path("/etc", name, MARK_FILE), folder=Path("/", name), clock=self.clock,
            disk=self._disks[name])

    def _cannot_start(self, name: str, fatal: Fatal) -> None:
        if fatal.problem.code != "journal-rolled-back":
            super()._cannot_start(name, fatal)
        self.refused += 1
        self._disks[name].restart()
        self._disks[name].put_back(Path("/", name), {})
        self._lost, self._entry = name, b"rejoin-%d" % self.losses


def search_restore(
    seed: int, network: Network, crash: Crash, *, nodes: int = 3, protected: bool = True,
) -> RestoreSearch:
    names = ("ape", "bee", "cat", "dog", "elk")[:nodes]
    found = RestoreSearch(seed, network, crash, names=names, protected=protected)
    found.run()
    return found


if __name__ == "__main__":
    sys.exit(main(
        lambda seed, network, crash: search_restore(seed, network, crash, nodes=nodes_of(seed)),
        lambda run: {"folders put back": run.losses, "refused": run.refused,
                     "crashes": run.crashes},
    ))
