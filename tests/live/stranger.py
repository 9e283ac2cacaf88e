"""Somebody on the network who has no business there, at the doors of a cluster.

    ip netns exec NETNS python -m tests.live.stranger  <orders  >answers

Orders are a JSON list of doors {"address", "kind", "key", "listener_key"}; the answer is a list of
what got in, or was not dropped in time: an empty one is how it should be.
"""

import asyncio
import contextlib
import json
import random
import sys
from typing import Any

from cluster.sockets import Sender, keys_of

DROPPED_S = 30.0
"""ZeroMQ gives a handshake 2 s, the relay 5 s; a starved machine takes longer."""

HUGE_BYTES = 8 << 20
NOISE = random.Random(7).randbytes(70_000)


def greeting(mechanism: bytes) -> bytes:
    """ZeroMQ's first 64 bytes (RFC 23)."""
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32)


JUNK = {
    "words": b"GET / HTTP/1.0\r\n\r\n",
    "noise": NOISE + b"\n",
    "huge": bytes(HUGE_BYTES),
    "deep": b"[" * 100_000 + b"\n",
    "no security": greeting(b"NULL") + b"\x04\x26\x05READY" + NOISE,
    "false security": greeting(b"CURVE") + b"\x04\xc8\x05HELLO" + NOISE,
}


async def main() -> None:
    doors = json.load(sys.stdin)
    tries = [
        *(pushed(door, name) for door in doors for name in JUNK),
        *(knocked(door) for door in doors if door["kind"] == "zmq"),
    ]
    print(json.dumps([each for each in await asyncio.gather(*tries) if each]))


async def pushed(door: dict[str, Any], name: str) -> str:
    """Throw junk at the door until it is shut; empty if it was."""
    kind, _, place = door["address"].partition("://")
    try:
        async with asyncio.timeout(DROPPED_S):
            if kind == "ipc":
                reader, writer = await asyncio.open_unix_connection(place)
            else:
                host, _, port = place.partition(":")
                reader, writer = await asyncio.open_connection(host, int(port))
            with contextlib.suppress(ConnectionError):
                writer.write(JUNK[name])
                await writer.drain()
                await reader.read()  # to its end
            writer.close()
    except (OSError, TimeoutError) as error:
        return f"{door['address']}: {name}: {error!r}"
    return ""


async def knocked(door: dict[str, Any]) -> str:
    """Come with a key, as a peer would; empty if the listener said that it does not know it."""
    keys = keys_of(door["key"])
    assert keys is not None
    sender = Sender(
        door["address"], server_key=door["listener_key"], keys=keys, watch_refusals=True,
    )
    try:
        async with asyncio.timeout(DROPPED_S):
            while not sender.was_refused():
                if await sender.send_when_up(NOISE, deadline_s=0.05):
                    return f"{door['address']}: let in with an unknown key"
    except TimeoutError:
        return f"{door['address']}: an unknown key was not refused"
    finally:
        sender.close()
    return ""


if __name__ == "__main__":
    asyncio.run(main())
