"""Programs that are told something: also those that end before they have read it."""

import asyncio
import sys

import uvloop

from packages.vm.processes import told

LARGE = b"x" * (1 << 20)


async def program(*argv: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)


async def hears_all() -> None:
    process = await program(sys.executable, "-c",
                            "import sys; print(len(sys.stdin.buffer.read()))")
    assert await told(process, LARGE) == (b"%d\n" % len(LARGE), b"")


async def has_ended() -> None:
    process = await program("true")
    await process.wait()
    assert await told(process, LARGE) == (b"", b"")


def test_what_it_is_told_arrives_whole() -> None:
    uvloop.run(hears_all())
    asyncio.run(hears_all())


def test_one_that_has_ended_already_is_no_error() -> None:
    """Found by the suite: uvloop raises where asyncio itself says nothing."""
    uvloop.run(has_ended())
    asyncio.run(has_ended())
