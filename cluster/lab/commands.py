"""The lab's door to other programs: ip, losetup, sh. Each with a deadline; failure is a Problem."""

import asyncio
import os
import shutil

from packages.core.problem import Problem, problem

DEADLINE_S = 20.0
"""Each of these takes milliseconds; a starved machine takes seconds."""

WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""A program ends with us: what outlived a killed `up` might make things after `down` has looked."""

NEEDED = {
    "ip": "iproute2", "losetup": "mount", "qemu-system-x86_64": "qemu-system-x86", "gcc": "gcc",
    "ld": "binutils", "setsid": "util-linux",
    "setpriv": "util-linux",
}
"""Program -> the Debian package it comes in."""


async def run(*argv: str, text: str = "", deadline_s: float = DEADLINE_S) -> str | Problem:
    """What the program printed, or why it failed, in its own words."""
    program = await asyncio.create_subprocess_exec(
        *WITH_US, *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(deadline_s):
            printed, complained = await program.communicate(text.encode())
    except TimeoutError:
        return failed(argv, f"it did not end within {deadline_s:g} s")
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    if program.returncode:
        return failed(argv, complained.decode(errors="replace").strip() or
                      f"exit code {program.returncode}")
    return printed.decode(errors="replace")


def failed(argv: tuple[str, ...], because: str) -> Problem:
    return problem(
        "lab-failed", "lab", what=f"{' '.join(argv[:6])} failed", because=because,
        fix="remove the lab and make it anew: vmsg lab down, then vmsg lab up",
    )


def first_problem(outcomes: list[object]) -> Problem | None:
    """The first failure among things done side by side."""
    return next((each for each in outcomes if isinstance(each, Problem)), None)


def check_machine() -> list[Problem]:
    """What keeps this machine from holding a lab: a user who is not root, missing programs."""
    if os.geteuid() != 0:
        return [problem(
            "needs-root", "lab", what="a lab needs root",
            because="it makes network namespaces, bridges and loop devices",
            fix="run it as root, for example with sudo",
        )]
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    absent = [each for each in NEEDED if shutil.which(each, path=path) is None]
    if not absent:
        return []
    wanted = " ".join(sorted({NEEDED[each] for each in absent}))
    return [problem(
        "tool-missing", "lab", what="programs that a lab is made with are missing",
        because=f"not found: {', '.join(absent)}", fix=f"apt-get install {wanted}",
    )]
