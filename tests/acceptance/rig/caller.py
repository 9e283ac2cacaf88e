"""Holds a TCP connection to a guest open, as a program: for each line it reads it waits until the
guest has answered once more, and says how long it was silent at most.

A program, because whom it calls is in another network namespace than the tests are.
"""

import asyncio
import json
import sys

from tests.live.guest_side import held_connection


async def main(address: str) -> None:
    async with held_connection(address) as caller:
        while await asyncio.to_thread(sys.stdin.readline):
            try:
                await caller.goes_on()
            except AssertionError as lost:
                caller.broken = caller.broken or repr(lost)
            print(json.dumps({
                "broken": caller.broken, "answers": caller.answers,
                "longest_gap_s": caller.longest_gap_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
