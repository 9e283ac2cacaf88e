"""A daemon killed in a move takes neither the guest, nor its copy, nor the channel along."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.contracts.driver_worlds import DEADLINE_S, Events, QemuWorld, until_state, until_true
from tests.live.certificates import make_authority, make_node
from tests.live.doomed_daemon import carrier

pytestmark = pytest.mark.live


async def test_a_move_goes_on_after_its_daemons_were_killed(tmp_path: Path) -> None:
    world = QemuWorld(tmp_path)
    authority = make_authority(tmp_path / "authority")
    for node in ("alpha", "beta"):
        make_node(authority, world.runs / f"etc-{node}", node)
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.live.doomed_daemon", str(world.runs), str(world.device),
        stdout=asyncio.subprocess.PIPE,
    )
    assert daemon.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        assert await daemon.stdout.readline() == b"ready\n"
    daemon.kill()
    await daemon.wait()

    alpha, beta = world.driver("alpha"), world.driver("beta")
    (source,), (target,) = await alpha.adopt(), await beta.adopt()
    assert (await alpha.observe(source)).migration == "pre-switchover"
    told_source, told_target = Events(alpha, source), Events(beta, target)
    assert await alpha.switch(source) is None
    await told_source.until("completed")
    await told_target.until("completed")
    assert await beta.resume(target) is None
    assert (await beta.observe(target)).state == "running"
    await until_state(alpha, source, lambda seen: seen.state == "postmigrate")
    for node in ("alpha", "beta"):
        await carrier(world.runs, node).end("m")

    async def has_written() -> bool:
        """It may have been sent before its own program ran."""
        return bool(world.disk_report().lives)

    await until_true(has_written)
    report = world.disk_report()
    await world.close()
    assert report.is_clean and len(report.lives) == 1, report
