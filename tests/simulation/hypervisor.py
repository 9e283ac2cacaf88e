"""The hypervisor and the migration channel of a simulated host, over the fake fabric.

Guests belong to the machine, not to the daemon: what a guest does by itself goes on while the
daemon is paused or gone. Orders take time on their way there and back, so that anything can
happen in between; a switch takes time too, and can end as it was seen to on real QEMU
(docs/moves.md): the target holds the whole memory and the source, who was not told, runs on.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.vm.carrier import Landing
from packages.vm.driver import Born, Guest, GuestEvent, Observation
from packages.vm.fake import FakeDriver
from packages.vm.fake_carrier import FakeCarrier
from packages.vm.fake_guest import FakeCopy, FakeGuest, complete
from tests.simulation.network import Network
from tests.simulation.process import Process

T = TypeVar("T")


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("it waits")


DEAD_CHANNEL_S = 9.5
"""After so long without a word the relays give the channel up (packages/vm/relay.py)."""
LOOK_S = 0.05


class MachineDriver(FakeDriver):
    """The fake driver of one machine, with a switch that takes its time and a channel that can
    break at its worst moment: when the target has everything and the source was not told."""

    def __init__(self, machine: Process, network: Network, host: str, *args: Any) -> None:
        super().__init__(host, *args)
        self._machine, self._network, self._host = machine, network, host
        self._dice = machine.timeline.dice
        self.switch_s = 0.01
        """How long the last part of a switch takes at most."""
        self.tears = 0.0
        """How likely it is that the channel breaks before the target's word has come through."""

    def _way(self, source: FakeGuest) -> str | None:
        """The host of the other end."""
        return self.host_of(source.partner) if source.partner else None

    def host_of(self, guest: FakeGuest) -> str | None:
        for host, guests in self._fabric.nodes.items():
            if guests.get(guest.guest.package) is guest:
                return host
        return None

    async def send(self, guest: Guest, **settings: Any) -> Problem | None:
        answer = await super().send(guest, **settings)
        found = self._find(guest)
        if found is None or found.copy is None or found.partner is None:
            return answer
        target = self._way(found)
        assert target is not None
        found.copy.stop()
        found.copy = CuttableCopy(
            found.copy, lambda: self._network.is_cut(self._host, target))
        found.copy.aim()
        self._watch(found, target)
        return answer

    def _watch(self, source: FakeGuest, target: str) -> None:
        """The relays' own timers."""
        if source.exit is not None or source.migration not in (
                "active", "pre-switchover", "device"):
            return
        is_dead = self._network.cut_for_s(self._host, target) > DEAD_CHANNEL_S
        if is_dead and not source.is_frozen:
            source.fail("failed")
        else:
            self._machine.after(LOOK_S, self._watch, source, target)

    async def switch(self, guest: Guest, *, deadline_s: float = 5.0) -> Problem | None:
        found = self._answering(guest)
        if not isinstance(found, Problem) and found.migration == "pre-switchover":
            found.migrate_to("device")
            self._machine.after(
                self._dice.uniform(0.001, self.switch_s), self._complete, found, self._way(found))
            return None
        return await super().switch(guest, deadline_s=deadline_s)

    def _complete(self, source: FakeGuest, way: str | None) -> None:
        """Everything has been sent."""
        target = source.partner
        if source.migration != "device" or source.exit is not None:
            return
        if target is None or way is None:
            source.fail("failed")
            return
        is_cut = self._network.is_cut(self._host, way)
        if source.is_frozen or target.is_frozen or (is_cut and self._dice.random() < 0.9):
            self._machine.after(LOOK_S, self._complete, source, way)
            return
        if not is_cut and self._dice.random() >= self.tears:
            complete(source)
            return
        source.partner = target.partner = None
        target.state = "paused"
        target.migrate_to("completed")
        if is_cut:
            self._await_word(source, target, way)
        else:
            source.fail("failed")

    def _await_word(self, source: FakeGuest, target: FakeGuest, way: str) -> None:
        """The target has the whole memory; its word comes through when the cut has healed."""
        if source.migration != "device" or source.exit is not None:
            return
        if source.is_frozen or self._network.is_cut(self._host, way):
            self._machine.after(LOOK_S, self._await_word, source, target, way)
        elif target.exit is not None:
            source.fail("failed")
        else:
            target.has_ended_well = True
            source.state = "postmigrate"
            source.migrate_to("completed")


class CuttableCopy(FakeCopy):
    """A copy that stands still while its hosts do not reach each other."""

    def __init__(self, copy: FakeCopy, is_cut: Callable[[], bool]) -> None:
        super().__init__(
            copy.source, copy.size_bytes, copy.dirty_bytes_s, limit_ms=copy.limit_ms,
            bandwidth_bytes_s=copy.bandwidth_bytes_s,
        )
        self._is_cut = is_cut

    def _pause(self) -> None:
        if self._is_cut():
            self._timer = self._loop.call_later(0.05, self._pause)
        else:
            super()._pause()


