"""A process that listens as a daemon does, until its standard input ends.

    python -m tests.core.local_listener SOCKET      prints where it listens over TCP as well
"""

import asyncio
import os
import sys

from cluster.sockets import Listener, make_keys


async def main(path: str) -> None:
    listener = Listener([f"ipc://{path}", "tcp://127.0.0.1:*"], keys=make_keys(), received=print)
    assert listener.start() is None
    print(listener.endpoints[1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 64) or ended.set())
    await ended.wait()
    listener.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
