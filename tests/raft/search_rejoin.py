"""The same search with disks that are lost: a node begins again, as `vmsg node rejoin` has it,
while others crash and are cut off.

    python -m tests.raft.search_rejoin <network> <crash> <first seed> <seeds>

`protected=False` has them begin again and vote at once: the search must find that.
"""

import sys
from pathlib import Path

from cluster.raft.amnesia import NOTE_FILE, Note, write_note
from tests.raft.memory_disk import MemoryDisk
from tests.raft.search import Crash, Network, Search, main, nodes_of

BOOTS_A_LIFE = 1 << 20


class RejoinSearch(Search):
    """A node whose disk is lost is away until the others have agreed on its entry. One at a time:
    where a majority would be lost with it, the others never agree, and the operator is told so."""

    def __init__(
        self, seed: int, network: Network, crash: Crash, *, names: tuple[str, ...],
        protected: bool = True,
    ) -> None:
        super().__init__(seed, network, crash, names=names)
        self._protected = protected
        self._lost: str | None = None
        self._entry = b""
        self._index_of: dict[bytes, int] = {}
        self._following: str | None = None
        self.losses = 0

    def _make_trouble(self) -> None:
        super()._make_trouble()
        if self.dice.random() < 0.01 and self._lost is None and self._is_whole():
            self._lose_disk(self.dice.choice(self._names))

    def _step(self) -> None:
        super()._step()
        if self._lost is not None:
            self._rejoin(self._lost)

    def _is_whole(self) -> bool:
        """Whether the last one that began again counts again."""
        name = self._following
        if name is None:
            return True
        voter = self._voters.get(name)
        return voter is not None and not voter.amnesia.lasts

    def _lose_disk(self, name: str) -> None:
        if name in self._voters:
            self._end(name)
        self.losses += 1
        self._disks[name] = MemoryDisk(self.dice)
        self._lost, self._entry = name, b"rejoin-%d" % self.losses

    def _rejoin(self, name: str) -> None:
        index = self._index_of.get(self._entry)
        if index is None:
            if self._voters and self.dice.random() < 0.1:
                voter = self._voters[self.dice.choice(sorted(self._voters))]
                voter.engine.submit(self._entry, lambda result, reason: None)
            if self._protected:
                return
        note = Note(
            index=index or 0 if self._protected else 0, boot=self.losses * BOOTS_A_LIFE)
        write_note(self._disks[name], Path("/", name, NOTE_FILE), note)
        self._lost, self._following = None, name
        self._start(name)

    def _start(self, name: str) -> None:
        if name != self._lost and name not in self._voters:
            super()._start(name)

    def _saw(self, name: str, index: int, command: bytes) -> None:
        super()._saw(name, index, command)
        self._index_of.setdefault(command, index)


def search_rejoin(
    seed: int, network: Network, crash: Crash, *, nodes: int = 3, protected: bool = True,
) -> RejoinSearch:
    names = ("ape", "bee", "cat", "dog", "elk")[:nodes]
    found = RejoinSearch(seed, network, crash, names=names, protected=protected)
    found.run()
    return found


if __name__ == "__main__":
    sys.exit(main(
        lambda seed, network, crash: search_rejoin(seed, network, crash, nodes=nodes_of(seed)),
        lambda run: {"disks lost": run.losses, "crashes": run.crashes},
    ))