SLOW_S = {"adopt": 0.05, "receive": 0.2, "halt": 1.0}
"""The longest an order takes on its way there, and again on its way back; else `USUALLY_S`."""
USUALLY_S = 0.004


class SimulatedDriver:
    """The daemon's driver: every order travels to the machine and back."""

    def __init__(self, process: Process, machine: Process, inner: MachineDriver) -> None:
        self.inner = inner
        self._process, self._machine = process, machine
        self._deafen: list[Callable[[], None]] = []

    async def _travel(self, slow_s: float) -> None:
        await asyncio.sleep(self._process.timeline.dice.uniform(0.0002, slow_s))

    async def carry(
        self, slow_s: float, order: Callable[..., Coroutine[Any, Any, T]], *args: Any,
        **settings: Any,
    ) -> T:
        await self._travel(slow_s)
        with self._machine.running():
            answer = at_once(order(*args, **settings))
        self._machine.stepped()
        await self._travel(slow_s)
        return answer

    def __getattr__(self, name: str) -> Any:
        """Every order of the door that is not written out here."""
        order = getattr(self.inner, name)
        if not asyncio.iscoroutinefunction(order):
            return order
        return lambda *args, **settings: self.carry(
            SLOW_S.get(name, USUALLY_S), order, *args, **settings)

    async def start(
        self, spec: PackageSpec, *, epoch: int, boot_id: str, deadline_s: float,
        born: Born | None = None,
    ) -> Guest | Problem:
        async def slowly_born(guest: Guest) -> Problem | None:
            await self._travel(0.2)
            unborn = await born(guest) if born is not None else None
            await self._travel(0.01)
            return unborn

        await self._travel(0.1)
        made = await self.inner.start(
            spec, epoch=epoch, boot_id=boot_id, deadline_s=deadline_s, born=slowly_born)
        self._machine.stepped()
        await self._travel(0.01)
        return made

    async def observe(self, guest: Guest, *, deadline_s: float = 2.0) -> Observation:
        seen = await self.carry(USUALLY_S, self.inner.observe, guest)
        if seen.state == "unanswered":
            await asyncio.sleep(deadline_s)
        return seen

    def listen(self, guest: Guest, heard: Callable[[GuestEvent], None]) -> Callable[[], None]:
        """Events come in order, a moment later, and to a living daemon only."""
        due_s = 0.0

        def told(event: GuestEvent) -> None:
            nonlocal due_s
            now_s = self._process.timeline.now_s
            due_s = max(due_s + 1e-7, now_s + self._process.timeline.dice.uniform(0.0001, 0.002))
            self._process.at(due_s, pass_on, event)

        def pass_on(event: GuestEvent) -> None:
            if stop in self._deafen:
                heard(event)

        inner_stop = self.inner.listen(guest, told)

        def stop() -> None:
            if stop in self._deafen:
                self._deafen.remove(stop)
            inner_stop()

        self._deafen.append(stop)
        return stop

    async def close(self) -> None:
        for stop in tuple(self._deafen):
            stop()


class SimulatedCarrier:
    """The daemon's carrier; the relays themselves are the machine's processes."""

    def __init__(
        self, process: Process, machine: Process, inner: FakeCarrier, network: Network,
        host: str,
    ) -> None:
        self._process, self._machine, self._inner = process, machine, inner
        self._network, self._host = network, host

    async def _carry(
        self, order: Callable[..., Coroutine[Any, Any, T]], *args: Any, **settings: Any,
    ) -> T:
        await asyncio.sleep(self._process.timeline.dice.uniform(0.0005, 0.03))
        with self._machine.running():
            answer = at_once(order(*args, **settings))
        self._machine.stepped()
        return answer

    async def prepare(self, move: str) -> None:
        await self._carry(self._inner.prepare, move)

    async def land(self, move: str, *, socket_path: str, source: str) -> Landing | Problem:
        return await self._carry(self._inner.land, move, socket_path=socket_path, source=source)

    async def launch(self, move: str, *, landing: Landing, target: str) -> str | Problem:
        if self._network.is_cut(self._host, target):
            landing = Landing(address=landing.address, port=landing.port, token="unreachable")
        return await self._carry(self._inner.launch, move, landing=landing, target=target)

    async def has_ended_well(self, move: str) -> bool:
        return await self._carry(self._inner.has_ended_well, move)

    async def end(self, move: str) -> None:
        await self._carry(self._inner.end, move)

    async def close(self) -> None:
        await self._carry(self._inner.close)
