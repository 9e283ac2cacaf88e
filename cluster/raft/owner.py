"""Whose state folder this is: a name in a file beside the journal.

A journal has a vote in it, and says nothing of whose. The mark beside the keys (attendance.py)
tells an earlier journal of this node, not a later one of another. What must never happen here: a
node that takes part with another's promises in place of its own, which may make two leaders of one
term.
"""

from pathlib import Path

from cluster.raft.disk import Disk, write_whole
from cluster.raft.problems import Fatal, journal_of_another

OWNER_FILE = "owner"


def owned(folder: Path, name: str, disk: Disk) -> None:
    """Write the name where none stands yet: in a new folder, or one of an earlier release. Raises
    Fatal where it is another's, and OSError."""
    path = folder / OWNER_FILE
    raw = disk.read(path)
    if raw is None:
        return write_whole(disk, path, f"{name}\n".encode())
    owner = raw.decode(errors="replace").strip()
    if owner != name:
        raise Fatal(journal_of_another(name, owner or "nobody"))
