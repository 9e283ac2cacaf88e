"""What the outside world sees of a guest of the lab: its page, and a connection held open to it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ANSWER_S = 5.0
CONNECTION_S = 30.0
"""A connection that is silent for longer is lost: no freeze here comes near."""
BETWEEN_S = 0.01


class GuestPage:
    """One answer of the guest's HTTP server: what it says of itself."""

    def __init__(self, text: str) -> None:
        said = dict(each.split("=") for each in text.split() if "=" in each)
        self.boot_id = said["boot"]
        """Drawn by the guest itself at its start: it lies in its memory and nowhere else."""
        self.counter = int(said["counter"])
        """Of the last record that is durable on its disk."""
        self.write_errors = int(said["write_errors"])


async def page(address: str, order: str = "", *, within_s: float = 20.0) -> GuestPage:
    """Read the guest's page, asking again until it answers. `order` is obeyed by the guest first:
    `dN,M` dirties N KiB a second in M MiB, `f` answers unhealthy, `o` healthy, `p` powers off."""
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError, TimeoutError, KeyError):
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(address, 80)
                try:
                    writer.write(f"GET /{order} HTTP/1.0\r\n\r\n".encode())
                    return GuestPage((await reader.read()).decode())
                finally:
                    writer.close()
        assert time.monotonic() < end, f"no answer from {address} in {within_s} s"
        await asyncio.sleep(0.02)


class Caller:
    """A client of the guest's echo port: numbers its lines and expects each one back, in order,
    over one connection for as long as it lasts."""

    def __init__(self) -> None:
        self.answers = 0
        self.longest_gap_s = 0.0
        self.broken: str | None = None
        self._heard = asyncio.Event()

    async def call(self, address: str) -> None:
        try:
            reader, writer = await asyncio.open_connection(address, 7)
        except OSError as error:
            self.broken = repr(error)
            return
        try:
            while True:
                await self._once(reader, writer)
                await asyncio.sleep(BETWEEN_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, AssertionError) as error:
            self.broken = repr(error)
        finally:
            self._heard.set()
            writer.close()

    async def _once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = f"line {self.answers:09d}\n".encode()
        began = time.monotonic()
        writer.write(line)
        async with asyncio.timeout(CONNECTION_S):
            assert await reader.readexactly(len(line)) == line
        self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - began)
        self.answers += 1
        self._heard.set()

    async def goes_on(self) -> None:
        """Wait for an answer to something said from now on."""
        wanted = self.answers + 2
        while self.answers < wanted:
            assert self.broken is None, self.broken
            self._heard.clear()
            await self._heard.wait()


@asynccontextmanager
async def held_connection(address: str) -> AsyncIterator[Caller]:
    """A connection while the test does to the guest what it does; `goes_on` asks whether it has
    survived that."""
    caller = Caller()
    task = asyncio.ensure_future(caller.call(address))
    try:
        await caller.goes_on()
        yield caller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
