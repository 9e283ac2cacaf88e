"""The watchdogs of a lab's nodes: one process outside of all of them, a pipe for each.

A pipe is to a node's guardian what /dev/watchdog is to a host's: whatever is written pets it, a V
calls it off, and who once petted it and then stays away for too long loses the node's power, as by
`vmsg lab kill`, whether the node hangs or not.
"""

import argparse
import asyncio
import os
import signal
from pathlib import Path

from cluster.lab import lab

PIPE_BYTES = 4096


class NodeWatchdog:
    """Counts for one node, from its first petting on."""

    def __init__(self, folder: Path, node: str, pipe: str, timeout_s: float) -> None:
        self._folder, self._node, self._timeout_s = folder, node, timeout_s
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._killing: asyncio.Task[object] | None = None
        # Also its writer: a pipe without one would be at its end again and again.
        self._fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self._loop.add_reader(self._fd, self._petted)

    def _petted(self) -> None:
        said = os.read(self._fd, PIPE_BYTES)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not said.endswith(b"V"):
            self._timer = self._loop.call_later(self._timeout_s, self._bite)

    def _bite(self) -> None:
        self._timer = None
        self._killing = asyncio.ensure_future(lab.kill(self._folder, self._node))


async def watch(folder: Path, pipes: dict[str, str], timeout_s: float) -> None:
    """Until told to end."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    dogs = [NodeWatchdog(folder, node, pipe, timeout_s) for node, pipe in sorted(pipes.items())]
    await ending.wait()
    dogs.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description="the watchdogs of a lab")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--timeout-s", type=float, required=True)
    parser.add_argument("pipes", nargs="+", metavar="NODE=PIPE")
    options = parser.parse_args()
    pipes = dict(each.split("=", 1) for each in options.pipes)
    asyncio.run(watch(options.dir, pipes, options.timeout_s))


if __name__ == "__main__":
    main()
