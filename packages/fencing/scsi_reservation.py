"""Fences by SCSI-3 persistent reservations, Write Exclusive Registrants Only (SPC-4, 5.13).

For LUNs that the host's kernel opened: a registration belongs to the host's path to the LUN, and
QEMU writes by it. A multipath device has several paths and mpathpersist registers them all.
Every owner has a key of its own; taking a key away aborts what was sent under it, where the
target knows how (PREEMPT AND ABORT); one that refuses that has it done without the abort.

What must never happen here: a key of somebody else's than this product taken away.
"""

import re

from packages.core.fencing import (
    DiskGuard, Registrant, outlived, own_earlier, registrant_of_key, reservation_key, shown,
    why_open
)
from packages.core.problem import Problem
from packages.fencing.fence import FencedDisk, failed, unavailable
from packages.fencing.tools import RunTool, Said

WRITE_EXCLUSIVE_REGISTRANTS_ONLY = 5
TYPE_SAYS = "Write Exclusive, registrants only"
CONFLICT = 24
"""sg3_utils' exit status for a command that a reservation stands against (sg3_utils(8))."""
UNIT_ATTENTION = 6
"""A device tells once that its reservations have changed, instead of doing what it was asked."""
ATTENTIONS = 4
"""One for each thing that may have changed since: reset, LUNs, reservations, mode."""

WAYS = ("--preempt-abort", "--preempt")
ABORTED_S = 1.5
"""What was sent under a key is aborted within milliseconds. One target refuses the abort (tgt), one
was seen to hang in it (LIO of Linux 6.1, at its loopback adapters)."""


class ScsiReservation:
    def __init__(self, run: RunTool) -> None:
        self._run = run

    async def register(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        key = _hex(reservation_key(me))
        # Over whatever this host is registered with: a host has one key to one disk.
        return await self._order(
            disk, ("--register-ignore", f"--param-sark={key}"), deadline_s)

    async def release(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        guard = await self.status(disk, deadline_s=deadline_s)
        if isinstance(guard, Problem):
            return guard
        for each in own_earlier(guard, me):
            key = _hex(reservation_key(each))
            refused = await self._order(
                disk, ("--register", f"--param-rk={key}", "--param-sark=0"), deadline_s)
            if refused is not None:
                return refused
        return None

    async def fence(
        self, disk: FencedDisk, by: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        guard = await self.status(disk, deadline_s=deadline_s)
        if isinstance(guard, Problem):
            return guard
        for each in outlived(guard, by):
            refused = await self._preempt(disk, each, by, deadline_s)
            if refused is not None:
                return refused
        if not guard.closed or outlived(guard, by):
            refused = await self._reserve(disk, by, deadline_s)
            if refused is not None:
                return refused
        return await self._seen_closed(disk, by, deadline_s)

    async def status(self, disk: FencedDisk, *, deadline_s: float) -> DiskGuard | Problem:
        able = await self._ask(disk, "--report-capabilities", deadline_s)
        if able.status != 0:
            return unavailable(
                disk.path, f"it takes no persistent reservations: {able.because}",
                "use a LUN whose target does, or leave `fence:` out of the package")
        if re.search(rf"{TYPE_SAYS}: 0", able.output):
            return unavailable(
                disk.path, f"it does not know the type '{TYPE_SAYS}'",
                "use a LUN whose target does, or leave `fence:` out of the package")
        keys = await self._ask(disk, "--read-keys", deadline_s)
        held = await self._ask(disk, "--read-reservation", deadline_s)
        for said in (keys, held):
            if said.status != 0:
                return unavailable(
                    disk.path, f"its reservations cannot be read: {said.because}",
                    "see the LUN's paths on this node")
        return guard_of(keys.output, held.output, disk.nodes)

    async def _preempt(
        self, disk: FencedDisk, victim: Registrant, by: Registrant, deadline_s: float,
    ) -> Problem | None:
        said = Said(status=None)
        for way in WAYS:
            said = await self._said(disk, (
                way, f"--param-rk={_hex(reservation_key(by))}",
                f"--param-sark={_hex(reservation_key(victim))}", _TYPE,
            ), min(deadline_s, ABORTED_S) if way == "--preempt-abort" else deadline_s)
            # A conflict: the key has gone meanwhile, or our own; which, is seen afterwards.
            if said.status in (0, CONFLICT):
                return None
        return failed(disk.path, f"{shown(victim)} was not shut out: {said.because}")

    async def _reserve(
        self, disk: FencedDisk, by: Registrant, deadline_s: float,
    ) -> Problem | None:
        """Whoever held it last may have taken the reservation along."""
        said = await self._said(
            disk, ("--reserve", f"--param-rk={_hex(reservation_key(by))}", _TYPE), deadline_s)
        # Another registrant's hold serves as well; whether there is one is seen afterwards.
        if said.status in (0, CONFLICT):
            return None
        return failed(disk.path, f"it was not reserved: {said.because}")

    async def _seen_closed(
        self, disk: FencedDisk, by: Registrant, deadline_s: float,
    ) -> Problem | None:
        guard = await self.status(disk, deadline_s=deadline_s)
        if isinstance(guard, Problem):
            return guard
        reason = why_open(guard, by)
        if reason is None and by not in guard.registrants:
            reason = f"this node's own key is not registered; {len(guard.registrants)} others are"
        return failed(disk.path, reason) if reason else None

    async def _order(
        self, disk: FencedDisk, words: tuple[str, ...], deadline_s: float,
    ) -> Problem | None:
        said = await self._said(disk, words, deadline_s)
        return None if said.status == 0 else failed(disk.path, said.because)

    async def _said(
        self, disk: FencedDisk, words: tuple[str, ...], deadline_s: float,
    ) -> Said:
        said = Said(status=None, complaint="it was never asked")
        for _ in range(ATTENTIONS):
            said = await self._run((_tool(disk), "--out", *words, disk.path), deadline_s)
            if said.status != UNIT_ATTENTION:
                break
        return said

    async def _ask(self, disk: FencedDisk, what: str, deadline_s: float) -> Said:
        said = Said(status=None, complaint="it was never asked")
        for _ in range(ATTENTIONS):
            said = await self._run((_tool(disk), "--in", what, disk.path), deadline_s)
            if said.status != UNIT_ATTENTION:
                break
        return said


_TYPE = f"--prout-type={WRITE_EXCLUSIVE_REGISTRANTS_ONLY}"


def _tool(disk: FencedDisk) -> str:
    """Multipath devices have names of their own, which multipathd makes (multipath.conf(5))."""
    is_multipath = disk.path.startswith("/dev/mapper/") or "/dm-uuid-mpath-" in disk.path
    return "mpathpersist" if is_multipath else "sg_persist"


def _hex(key: int) -> str:
    return f"{key:x}"


def guard_of(keys: str, held: str, nodes: tuple[str, ...]) -> DiskGuard:
    """From what the tool prints: one key on a line, and the reservation with its type."""
    found = [int(key, 16) for key in re.findall(r"^\s+0x([0-9a-f]+)\s*$", keys, re.MULTILINE)]
    # Each path of a multipath device is registered, and listed, for itself.
    known = {key: registrant_of_key(key, nodes) for key in dict.fromkeys(found)}
    return DiskGuard(
        registrants=tuple(each for each in known.values() if each is not None),
        foreign=tuple(f"key {key:#x}" for key, each in known.items() if each is None),
        closed=TYPE_SAYS.lower() in held.lower(),
    )
