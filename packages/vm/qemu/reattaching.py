"""Puts guests' taps back into a bridge that was deleted and made again, as a host's network tools
do when they begin anew: the kernel takes the ports of a bridge away with it, and nobody gives them
back.

What must never happen here: a tap put back that an operator has taken out of a bridge that stands.
"""

import asyncio
import errno
import logging
import socket
from pathlib import Path

from packages.core.values import Undecodable, from_json
from packages.vm.qemu.records import GuestRecord
from packages.vm.qemu.taps import attach

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""A guest that is cut off for longer may be called ill by its monitors."""


class Bridges:
    """Those that guests here are ports of, by what the kernel called them at the last look."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._known: dict[str, int] = {}

    def look(self) -> list[str]:
        """Taps that were put back. Never raises: what is not there is looked for again."""
        ports = self._ports()
        anew = {bridge for bridge in set(ports.values())
                if (index := _index(bridge)) and self._known.get(bridge) != index}
        self._known |= {bridge: _index(bridge) for bridge in anew}
        return [tap for tap, bridge in sorted(ports.items())
                if bridge in anew and _put_back(tap, bridge)]

    def _ports(self) -> dict[str, str]:
        """Tap -> its bridge, of all guests here."""
        found: dict[str, str] = {}
        for path in self._run_folder.glob("*/guest.json"):
            try:
                record: GuestRecord = from_json(path.read_bytes(), GuestRecord)
            except (OSError, *Undecodable):
                continue  # gone, or on its way
            found |= dict(zip(record.taps, record.bridges, strict=False))
        return found


async def keep_attached(run_folder: Path) -> None:
    """For ever."""
    bridges = Bridges(run_folder)
    while True:
        for tap in await asyncio.to_thread(bridges.look):
            log.warning("%s is put back into its bridge, which was made again", tap)
        await asyncio.sleep(EVERY_S)


def _put_back(tap: str, bridge: str) -> bool:
    try:
        attach(tap, bridge)
    except OSError as failure:
        if failure.errno not in (errno.EBUSY, errno.ENODEV):
            log.error("%s cannot be put back into %s: %s", tap, bridge, failure.strerror)
        return False
    return True


def _index(name: str) -> int:
    """0: there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0
