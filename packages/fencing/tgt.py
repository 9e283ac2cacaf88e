"""Access lists of Linux's user-space target, by its tool tgtadm.

tgtadm prints for people; what is read here are the lines of its `show`, by their words. Its
refusals of what is so already (a rule that exists, a connection that has gone) are agreement.
"""

import re

from packages.core.fencing import Lun
from packages.core.problem import Problem
from packages.core.values import changed
from packages.fencing.access_lists import AccessList, Session
from packages.fencing.fence import FencedDisk, failed, unavailable
from packages.fencing.tools import RunTool

TOOL = ("tgtadm", "--lld", "iscsi")
IN_FORCE = ("already exists", "does not exist", "can't find the connection", "no such connection")
SIZE_UNITS = {"MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}


class TgtAccessLists:
    def __init__(self, run: RunTool) -> None:
        self._run = run

    async def read(
        self, disk: FencedDisk, lun: Lun, *, deadline_s: float,
    ) -> AccessList | Problem:
        said = await self._run(
            (*disk.fence.command, *TOOL, "--mode", "target", "--op", "show"), deadline_s)
        if said.status != 0:
            return unavailable(
                disk.path, f"tgtadm gave no answer: {said.because}",
                "see that tgtd runs and that `fence.command` reaches it from this node")
        return access_list(said.output, lun) or unavailable(
            disk.path, f"tgtd has no LUN {lun.number} of a target {lun.target}",
            "name the target and LUN as `tgtadm --lld iscsi --mode target --op show` does")

    async def admit(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None:
        listed = await self.read(disk, lun, deadline_s=deadline_s)
        if isinstance(listed, Problem):
            return listed
        return await self._order(disk, (
            "--mode", "target", "--op", "bind", "--tid", listed.reference, "-Q", initiator,
        ), deadline_s)

    async def expel(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None:
        listed = await self.read(disk, lun, deadline_s=deadline_s)
        if isinstance(listed, Problem):
            return listed
        refused = await self._order(disk, (
            "--mode", "target", "--op", "unbind", "--tid", listed.reference, "-Q", initiator,
        ), deadline_s)
        if refused is not None:
            return refused
        # Asked again: one that came in before the list was shortened.
        listed = await self.read(disk, lun, deadline_s=deadline_s)
        if isinstance(listed, Problem):
            return listed
        for session in listed.sessions:
            if session.initiator == initiator:
                refused = refused or await self._cut(disk, listed.reference, session, deadline_s)
        return refused

    async def _cut(
        self, disk: FencedDisk, target: str, session: Session, deadline_s: float,
    ) -> Problem | None:
        for connection in session.connections:
            refused = await self._order(disk, (
                "--mode", "conn", "--op", "delete", "--tid", target,
                "--sid", str(session.number), "--cid", str(connection),
            ), deadline_s)
            if refused is not None:
                return refused
        return None

    async def _order(
        self, disk: FencedDisk, words: tuple[str, ...], deadline_s: float,
    ) -> Problem | None:
        said = await self._run((*disk.fence.command, *TOOL, *words), deadline_s)
        if said.status == 0 or any(words in said.complaint for words in IN_FORCE):
            return None
        return failed(disk.path, f"tgtadm: {said.because}")


def access_list(listing: str, lun: Lun) -> AccessList | None:
    """The target's part of `--op show`; None where target or LUN is missing."""
    for part in re.split(r"^(?=Target \d+: )", listing, flags=re.MULTILINE):
        head = re.match(r"Target (\d+): (.+)", part)
        if head is not None and head[2].strip() == lun.target:
            disk = _lun_part(part, lun.number)
            if disk is None:
                return None
            listed = _list_of(part, disk)
            return changed(
                listed, reference=head[1],
                identity=f"{lun.target}/{lun.number} {listed.identity}")
    return None


def _lun_part(target: str, number: int) -> str | None:
    _, _, luns = target.partition("LUN information:")
    luns, _, _ = luns.partition("Account information:")
    for part in re.split(r"^\s+(?=LUN: )", luns, flags=re.MULTILINE):
        if re.match(rf"LUN: {number}\s", part):
            return part
    return None


def _list_of(target: str, disk: str) -> AccessList:
    _, _, rules = target.partition("ACL information:")
    names = tuple(line.strip() for line in rules.splitlines() if line.strip())
    _, _, nexuses = target.partition("I_T nexus information:")
    nexuses, _, _ = nexuses.partition("LUN information:")
    size = re.search(r"Size: (\d+) (\w+), Block size: (\d+)", disk)
    serial = re.search(r"SCSI SN: (.*)", disk)
    named = re.search(r"SCSI ID: (.*)", disk)
    words = " ".join(found[1].strip() for found in (named, serial) if found)
    return AccessList(
        initiators=tuple(name for name in names if _is_initiator(name)),
        # An address lets in every initiator that is there.
        open_to=tuple(name for name in names if not _is_initiator(name)),
        sessions=tuple(_sessions(nexuses)), identity=" ".join(words.split()),
        size_bytes=int(size[1]) * SIZE_UNITS.get(size[2], 1) if size else 0,
        sector_bytes=int(size[3]) if size else 0,
    )


def _is_initiator(name: str) -> bool:
    return name.startswith(("iqn.", "eui.", "naa."))


def _sessions(nexuses: str) -> list[Session]:
    found = []
    for part in re.split(r"^\s+(?=I_T nexus: )", nexuses, flags=re.MULTILINE):
        number = re.match(r"I_T nexus: (\d+)", part)
        # An initiator's alias follows its name on the line, and may be anything.
        named = re.search(r"Initiator: (\S+)", part)
        if number is not None and named is not None:
            connections = re.findall(r"Connection: (\d+)", part)
            found.append(Session(
                initiator=named[1], number=int(number[1]),
                connections=tuple(int(each) for each in connections)))
    return found
