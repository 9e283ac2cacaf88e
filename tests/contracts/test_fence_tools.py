"""A storage tool is run for its answer, and never for longer than it may take."""

import asyncio
import subprocess
import sys
from pathlib import Path

from packages.fencing.tools import run_tool
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
