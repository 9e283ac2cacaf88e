"""A way to a listener that stops: so much goes through it in each direction and no more, as of a
caller that sends a part of what it says, or does not read."""

import asyncio
from types import TracebackType

PIECE_BYTES = 1 << 16
EVERYTHING = 1 << 60


class StallingWay:
    """`async with`; `endpoint` is where a caller connects in place of the listener's."""

    def __init__(self, to: str, *, in_bytes: int = EVERYTHING, out_bytes: int = EVERYTHING) -> None:
        host, _, port = to.removeprefix("tcp://").rpartition(":")
        self._host, self._port = host, int(port)
        self._in_bytes, self._out_bytes = in_bytes, out_bytes
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = 0
        """Connections that the listener has shut."""

    async def __aenter__(self) -> "StallingWay":
        self._server = await asyncio.start_server(self._came, "127.0.0.1", 0)
        self.endpoint = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        it, there = await asyncio.open_connection(self._host, self._port, limit=PIECE_BYTES)
        inwards = asyncio.ensure_future(self._carry(reader, there, self._in_bytes))
        outwards = asyncio.ensure_future(self._carry(it, writer, self._out_bytes))
        self._tasks += [inwards, outwards]
        try:
            await asyncio.wait((inwards, outwards), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each, end in ((inwards, there), (outwards, writer)):
                each.cancel()
                end.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int,
    ) -> None:
        """Ends when either side does; a connection that was stopped is held."""
        try:
            while most and (piece := await reader.read(min(PIECE_BYTES, most))):
                writer.write(piece)
                await writer.drain()
                most -= len(piece)
            if not most:
                await asyncio.get_running_loop().create_future()
        except ConnectionError:
            pass  # shut by the listener
        self.ended += 1
