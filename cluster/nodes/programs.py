"""Runs one of the host's programs for its output, never for longer than it may take.

A program that is late is killed and waited for: nothing started here outlives the question.
"""

import asyncio

from packages.core.problem import Problem, problem
from packages.vm.processes import told

# No question asked here has a longer answer; `-machine help` has some 5 KiB.
LARGEST_OUTPUT_BYTES = 1024 * 1024


async def output_of(*command: str, deadline_s: float) -> str | Problem:
    """What the program wrote on its standard output, when it ended well and in time."""
    try:
        program = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        return _failed(command, error.strerror or str(error))
    try:
        output, complaint = await told(program, deadline_s=deadline_s)
    except TimeoutError:
        return _failed(command, f"it had not ended after {deadline_s:g} s")
    if program.returncode != 0:
        said = complaint.decode(errors="replace").strip()[-200:]
        return _failed(command, f"it ended with {program.returncode}: {said}")
    return output[:LARGEST_OUTPUT_BYTES].decode(errors="replace")


def _failed(command: tuple[str, ...], because: str) -> Problem:
    return problem(
        "program-failed", f"program:{command[0]}", what=f"`{' '.join(command)}` gave no answer",
        because=because, fix=f"run `{' '.join(command)}` on that node and see",
    )
