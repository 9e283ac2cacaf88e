"""Connects to a port of the guest: healthy when the connection is taken."""

import asyncio

from packages.core.problem import Problem, problem
from packages.monitors.means import without_means
from packages.monitors.routes import against_asking


class TcpConnect:
    def __init__(self, package: str, *, host: str, port: int) -> None:
        self._package = package
        self._host = host
        self._port = port

    async def check(self, *, timeout_s: float) -> Problem | None:
        try:
            async with asyncio.timeout(timeout_s):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError:
            return self._refused(f"no answer within {timeout_s:g} s")
        except OSError as failure:
            unasked = without_means(self._package, failure) or against_asking(
                self._package, f"{self._host}:{self._port}", failure)
            return unasked or self._refused(str(failure))
        writer.transport.abort()  # a reset frees the guest's end at once, too
        return None

    def _refused(self, because: str) -> Problem:
        return no_connection(self._package, f"{self._host}:{self._port}", because)


def no_connection(package: str, address: str, because: str) -> Problem:
    return problem(
        "check-no-connection", f"package:{package}", what=f"{address} takes no connections",
        because=because, fix="see the service in the guest, and the network to it",
    )
