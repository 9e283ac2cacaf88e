"""Whether a node has room: free bytes and files of the folders that it cannot do without, and what
its daemon may still open. PURE.

A full disk stops a node's part in agreement (the state folder), its guests' starts (the run folder)
or its mark and keys (<etc>); that is said before it happens. The numbers are of the file system as
anybody but root sees it, so what a file system keeps for root is not counted upon.
"""

from collections.abc import Iterable
from typing import Literal

from packages.core.problem import Problem, problem
from packages.core.values import Value

Folder = Literal["state", "run", "etc"]

MIB = 1 << 20

LEAST_BYTES: dict[Folder, int] = {"state": 64 * MIB, "run": 16 * MIB, "etc": 4 * MIB}
"""Below it is warned of. The journal is some MiB, and a compaction writes another one and a
snapshot beside it; a guest in the run folder takes GUEST_BYTES."""
LEAST_SHARE = 4
"""Of a small file system: a quarter of it."""
LEAST_FILES, LEAST_FILES_SHARE = 256, 10

GUEST_BYTES, GUEST_FILES = 1 * MIB, 32
"""What is asked for before a guest starts: its console's log, sockets, and notes about it."""


LEAST_DESCRIPTORS, LEAST_DESCRIPTORS_SHARE = 256, 8
"""Below so many, or this share of a small limit, a daemon is short of them: some forty guests, and
more callers than there are, have room in them."""


class Room(Value):
    folder: Folder
    path: str
    free_bytes: int
    total_bytes: int
    free_files: int
    """Inodes."""
    total_files: int
    """0: the file system has no limit of its own."""
    free_descriptors: int = 0
    total_descriptors: int = 0
    """Of the node's daemon, told with its run folder; 0: not told."""


def least_descriptors(limit: int) -> int:
    return min(LEAST_DESCRIPTORS, limit // LEAST_DESCRIPTORS_SHARE)


def least_bytes(room: Room) -> int:
    return min(LEAST_BYTES[room.folder], room.total_bytes // LEAST_SHARE)


def least_files(room: Room) -> int:
    return min(LEAST_FILES, room.total_files // LEAST_FILES_SHARE)


def shortage(room: Room) -> str | None:
    """What of it is nearly used up."""
    said = []
    if room.free_bytes < least_bytes(room):
        said.append(f"{mib(room.free_bytes)} of {mib(room.total_bytes)} MiB free, "
                    f"{mib(least_bytes(room))} should be")
    if room.free_files < least_files(room):
        said.append(f"{room.free_files} of {room.total_files} inodes free, "
                    f"{least_files(room)} should be")
    return f"{room.path} ({room.folder} folder) has {' and '.join(said)}." if said else None


def room_problem(node: str, rooms: Iterable[Room]) -> Problem | None:
    """One for all of a node's folders."""
    short = [(room, said) for room in rooms if (said := shortage(room)) is not None]
    if not short:
        return None
    paths = " ".join(dict.fromkeys(room.path for room, _ in short))
    return problem(
        "room-short", f"node:{node}", what=f"{node} is short of room.",
        because=" ".join(said for _, said in short),
        fix=f"On {node}, see what fills it: du -xh {paths} | sort -h | tail. Move or delete what "
            "is not vmsg's, or enlarge the file system; folders raft.damaged-* are of earlier "
            "rejoins and may go.",
        severity="warn",
    )


def descriptors_problem(node: str, rooms: Iterable[Room]) -> Problem | None:
    for room in rooms:
        least = least_descriptors(room.total_descriptors)
        if room.free_descriptors < least:
            return problem(
                "descriptors-short", f"node:{node}",
                what=f"The daemon of {node} is short of file descriptors.",
                because=f"It may open {room.free_descriptors} more of {room.total_descriptors}, "
                        f"{least} should be left. It lets no local caller in and starts no guest "
                        "for which there is none.",
                fix=f"On {node}, give it more: LimitNOFILE= of vmsgd.service, then systemctl "
                    "restart vmsgd (its guests run on). What has them: ls -l /proc/PID/fd",
                severity="warn",
            )
    return None


def guest_shortage(rooms: Iterable[Room]) -> str | None:
    """Why no guest can be started, by numbers."""
    for room in rooms:
        if room.folder != "run" or room.total_bytes == 0:
            continue
        if room.free_bytes < GUEST_BYTES:
            return (f"its run folder {room.path} has {mib(room.free_bytes)} MiB free, a guest "
                    f"needs {mib(GUEST_BYTES)} MiB there")
        if room.total_files and room.free_files < GUEST_FILES:
            return (f"its run folder {room.path} has {room.free_files} inodes free, a guest needs "
                    f"{GUEST_FILES} there")
    return None


def mib(size: int) -> str:
    return f"{size / MIB:.1f}"
