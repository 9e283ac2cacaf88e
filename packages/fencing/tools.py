"""Runs the tool of a disk or a target, never for longer than it may take.

A SCSI command to a dead LUN hangs its process in the kernel, where no signal reaches it: such a
process is killed and left behind. A tool ends with the daemon that began it, because what a node
ordered must not strike after its order has lapsed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from packages.core.values import Value

BURIAL_S = 0.5
"""A killed process is gone within milliseconds, or hangs in the kernel."""
SAID_BYTES = 1024 * 1024
"""A target with a thousand LUNs is listed in a third of this."""
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class Said(Value):
    """`status` is None for a tool that could not be started or had no time left."""

    status: int | None
    output: str = ""
    complaint: str = ""

    @property
    def because(self) -> str:
        words = self.complaint.strip() or self.output.strip()
        if self.status is None:
            return words
        return f"it ended with {self.status}: {words[-300:]}"


RunTool = Callable[[tuple[str, ...], float], Awaitable[Said]]
"""(command, deadline in seconds) -> what it said."""


async def run_tool(command: tuple[str, ...], deadline_s: float) -> Said:
    try:
        process = await asyncio.create_subprocess_exec(
            *DIES_WITH_US, *command, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            limit=SAID_BYTES, start_new_session=True,
        )
    except OSError as error:
        return Said(status=None, complaint=f"{command[0]}: {error.strerror or error}")
    try:
        async with asyncio.timeout(deadline_s):
            output, complaint = await process.communicate()
    except TimeoutError:
        return Said(status=None, complaint=f"{command[0]} had not ended after {deadline_s:g} s")
    finally:
        await _ended(process)
    return Said(
        status=process.returncode, output=output.decode(errors="replace"),
        complaint=complaint.decode(errors="replace"),
    )


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BURIAL_S):
            await process.wait()
