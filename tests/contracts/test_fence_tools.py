"""A storage tool is run for its answer, and never for longer than it may take."""

import asyncio
import subprocess
import sys
from pathlib import Path

from packages.core.allowed import Allowed, Programs
from packages.core.model import DiskSpec, FenceSpec, PackageSpec, VmSpec
from packages.core.problem import Problem
from packages.fencing.fences import fences_of_host
from packages.fencing.tools import Said, run_tool
from packages.vetting import Vetting
from tests.live.waiting import until


async def test_what_it_said_and_how_it_ended():
    said = await run_tool(("sh", "-c", "echo out; echo bad >&2; exit 24"), 10.0)
    assert (said.status, said.output, said.complaint) == (24, "out\n", "bad\n")
    assert "24" in said.because and "bad" in said.because


async def test_a_tool_that_hangs_is_ended(tmp_path: Path):
    pid = tmp_path / "pid"
    began = asyncio.get_running_loop().time()
    said = await run_tool(("sh", "-c", f"echo $$ > {pid}; exec sleep 600"), 1.0)
    assert said.status is None and "had not ended" in said.because
    assert asyncio.get_running_loop().time() - began < 30
    assert not Path("/proc", pid.read_text().strip()).exists()


async def test_a_tool_ends_with_the_daemon_that_ran_it(tmp_path: Path):
    """What it was ordered must not strike after the order has lapsed."""
    pid = tmp_path / "pid"
    daemon = subprocess.Popen([sys.executable, "-c", (
        "import asyncio; from packages.fencing.tools import run_tool; "
        f"asyncio.run(run_tool(('sh', '-c', 'echo $$ > {pid}; exec sleep 600'), 600.0))")])
    await until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    daemon.kill()
    daemon.wait()
    await until(lambda: not Path("/proc", pid.read_text().strip()).exists())


async def test_a_tool_that_is_not_there():
    said = await run_tool(("/nonexistent/tool",), 10.0)
    assert said.status != 0 and "nonexistent" in said.because


async def test_a_fences_command_is_vetted_at_each_step() -> None:
    """Nothing is run by a command that is not allowed, whatever is asked; one that has no command
    runs the target's own tool."""
    ran: list[tuple[str, ...]] = []

    async def run(command: tuple[str, ...], deadline_s: float) -> Said:
        ran.append(command)
        return Said(status=1, complaint="no")

    vetting = Vetting(Allowed(programs=Programs(commands=(("/usr/bin/env", "A=b"),))))
    fences = fences_of_host(run, vetting)
    for tool in ("tgt", "lio"):
        spec = fenced(FenceSpec(kind="target_access", tool=tool, command=("/bin/sh", "-c", "id")))
        for step in (fences.register, fences.release, fences.fence):
            assert (await step(spec, "n1", 3)) is not None
        [told] = (await fences.status(
            {spec.vm.disks[0].path: spec.fence}, deadline_s=5.0)).values()
        assert isinstance(told, Problem) and told.code == "storage-fence-unavailable"
        assert "/bin/sh" in told.because
    assert ran == []
    for command in (("/usr/bin/env", "A=b"), ()):
        await fences.register(fenced(FenceSpec(kind="target_access", command=command)), "n1", 3)
        assert ran.pop()[:len(command)] == command


def fenced(fence: FenceSpec) -> PackageSpec:
    return PackageSpec(name="web", nodes=("n1",), fence=fence, vm=VmSpec(memory_mib=1, disks=(
        DiskSpec(path="iscsi://127.0.0.1/iqn.2026-01.lab:web/1"),)))
