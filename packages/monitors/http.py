"""Asks the guest's web server for one page: healthy with a status below 400.

HTTP/1.0 and one line of the answer: what is checked is that the server answers, not what.
"""

import asyncio
import re

from packages.core.problem import Problem, problem
from packages.monitors.means import without_means
from packages.monitors.routes import against_asking
from packages.monitors.tcp import no_connection

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r?\n)")
LINE_BYTES = 4096
"""No status line is longer; a server that sends more without a line's end is not one."""


class HttpGet:
    def __init__(self, package: str, *, host: str, port: int, path: str) -> None:
        self._package = package
        self._host = host
        self._port = port
        self._path = path

    async def check(self, *, timeout_s: float) -> Problem | None:
        connected = False
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, limit=LINE_BYTES,
                )
                connected = True
                try:
                    return self._judged(await self._status_line(reader, writer))
                finally:
                    writer.transport.abort()
        except TimeoutError:
            because = f"nothing within {timeout_s:g} s"
        except (OSError, ValueError) as failure:  # ValueError: a line without an end
            if (unasked := without_means(self._package, failure)) is not None:
                return unasked
            if isinstance(failure, OSError) and not connected and (unasked := against_asking(
                    self._package, f"{self._host}:{self._port}", failure)) is not None:
                return unasked
            because = str(failure)
        if connected:
            return self._no_answer(because)
        return no_connection(self._package, f"{self._host}:{self._port}", because)

    async def _status_line(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
    ) -> bytes:
        host = f"[{self._host}]" if ":" in self._host else self._host
        writer.write(
            f"GET {self._path} HTTP/1.0\r\nHost: {host}:{self._port}\r\n"
            "User-Agent: vmsg\r\nConnection: close\r\n\r\n".encode()
        )
        return await reader.readline()

    def _judged(self, line: bytes) -> Problem | None:
        match = STATUS_LINE.match(line)
        if match is None:
            return self._no_answer(f"it said {line[:80]!r}")
        if int(match[1]) < 400:
            return None
        return problem(
            "check-bad-status", f"package:{self._package}",
            what=f"the web server does not serve {self._path}",
            because=f"it answered {line.decode(errors='replace').strip()}",
            fix="see the web server's log in the guest",
        )

    def _no_answer(self, because: str) -> Problem:
        return problem(
            "check-no-answer", f"package:{self._package}",
            what=f"{self._host}:{self._port} does not answer as a web server", because=because,
            fix="see the service in the guest",
        )
