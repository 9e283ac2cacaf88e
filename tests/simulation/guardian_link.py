"""The line between a simulated daemon and its guardian (cluster.nodes.guardian_link.Guardian).

As the real one it outlives the guardian: a successor is told the lease and the list again. What
was written to the socket arrives, whatever becomes of the writer; a reader that is stopped reads
it when it goes on, and one that was killed never does.
"""

import asyncio
from collections.abc import Callable

from cluster.nodes.guardian_link import RETRY_S, GuardianNews, Noted, Watchdog, watchdog_called
from packages.core.problem import Problem
from packages.vm.driver import Guest
from tests.simulation.guardian import LINE_S, SimulatedGuardian
from tests.simulation.network import unanswered
from tests.simulation.process import Process

ASK_AGAIN_S = 0.05
"""So long at most after a sick guardian is well its answer is here."""

Heard = Callable[[GuardianNews], None]


class SimulatedGuardianLink:
    """`guardian` gives the one that is there now."""

    def __init__(
        self, process: Process, guardian: Callable[[], SimulatedGuardian], *, heard: Heard,
        acknowledged: Callable[[float], None], leased: Callable[[float], None],
    ) -> None:
        self._process, self._guardian, self._leased = process, guardian, leased
        self._heard, self._acknowledged = heard, acknowledged
        self._lease: tuple[float, float] | None = None
        self._guests: tuple[list[Guest], frozenset[int]] | None = None
        self._peer = guardian()
        self._peer.heard_by(self._news)
        process.after(RETRY_S, self._look)

    def _look(self) -> None:
        """Whether the one that was spoken to is still there; another is told everything."""
        there = self._guardian()
        if there is not self._peer and there.is_there:
            self._peer = there
            there.heard_by(self._news)
            if self._lease is not None:
                self._later(there.take_lease, *self._lease)
            if self._guests is not None:
                self._later(there.take_guests, *self._guests)
            self.ping()
        self._process.after(RETRY_S, self._look)

    def _news(self, news: GuardianNews) -> None:
        self._process.after(LINE_S, self._heard, news)

    def noted(self) -> Noted:
        record = self._peer.record
        if record.lease.expiry_s:
            return Noted(expiry_s=record.lease.expiry_s, pids=frozenset(record.guests))
        return Noted(expiry_s=0.0, pids=self._peer.found_by_name())

    async def connect(self, *, deadline_s: float) -> Problem | None:
        return None

    def renew(self, expiry_s: float, kill_at_s: float) -> None:
        self._lease = (expiry_s, kill_at_s)
        self._leased(expiry_s)
        self._later(self._peer.take_lease, expiry_s, kill_at_s)
        self.ping()

    def ping(self) -> None:
        self._later(self._answer, self._peer)

    def _answer(self, peer: SimulatedGuardian) -> None:
        """The guardian's own step."""
        self._process.after(LINE_S, self._take_answer, peer, peer.expiry_s)

    def _take_answer(self, peer: SimulatedGuardian, expiry_s: float) -> None:
        if peer is self._peer and peer.is_there:
            self._acknowledged(expiry_s)

    def guard(self, guests: list[Guest], *, frozen: frozenset[int] = frozenset()) -> None:
        self._guests = (list(guests), frozen)
        self._later(self._peer.take_guests, *self._guests)

    def _later(self, act: Callable[..., None], *said: object) -> None:
        self._peer.machine.after(LINE_S, act, *said)

    async def watchdog(self) -> Watchdog:
        device = self._peer.watchdog_device
        if device is None or await self.taken_up() is not None:
            return Watchdog()
        return watchdog_called(device.name, device.timeout_s)

    async def taken_up(self, *, deadline_s: float = 2.0) -> Problem | None:
        """What was written before has been read by the time the answer is here."""
        await asyncio.sleep(2 * LINE_S)
        waited_s = 0.0
        while self._peer.machine.is_paused or not self._peer.is_there:
            await asyncio.sleep(ASK_AGAIN_S)
            waited_s += ASK_AGAIN_S
            if waited_s > deadline_s:
                return unanswered("guardian-unreachable", "guardian")
        return None

    async def close(self) -> None:
        self._peer.heard_by(lambda news: None)
