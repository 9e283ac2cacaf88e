"""Access lists of the kernel's own target (LIO), by the files that its tools edit (configfs).

A folder in `acls` is an initiator that may log in; taking the folder away ends its sessions before
the kernel returns. Plain commands only, because `fence.command` may be ssh, which takes words
apart again. What is changed here is not in targetcli's saved configuration: a target that was
restarted lets nobody in until an owner is registered anew.
"""

import re

from packages.core.fencing import Lun
from packages.core.problem import Problem
from packages.fencing.access_lists import AccessList, Session
from packages.fencing.fence import FencedDisk, failed, unavailable
from packages.fencing.tools import RunTool

CONFIGFS = "/sys/kernel/config/target/iscsi"
UNREADABLE = 2
"""grep's exit status where some of the files could not be read: a few may only be written to."""
NO_SESSION = "No active iSCSI Session"
LINK = "vmsg"


class LioAccessLists:
    def __init__(self, run: RunTool) -> None:
        self._run = run

    async def read(
        self, disk: FencedDisk, lun: Lun, *, deadline_s: float,
    ) -> AccessList | Problem:
        base = _base(lun)
        said = await self._run((
            *disk.fence.command, "grep", "-rs", "", f"{base}/acls",
            f"{base}/attrib/generate_node_acls", _lun_folder(lun),
        ), deadline_s)
        if said.status not in (0, UNREADABLE):
            return unavailable(
                disk.path, f"the target's files were not read: {said.because}",
                f"see that {base} is there and that `fence.command` reaches it from this node")
        if f"{_lun_folder(lun)}/" not in said.output:
            return unavailable(
                disk.path, f"there is no LUN {lun.number} of a target {lun.target}",
                "name the target and LUN as `targetcli ls /iscsi` does")
        return access_list(said.output, lun)

    async def admit(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None:
        mapped = f"{_base(lun)}/acls/{initiator}/lun_{lun.number}"
        return await self._orders(disk, deadline_s, (
            ("mkdir", "-p", f"{_base(lun)}/acls/{initiator}"),
            ("mkdir", "-p", mapped),
            ("ln", "-sfn", _lun_folder(lun), f"{mapped}/{LINK}"),
        ))

    async def expel(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None:
        folder = f"{_base(lun)}/acls/{initiator}"
        # The LUN first: what the session still sends finds nothing any more.
        return await self._orders(disk, deadline_s, (
            ("rm", "-f", f"{folder}/lun_{lun.number}/{LINK}"),
            ("rmdir", f"{folder}/lun_{lun.number}"),
            ("rmdir", folder),
        ))

    async def _orders(
        self, disk: FencedDisk, deadline_s: float, orders: tuple[tuple[str, ...], ...],
    ) -> Problem | None:
        for order in orders:
            said = await self._run((*disk.fence.command, *order), deadline_s)
            if said.status != 0 and "No such file" not in said.complaint:
                return failed(disk.path, f"{order[0]}: {said.because}")
        return None


def _base(lun: Lun) -> str:
    return f"{CONFIGFS}/{lun.target}/tpgt_1"


def _lun_folder(lun: Lun) -> str:
    return f"{_base(lun)}/lun/lun_{lun.number}"


def access_list(files: str, lun: Lun) -> AccessList:
    """From lines of `file:content`."""
    folder = re.escape(f"{_base(lun)}/acls/")
    names = dict.fromkeys(re.findall(rf"^{folder}([^/]+)/", files, re.MULTILINE))
    told = re.findall(rf"^{folder}([^/]+)/info:(.*)$", files, re.MULTILINE)
    idle = {name for name, line in told if line.startswith(NO_SESSION)}
    anybody = re.search(r"/attrib/generate_node_acls:1\s*$", files, re.MULTILINE)
    return AccessList(
        initiators=tuple(names), open_to=("every initiator (generate_node_acls)",) * bool(anybody),
        sessions=tuple(
            Session(initiator=name, number=0)
            for name in dict.fromkeys(name for name, _ in told) if name not in idle),
        reference=lun.target, identity=f"{lun.target}/{lun.number}",
    )
