"""A client of the guest that holds one TCP connection open and notes how long it was silent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

EVERY_S = 0.01
"""Finer than the shortest freeze that is worth showing."""

OPEN_S = 10.0
PATIENCE_S = 30.0
"""TCP itself would wait longer; a freeze of half a minute is a lost connection to a person."""


class EchoClient:
    def __init__(self, address: str, port: int) -> None:
        self.answers = 0
        self.longest_silence_ms = 0.0
        self.broken = ""
        """Why the connection ended; empty while it holds."""
        self._address, self._port = address, port

    @contextlib.asynccontextmanager
    async def held_open(self) -> AsyncIterator["EchoClient"]:
        """Connect, talk until the block ends, and hang up; what befell is in the fields."""
        talking = asyncio.create_task(self._talk())
        try:
            yield self
        finally:
            talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talking

    async def _talk(self) -> None:
        try:
            async with asyncio.timeout(OPEN_S):
                reader, writer = await asyncio.open_connection(self._address, self._port)
        except (OSError, TimeoutError) as error:
            self.broken = f"no connection: {error or 'in time'}"
            return
        try:
            await self._echo(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.broken = f"the connection ended: {error or 'no answer'}"
        finally:
            writer.close()

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        heard_s = loop.time()
        while True:
            line = b"%016d\n" % self.answers
            writer.write(line)
            async with asyncio.timeout(PATIENCE_S):
                if await reader.readexactly(len(line)) != line:
                    self.broken = "the guest returned something else than it was sent"
                    return
            self.answers += 1
            self.longest_silence_ms = max(
                self.longest_silence_ms, (loop.time() - heard_s) * 1000,
            )
            heard_s = loop.time()
            await asyncio.sleep(EVERY_S)
