"""The folder of a node that begins again: set aside, never deleted, and a note in a new one.

What must never happen here: a folder touched that a daemon uses; a moment in which a crash would
leave a folder that looks like a new node's.
"""

import shutil
import socket
from pathlib import Path

from cluster.raft.amnesia import NOTE_FILE, Note, write_note
from cluster.raft.attendance import MARK_FILE, forget_damage, next_start
from cluster.raft.disk import HostDisk
from packages.core.problem import Problem, problem
from packages.core.values import changed

LOCK = "lock"


def lock(raft: Path, node: str, api_socket: Path) -> int | Problem:
    """Make sure that no daemon uses the folder, nor can begin to: held until this process ends."""
    if answers(api_socket):
        return running(node, f"{api_socket} is answered.")
    try:
        raft.mkdir(parents=True, exist_ok=True, mode=0o700)
        return HostDisk().lock(raft / LOCK)
    except BlockingIOError:
        return running(node, f"{raft} is locked.")
    except OSError as error:
        return unusable(node, raft, error)


def answers(api_socket: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(api_socket))
        except OSError:
            return False
    return True


def begin_again(
    raft: Path, node: str, *, note: Note, stamp: str, etc: Path,
) -> Path | None | Problem:
    """Where the old folder is kept now; None: there was none but what `lock` has made. The new one
    is complete before it takes its place. `etc`: where it stands how far the node's old life had
    come, which the new one must begin after."""
    mark = etc / MARK_FILE
    new, aside = raft.with_name(f"{raft.name}.new"), raft.with_name(f"{raft.name}.damaged-{stamp}")
    try:
        if new.exists():  # of an attempt that was interrupted: it holds nothing but a note
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        boot = max(note.boot, next_start(mark, HostDisk()))
        write_note(HostDisk(), new / NOTE_FILE, changed(note, boot=boot))
        HostDisk().replace(raft, aside)
        HostDisk().replace(new, raft)
        forget_damage(mark, HostDisk())
        if [each.name for each in aside.iterdir()] == [LOCK]:
            shutil.rmtree(aside)
            return None
    except OSError as error:
        return unusable(node, raft, error)
    return aside


def running(node: str, because: str) -> Problem:
    return problem(
        "node-running", f"node:{node}", what=f"The daemon of {node} runs.", because=because,
        fix="Stop it first: systemctl stop vmsgd. Its guests run on under their lease.",
    )


def unusable(node: str, raft: Path, error: OSError) -> Problem:
    return problem(
        "journal-not-writable", f"node:{node}", what=f"{raft} cannot be set aside.",
        because=str(error), fix="Repair the disk, or mount another one there; then try again.",
    )
