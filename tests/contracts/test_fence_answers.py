"""What a storage's tool answers, and what is made of it: one that refuses, one that says it is done
and has not done it, one that shows somebody on his way. The tool is a program that shows a kept
listing, keeps what it was asked, and refuses what it was told to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from packages.core.fencing import (
    DiskGuard, Lun, Registrant, initiator_name, lun_of, registrant, reservation_key
)
from packages.core.model import DiskSpec, FenceSpec, PackageSpec, VmSpec
from packages.core.problem import Problem
from packages.fencing import lio
from packages.fencing.access_lists import AccessList
from packages.fencing.fence import FencedDisk, unavailable
from packages.fencing.fences import DiskFences, NoFence
from packages.fencing.lio import LioAccessLists
from packages.fencing.scsi_reservation import ScsiReservation
from packages.fencing.target_access import TargetAccess
from packages.fencing.tgt import TgtAccessLists
from packages.fencing.tools import Said, run_tool

S = 20.0
SOON_S = 0.3
OLD, NEW = registrant("n1", 7), registrant("n2", 8)
NODES = ("n1", "n2")
TARGET = "iqn.2026-01.lab:web"


class Tool:
    """`shown`: words -> what is printed where they are asked; `refuses`: words -> how it ends."""

    def __init__(self, folder: Path) -> None:
        self._asked, self._script = folder / "asked", folder / "tool"
        self.shown: dict[str, str] = {}
        self.refuses: dict[str, int] = {}
        self.complaint = "permission denied"

    @property
    def command(self) -> tuple[str, ...]:
        lines = [f"echo \"$*\" >> {self._asked}", 'case "$*" in']
        lines += [f"  *'{words}'*) echo '{self.complaint}' >&2; exit {status};;"
                  for words, status in self.refuses.items()]
        lines += [f"  *'{words}'*) cat <<'END'\n{text}\nEND\n  ;;"
                  for words, text in self.shown.items()]
        self._script.write_text("\n".join([*lines, "esac", ""]))
        return ("/bin/sh", str(self._script))

    async def run(self, command: tuple[str, ...], deadline_s: float) -> Said:
        return await run_tool((*self.command, *command), deadline_s)

    def asked(self) -> str:
        return self._asked.read_text()


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    return Tool(tmp_path)


def name(me: Registrant) -> str:
    return initiator_name(FenceSpec(), me)


def listing(*, listed: tuple[str, ...], connected: tuple[str, ...] = ()) -> str:
    """As tgtadm shows a target."""
    nexuses = "".join(
        f"        I_T nexus: {number}\n            Initiator: {each} alias: none\n"
        f"            Connection: 0\n                IP Address: 10.0.0.{number}\n"
        for number, each in enumerate(connected, 1))
    rules = "".join(f"        {each}\n" for each in listed)
    return (
        f"Target 1: {TARGET}\n    System information:\n        Driver: iscsi\n"
        f"        State: ready\n    I_T nexus information:\n{nexuses}    LUN information:\n"
        "        LUN: 0\n            Type: controller\n            SCSI ID: IET     00010000\n"
        "        LUN: 1\n            Type: disk\n            SCSI ID: IET     00010001\n"
        "            SCSI SN: beaf11\n            Size: 17 MB, Block size: 512\n"
        f"    Account information:\n    ACL information:\n{rules}")


def by_tgt(tool: Tool, **shown: tuple[str, ...]) -> tuple[TargetAccess, FencedDisk]:
    tool.shown = {"--op show": listing(**shown)} if shown else {}
    fence = FenceSpec(kind="target_access", tool="tgt", command=tool.command)
    return TargetAccess(TgtAccessLists(run_tool)), FencedDisk(
        path=f"iscsi://10.0.0.9/{TARGET}/1", fence=fence, nodes=NODES)


# a target's list

async def test_an_order_that_the_target_refuses_is_not_taken_for_done(tool):
    tool.refuses = {"--op bind": 13}
    target, disk = by_tgt(tool, listed=(name(OLD),))
    refused = await target.register(disk, NEW, deadline_s=S)
    assert refused is not None and "permission denied" in refused.because


async def test_what_is_so_already_is_no_refusal(tool):
    tool.refuses, tool.complaint = {"--op bind": 22}, "tgtadm: this rule already exists"
    target, disk = by_tgt(tool, listed=(name(NEW),))
    assert await target.register(disk, NEW, deadline_s=S) is None


async def test_who_is_on_the_list_after_the_fence_can_write(tool):
    """The tool said that it had taken him off."""
    target, disk = by_tgt(tool, listed=(name(OLD), name(NEW)))
    refused = await target.fence(disk, NEW, deadline_s=SOON_S)
    assert refused is not None and "n1 (epoch 7) can still write" in refused.because
    assert f"--op unbind --tid 1 -Q {name(OLD)}" in tool.asked()


async def test_who_is_off_the_list_and_still_connected_is_cut_and_waited_for(tool):
    target, disk = by_tgt(tool, listed=(name(NEW),), connected=(name(NEW), name(OLD)))
    refused = await target.fence(disk, NEW, deadline_s=SOON_S)
    assert refused is not None and "n1 (epoch 7) can still write" in refused.because
    assert "--mode conn --op delete --tid 1 --sid 2 --cid 0" in tool.asked()
    assert "--sid 1" not in tool.asked(), "who it is for is left alone"


async def test_a_target_open_to_anybody_is_no_fence(tool):
    target, disk = by_tgt(tool, listed=(name(NEW), "ALL"))
    refused = await target.fence(disk, NEW, deadline_s=S)
    assert refused is not None and "open" in refused.because
    guard = await target.status(disk, deadline_s=S)
    assert isinstance(guard, DiskGuard) and not guard.closed and guard.foreign == ("ALL",)


class Falling(TgtAccessLists):
    """Its target answers until somebody was taken off the list."""

    has_expelled = False

    async def read(
        self, disk: FencedDisk, lun: Lun, *, deadline_s: float,
    ) -> AccessList | Problem:
        if self.has_expelled:
            return unavailable(disk.path, "it is gone", "-")
        return await super().read(disk, lun, deadline_s=deadline_s)

    async def expel(
        self, disk: FencedDisk, lun: Lun, initiator: str, *, deadline_s: float,
    ) -> Problem | None:
        self.has_expelled = True
        return None


async def test_a_target_that_cannot_be_asked_afterwards_has_proven_nothing(tool):
    _, disk = by_tgt(tool, listed=(name(OLD), name(NEW)))
    refused = await TargetAccess(Falling(run_tool)).fence(disk, NEW, deadline_s=S)
    assert refused is not None and refused.because == "it is gone"


async def test_a_kernels_target_that_refuses_lets_nobody_in(tool):
    tool.refuses = {"mkdir": 1}
    disk = FencedDisk(path=f"iscsi://10.0.0.9/{TARGET}/1", nodes=NODES, fence=FenceSpec(
        kind="target_access", tool="lio", command=tool.command))
    refused = await TargetAccess(LioAccessLists(run_tool)).register(disk, NEW, deadline_s=S)
    assert refused is not None and "permission denied" in refused.because


def test_how_a_kernels_target_says_who_is_let_in_and_connected():
    base = f"{lio.CONFIGFS}/{TARGET}/tpgt_1"
    said = (
        f"{base}/acls/{name(OLD)}/info:InitiatorName: {name(OLD)}\n"
        f"{base}/acls/{name(NEW)}/info:{lio.NO_SESSION} For Initiator End Point: {name(NEW)}\n")
    lun = lun_of(f"iscsi://10.0.0.9/{TARGET}/1")
    closed = lio.access_list(f"{said}{base}/attrib/generate_node_acls:0\n", lun)
    assert closed.initiators == (name(OLD), name(NEW)) and not closed.open_to
    assert [each.initiator for each in closed.sessions] == [name(OLD)]
    assert lio.access_list(f"{said}{base}/attrib/generate_node_acls:1\n", lun).open_to


async def test_a_package_without_a_fence_has_proven_nothing():
    disk = FencedDisk(path="/dev/lun", fence=FenceSpec())
    assert await NoFence().fence(disk, NEW, deadline_s=S) is not None
    assert isinstance(await NoFence().status(disk, deadline_s=S), Problem)


async def test_one_disk_of_several_that_is_not_fenced_is_a_fence_that_failed(tool):
    tool.refuses = {"/dev/second": 5}
    reservation, _ = lun(tool, NEW)
    disks = tuple(DiskSpec(path=path) for path in ("/dev/first", "/dev/second"))
    spec = PackageSpec(name="p1", nodes=NODES, fence=FenceSpec(kind="scsi_reservation"),
                       vm=VmSpec(memory_mib=64, disks=disks))
    fences = DiskFences(lambda fence: reservation)
    for refused in (await fences.fence(spec, "n2", 8), await fences.register(spec, "n2", 8)):
        assert refused is not None and refused.subject == "disk:/dev/second"


# a LUN's reservation

ABLE = {"--report-capabilities": "      Write Exclusive, registrants only: 1"}
HELD = "    scope: LU_SCOPE,  type: Write Exclusive, registrants only"


def keys(*known: Registrant) -> str:
    return "\n".join(f"    0x{reservation_key(each):x}" for each in known)


def lun(tool: Tool, *known: Registrant, held: str = HELD) -> tuple[ScsiReservation, FencedDisk]:
    tool.shown = {**ABLE, "--read-keys": keys(*known), "--read-reservation": held}
    return ScsiReservation(tool.run), FencedDisk(
        path="/dev/lun", fence=FenceSpec(kind="scsi_reservation"), nodes=NODES)


@pytest.mark.parametrize(("known", "held", "why"), [
    ((OLD, NEW), HELD, "n1 (epoch 7) can still write"),
    ((NEW,), "there is NO reservation held", "open to whoever asks"),
    ((registrant("n1", 9),), HELD, "own key is not registered"),
])
async def test_a_reservation_is_what_the_lun_shows_after_the_fence(tool, known, held, why):
    """Each order was said to be done."""
    reservation, disk = lun(tool, *known, held=held)
    refused = await reservation.fence(disk, NEW, deadline_s=S)
    assert refused is not None and why in refused.because
    reservation, disk = lun(tool, NEW)
    assert await reservation.fence(disk, NEW, deadline_s=S) is None


@pytest.mark.parametrize(("order", "asked"), [
    ("--preempt", lambda each, disk: each.fence(disk, NEW, deadline_s=S)),
    ("--register-ignore", lambda each, disk: each.register(disk, NEW, deadline_s=S)),
    ("--read-keys", lambda each, disk: each.fence(disk, NEW, deadline_s=S)),
])
async def test_an_order_that_the_lun_refuses_is_not_taken_for_done(
    tool: Tool, order: str, asked: Callable[..., object],
):
    tool.refuses = {order: 5}
    reservation, disk = lun(tool, OLD, NEW)
    refused = await asked(reservation, disk)  # type: ignore[misc]
    assert isinstance(refused, Problem) and "permission denied" in refused.because


async def test_a_lun_that_refuses_the_abort_is_asked_without_it(tool):
    tool.refuses = {"--preempt-abort": 5}
    reservation, disk = lun(tool, OLD, NEW)
    await reservation.fence(disk, NEW, deadline_s=S)
    assert "--preempt --param-rk" in tool.asked()


async def test_a_lun_that_only_told_of_a_change_is_asked_again(tool):
    tool.refuses = {"--register-ignore": 6}
    reservation, disk = lun(tool, NEW)
    assert await reservation.register(disk, NEW, deadline_s=S) is not None
    assert tool.asked().count("--register-ignore") == 4


async def test_a_lun_that_does_not_know_the_kind_of_reservation_cannot_be_fenced(tool):
    reservation, disk = lun(tool, NEW)
    tool.shown["--report-capabilities"] = "      Write Exclusive, registrants only: 0"
    refused = await reservation.fence(disk, NEW, deadline_s=S)
    assert refused is not None and refused.code == "storage-fence-unavailable"


async def test_all_paths_of_a_multipath_device_are_reserved(tool):
    reservation, disk = lun(tool, NEW)
    paths = FencedDisk(path="/dev/mapper/lun", fence=disk.fence, nodes=NODES)
    assert await reservation.register(paths, NEW, deadline_s=S) is None
    assert tool.asked().startswith("mpathpersist --out")
