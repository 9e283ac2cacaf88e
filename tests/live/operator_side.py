"""The command line, as an operator's script uses it on a lab."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from tests.live.hosts import ROOT
from tests.live.live_cluster import LiveCluster

WITHIN_S = 90.0


async def vmsg(cluster: LiveCluster, *args: str) -> tuple[int, dict[str, Any]]:
    """(exit code, the one document it prints); no traceback may reach a person."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cli.main import main; main()", *args, "-o", "json", cwd=ROOT,
        env={**os.environ, "VMSG_ENDPOINT": cluster.record.dir.as_posix()},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN_S):
        printed, complained = await process.communicate()
    assert b"Traceback" not in printed + complained
    assert process.returncode is not None
    try:
        told = json.loads(printed)
    except ValueError:
        told = {"printed": printed.decode(), "complained": complained.decode()}
    return process.returncode, {"beside": complained.decode(), **told}
