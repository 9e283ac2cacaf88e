"""What has to be there before a guest is let run, before a switch is ordered, and before a commit.

Each is one condition of an agent; each was once broken alone, and everything else stayed green
(tests/mutants/list/agents.py).
"""

from collections.abc import Callable

from cluster.core import entries
from packages.core.problem import Problem, problem
from packages.core.values import changed
from packages.vm.driver import Guest, Observation
from packages.vm.fake import FakeDriver
from packages.vm.fake_guest import FakeGuest
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig

SHORT_BYTES = 1 << 18
"""A copy of a quarter of a second at 1 MiB/s: time to listen to its guest."""


async def copying(rig: Rig, act: Callable[[str], None]) -> FakeGuest:
    """p1 is on its way from n1 to n2; `act` is told of each event of the source's guest, after the
    agents have been."""
    rig.fabric.copy_bytes = SHORT_BYTES
    for node in rig.nodes.values():
        node.begin()
    await rig.assign(package(migration_bandwidth_mib_s=1), "n1")
    await rig.until(lambda: rig.record.state == "running")
    guest = rig.fabric.guest("n1", "p1")
    assert guest is not None
    await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
    await rig.until(lambda: guest.migration == "active")
    guest.listeners.append(lambda event: act(event.kind))
    return guest


def stages(rig: Rig) -> list[str]:
    """Of the move, each as the record of n1 comes to it."""
    seen: list[str] = []

    def look() -> None:
        move = rig.nodes["n1"].ledger.state.packages["p1"].move
        if move is not None and seen[-1:] != [move.stage]:
            seen.append(move.stage)

    rig.nodes["n1"].ledger.watch(look)
    return seen


async def test_nothing_is_started_without_a_lease() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        node = rig.nodes["n1"]
        node.has_lease = False
        await rig.assign(package(), "n1")
        await node.agent._once()
        assert rig.state("n1") == "gone" and rig.record.state == "starting"
        node.has_lease = True
        node.begin()
        await rig.until(lambda: rig.record.state == "running")


async def test_a_guest_that_nobody_guards_never_runs() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        ran: list[str] = []

        async def absent() -> Problem | None:
            guest = rig.fabric.guest("n1", "p1")
            assert guest is not None
            guest.listeners.append(lambda event: ran.append(event.kind))
            return problem("guardian-unreachable", "guardian", what="-", because="-", fix="-")

        rig.nodes["n1"].guard = absent
        await rig.assign(package(), "n1")
        await rig.nodes["n1"].agent._once()
        assert rig.record.state == "failing" and "resumed" not in ran
        assert rig.state("n1") == "gone"


async def test_monitoring_is_off_from_the_very_event_that_stops_the_guest() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        suspended: list[list[str]] = []

        def look(event: str) -> None:
            watch = rig.nodes["n1"].agent.watch
            if event == "stopped" and watch is not None:
                suspended.append(sorted(watch._suspensions.by_owner))

        await copying(rig, look)
        await rig.until(lambda: rig.record.owner == "n2")
        assert suspended == [["move"]]


async def test_what_an_earlier_move_left_standing_goes_on_while_the_next_is_only_opened() -> None:
    """Found by the simulation: the lease came back after the next move was ordered."""
    async with Rig("n1", "n2", "n3") as rig:
        node = rig.nodes["n1"]
        await rig.assign(package(), "n1")
        node.begin()
        await rig.until(lambda: rig.record.state == "running")
        guest = rig.fabric.guest("n1", "p1")
        assert guest is not None
        await node.pause()
        guest.state, node.agent._revived = "postmigrate", ("", 0)
        await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
        node.begin()
        await rig.until(lambda: guest.state == "running")
        assert rig.record.move is not None and rig.record.move.stage == "opened"


async def test_a_guest_that_hangs_in_the_copy_stays_watched() -> None:
    """Found by the soak: taken for one that stood for its switch, it hung for 80 s more."""
    async with Rig("n1", "n2", "n3") as rig:
        source, node = await copying(rig, lambda event: None), rig.nodes["n1"]
        await node.pause()
        source.is_frozen = True
        node.begin()
        await rig.until(lambda: node.agent.body.soft is not None)
        assert node.agent.watch is not None
        assert node.agent.watch.status().monitoring != "suspended"


async def test_nothing_is_switched_before_the_record_says_that_it_stands() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        told: list[str] = []

        def act(event: str) -> None:
            told.append(event)
            if event == "stopped":
                rig.network.cut("n1")

        guest = await copying(rig, act)
        await rig.until(lambda: "stopped" in told and guest.state == "running")
        assert "device" not in told
        rig.network.heal()
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.state("n1") == "running"


async def silent(target: str, package: str, move: str, loaded: bool) -> str:
    return "silent"


async def test_nothing_is_switched_to_a_target_that_does_not_answer() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        told: list[str] = []

        def act(event: str) -> None:
            told.append(event)
            if event == "stopped":
                rig.nodes["n1"].agent.around.target_ready = silent

        await copying(rig, act)
        await rig.until(lambda: not rig.record.moving)
        assert "device" not in told
        assert rig.record.owner == "n1" and rig.state("n1") == "running"


async def test_nothing_is_committed_to_a_target_that_fell_silent_in_the_switch() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        def act(event: str) -> None:
            if event == "device":
                rig.nodes["n1"].agent.around.target_ready = silent

        await copying(rig, act)
        came = stages(rig)
        await rig.until(lambda: not rig.record.moving)
        assert "committed" not in came
        assert rig.record.owner == "n1" and rig.state("n1") == "running"


class SlowToStand(FakeDriver):
    """Completed, it is a moment until the run state follows, as with QEMU."""

    left, has_stood = 3, False

    async def observe(self, guest: Guest, *, deadline_s: float = 2.0) -> Observation:
        seen = await super().observe(guest, deadline_s=deadline_s)
        if seen.state == "postmigrate" and self.left > 0:
            self.left -= 1
            return changed(seen, state="switchover")
        self.has_stood |= seen.state == "postmigrate"
        return seen


async def test_nothing_is_committed_before_the_source_stands_for_good() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        driver = rig.nodes["n1"].driver
        driver.__class__ = SlowToStand
        assert isinstance(driver, SlowToStand)
        stood: list[bool] = []
        await copying(rig, lambda event: None)

        def look() -> None:
            if rig.record.owner == "n2" and not stood:
                stood.append(driver.has_stood)

        rig.nodes["n1"].ledger.watch(look)
        await rig.until(lambda: rig.record.owner == "n2")
        assert stood == [True]


async def test_a_switch_that_was_ordered_is_called_off_by_the_record_first() -> None:
    async with Rig("n1", "n2", "n3") as rig:
        stage_at: list[str] = []

        def act(event: str) -> None:
            move = rig.record.move
            if event == "pre-switchover":
                rig.fabric.freeze("n2", "p1")  # the switch has no end
            elif event == "resumed" and move is not None:
                stage_at.append(move.stage)

        await copying(rig, act)
        await rig.until(lambda: not rig.record.moving)
        assert stage_at == ["aborting"]
        assert rig.record.owner == "n1" and rig.state("n1") == "running"
