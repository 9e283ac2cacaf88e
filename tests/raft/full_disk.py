"""A node on a disk that fills up: `python -m tests.raft.full_disk BUILD FOLDER`, to be run in a
process of its own, because hole 24 ends it by a signal.

Says "stepped out" where the node does so, and has all it acknowledged once there is room again.
"""

import mmap
import os
import sys
from pathlib import Path

from cluster.raft.disk import HostDisk
from cluster.raft.problems import Fatal
from tests.raft.bare import BareSide
from tests.raft.our_side import OurSide
from tests.raft.rig import NAMES, append

ENTRY = b"\0" + bytes(200_000)
BALLAST_BYTES = 4 << 20


class MappedDisk(HostDisk):
    """Writes as the engine's own journal does: into memory, for the kernel to put on the disk."""

    def write_at(self, handle: int, raw: bytes, offset: int) -> None:
        size = max(os.fstat(handle).st_size, offset + len(raw))
        os.ftruncate(handle, size)
        with mmap.mmap(handle, size) as view:
            view[offset:offset + len(raw)] = raw


def side_of(build: str, folder: Path) -> BareSide | OurSide:
    if build == "bare":
        return BareSide(folder, NAMES)
    return OurSide(folder, NAMES, disk=HostDisk() if build == "ours" else MappedDisk())


def main(build: str, folder: Path) -> None:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    side = side_of(build, folder)
    for index in range(2, 200):
        previous = (index - 1, 1 if index > 2 else 0)
        side.hear("bee", 1, append(1, previous, [(ENTRY, index, 1)]))
        try:
            side.turn()
        except Fatal as fatal:
            acknowledged = side.acks("bee")[-1]
            side.kill()
            ballast.unlink()
            assert side.restart() and side.log[-1][1] >= acknowledged - 1 == index - 1
            print("stepped out:", fatal.problem.code)
            return
    raise AssertionError("the disk is not full")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
