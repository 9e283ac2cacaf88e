"""A listener whose event loop stands while a caller fills its queue and is killed: does the process
live on? Run in a process of its own, which is what is at stake."""

import asyncio
import subprocess
import sys
import time

from cluster.socket_inbox import Queues
from cluster.sockets import Listener, Sender, make_keys

SERVER, CALLER = make_keys(), make_keys()
STANDS_S = 2.5
"""Longer than any timer of the connection's (cluster.socket_options.HOST_DEAD_AFTER_MS)."""
DEADLINE_S = 20.0

CALLS = """
import asyncio, sys
from cluster.sockets import CurveKeys, Sender
async def call():
    sender = Sender(sys.argv[1], server_key=sys.argv[2],
                    keys=CurveKeys(public=sys.argv[3], secret=sys.argv[4]))
    assert await sender.send_when_up(b"first", deadline_s=20)
    sys.stdin.readline()
    while sender.send(b"x" * 10_000):
        pass
    print("full", flush=True)
    sys.stdin.readline()
asyncio.run(call())
"""
"""Sends, once it is told to, until nothing more can be sent."""


async def stand() -> None:
    heard: list[bytes] = []
    listener = Listener(
        ["tcp://127.0.0.1:*"], keys=SERVER, queues=Queues(received=8),
        received=lambda _peer, _route, payload: heard.append(payload[:20]))
    listener.allow({CALLER.public: "caller"})
    assert listener.start() is None
    with subprocess.Popen(
        [sys.executable, "-c", CALLS, listener.endpoints[0], SERVER.public, CALLER.public,
         CALLER.secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as caller:
        await until(heard, b"first")
        assert caller.stdin is not None and caller.stdout is not None
        caller.stdin.write(b"go\n")
        caller.stdin.flush()
        # From here on the event loop stands: this is what is tried.
        assert caller.stdout.readline() == b"full\n"
        caller.kill()
    end_s = time.monotonic() + STANDS_S
    while time.monotonic() < end_s:
        pass
    again = Sender(listener.endpoints[0], server_key=SERVER.public, keys=CALLER)
    assert await again.send_when_up(b"still here", deadline_s=DEADLINE_S)
    await until(heard, b"still here")
    again.close()
    listener.close()
    print("still here")


async def until(heard: list[bytes], word: bytes) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while word not in heard:
            await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(stand())
