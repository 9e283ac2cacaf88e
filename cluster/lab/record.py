"""What is written down about a lab, before any of it is made: DIR/lab.json.

`down` removes what stands here and nothing else, so nothing may be made that does not follow from
this record. Beside it a link in /run/vmsg-lab leads to each lab, which also reserves its number.
Which of several labs a command is about is not written down anywhere (cluster/lab/choice.py).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.lab.plan import ECHO_PORT, RUN, LabOptions, LabPlan, NodePlan
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, changed, from_json, to_json


class NodePids(Value):
    """Process ids of a node's daemon and guardian, as they were started."""

    daemon: int
    guardian: int


class LabRecord(Value):
    plan: LabPlan
    made: tuple[str, ...] = ()
    """Folders down to DIR that were not there before, outermost first."""
    ready: bool = False
    """`up` came to its end."""
    pids: dict[str, NodePids] = {}
    """By node; a killed node is absent. Kept in the nodes' own folders, so that two nodes may be
    killed or started at the same time."""
    disks: dict[str, str] = {}
    """By package: its loop device."""
    user: int | None = None
    """Whose it is, by number; None in records from before: its folder's owner."""

    @property
    def dir(self) -> Path:
        return Path(self.plan.options.dir)

    def shown(self) -> dict[str, Any]:
        """The shape of `vmsg lab up -o json`."""
        return {
            "dir": str(self.dir),
            "nodes": [self._node(each.name) for each in self.plan.nodes],
            "packages": [
                {"name": each.name, "guest_address": each.guest_address, "echo_port": ECHO_PORT,
                 "disk": self.disks.get(each.name)} for each in self.plan.packages
            ],
        }

    def _node(self, name: str) -> dict[str, Any]:
        plan = next(each for each in self.plan.nodes if each.name == name)
        pids = self.pids.get(name)
        return {
            "name": name, "netns": plan.netns, "address": plan.address,
            "daemon_pid": pids.daemon if pids else None,
            "guardian_pid": pids.guardian if pids else None,
        }


def load(folder: Path) -> LabRecord | None | Problem:
    """The record in DIR; None: no lab is there."""
    try:
        record: LabRecord = from_json((folder / "lab.json").read_bytes(), LabRecord)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Undecodable as error:
        return problem(
            "lab-record-damaged", f"lab:{folder}", what="the record of the lab cannot be read",
            because=f"{folder}/lab.json: {error}",
            fix="end the lab by hand: ip netns del, losetup -d, then remove the folder",
        )
    pids = {each.name: load_pids(each) for each in record.plan.nodes}
    return changed(record, pids={name: known for name, known in pids.items() if known})


def load_pids(node: NodePlan) -> NodePids | None:
    try:
        return from_json(pids_file(node).read_bytes(), NodePids)
    except (OSError, *Undecodable):
        return None


def save_pids(node: NodePlan, pids: NodePids) -> None:
    replace(pids_file(node), to_json(pids))


def pids_file(node: NodePlan) -> Path:
    return Path(node.folder, "pids.json")


def load_up(folder: str | Path) -> LabRecord | Problem:
    """The record of a lab that is up; a Problem when there is none."""
    record = load(Path(folder))
    if isinstance(record, Problem) or record is not None and record.ready and is_standing(record):
        return record
    return problem(
        "lab-not-up", f"lab:{folder}", what="no lab is up there",
        because=f"{folder}/lab.json is missing, or its `up` did not end, or the machine was "
                "started anew since",
        fix=f"vmsg lab down --dir {folder}, then vmsg lab up --dir {folder}",
    )


def is_standing(record: LabRecord) -> bool:
    """Whether the names of the plan are this lab's: after a restart of the machine its number may
    be another lab's, whose hosts have the same names."""
    link = Path(RUN, str(record.plan.number))
    return link.is_symlink() and Path(os.readlink(link)) == record.dir


def save(record: LabRecord) -> None:
    replace(record.dir / "lab.json", to_json(changed(record, pids={})))


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader, and a crash, finds the old content or the new."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Whether this process alone makes or removes the lab in DIR; ends with the process."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def busy(folder: Path) -> Problem:
    return problem(
        "lab-busy", f"lab:{folder}", what="the lab is being made or removed just now",
        because="another vmsg holds its lock", fix="wait for it to end",
    )


def missing_folders(folder: Path) -> tuple[str, ...]:
    """Those that making DIR will make, outermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    return tuple(str(each) for each in reversed(missing))


def reserve(number: int, folder: Path) -> bool:
    """Take a lab number by making its link; False when another lab has it."""
    link = Path(RUN, str(number))
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(folder)
    except FileExistsError:
        return link.is_symlink() and Path(os.readlink(link)) == folder
    return True


def release(folder: Path) -> None:
    """Remove the links to this lab."""
    for link in links():
        if Path(os.readlink(link)) == folder:
            link.unlink()
    with contextlib.suppress(OSError):  # not empty: others use it
        Path(RUN).rmdir()


def links() -> list[Path]:
    folder = Path(RUN)
    return sorted(each for each in folder.iterdir() if each.is_symlink()) \
        if folder.is_dir() else []


def initial(options: LabOptions, plan: LabPlan) -> LabRecord:
    return LabRecord(plan=plan, made=missing_folders(Path(options.dir)))
