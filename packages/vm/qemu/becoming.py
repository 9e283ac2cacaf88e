"""How this host's QEMU is told to take on another account once it has opened what it was given."""

import asyncio
import os
import shutil

from packages.accounts import Account
from packages.vm.processes import told
from packages.vm.qemu.command_line import BINARY

SINCE_9_1, BEFORE = "-run-with", "-runas"
HELP_S = 10.0
_takes_new: dict[tuple[str, int], bool] = {}
"""By the program and when it was written: a host's QEMU changes with its package."""


async def option_to_become(account: Account) -> tuple[str, ...]:
    """By number, so that QEMU looks nobody up. Raises OSError where there is no QEMU."""
    name = f"{account.uid}:{account.gid}"
    return (SINCE_9_1, f"user={name}") if await _takes_run_with() else (BEFORE, name)


async def _takes_run_with() -> bool:
    """`-run-with` is older than its `user`, which took the place of `-runas`."""
    program = shutil.which(BINARY) or BINARY
    key = program, os.stat(program).st_mtime_ns
    if key not in _takes_new:
        process = await asyncio.create_subprocess_exec(
            program, "-help", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL)
        try:
            said, _ = await told(process, deadline_s=HELP_S)
        except TimeoutError:
            return False
        start = said.find(f"{SINCE_9_1} ".encode())
        _takes_new[key] = start >= 0 and b"user=" in said[start:].split(b"\n-", 1)[0]
    return _takes_new[key]
