"""That this node has taken part before, written down where its journal is not.

A folder that was wiped, or a disk that was not mounted, looks like that of a new node; but a node
that took part has made promises, and must not begin as if it had not (amnesia.py). What must never
happen here: a first promise before the mark is on disk.
"""

import os
from pathlib import Path

from cluster.raft.amnesia import NOTE_FILE
from cluster.raft.disk import HostDisk
from cluster.raft.problems import disk_failed, journal_missing
from packages.core.problem import Problem


class Attendance:
    """`mark` belongs on another disk than `folder`, if there is one: with the node's keys."""

    def __init__(self, name: str, *, mark: Path, folder: Path) -> None:
        self._name, self._mark, self._folder = name, mark, folder

    def trouble(self) -> Problem | None:
        """Why the folder cannot be this node's any more."""
        is_there = any((self._folder / each).exists() for each in ("journal", NOTE_FILE))
        if is_there or not self._mark.exists():
            return None
        return journal_missing(self._name, f"There is none in {self._folder}.")

    def note(self) -> Problem | None:
        """To be called with the journal open, before anything is said."""
        try:
            if not self._mark.exists():
                descriptor = os.open(self._mark, os.O_WRONLY | os.O_CREAT, 0o644)
                os.fsync(descriptor)
                os.close(descriptor)
            # Also where it was made before: by a daemon that was killed in between, perhaps.
            HostDisk().sync_names(self._mark.parent)
        except OSError as error:
            return disk_failed(self._name, error)
        return None
