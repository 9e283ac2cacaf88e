"""What becomes of a move whose guest stands for another reason than our switch, or for too long."""

import pytest

from cluster.core import entries
from packages.core.model import PhaseTimeouts
from packages.core.standing import LEAST_STAND_S, longest_stand_s, standing, stood_ill
from packages.vm.driver import RunState
from tests.core.test_apply import package
from tests.scenarios.agents_rig import Rig

SLOW_MIB_S = 1
"""At this pace the fake's copy takes most of a second."""
ILL: tuple[RunState, ...] = ("panicked", "io-error", "watchdog", "suspended", "paused")


async def copying(rig: Rig, **fields: object) -> None:
    """p1 runs on n1 and is being copied to n2."""
    for node in rig.nodes.values():
        node.begin()
    await rig.assign(package(migration_bandwidth_mib_s=SLOW_MIB_S, **fields), "n1")
    await rig.until(lambda: rig.record.state == "running")
    await rig.say(entries.MoveOpened, move="m1", package="p1", target="n2")
    await rig.until(lambda: migration(rig) == "active")


def migration(rig: Rig) -> str:
    guest = rig.fabric.guest("n1", "p1")
    return guest.migration if guest is not None else "gone"


@pytest.mark.parametrize("state", ILL)
async def test_a_guest_that_fails_in_the_copy_is_not_moved_but_restarted(state: RunState) -> None:
    """The move is called off, the target's copy ends, and the failure is what it is without one:
    a new life on the spot."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig)
        ran = []
        target = rig.fabric.guest("n2", "p1")
        assert target is not None
        target.listeners.append(lambda event: ran.append(event.kind))
        rig.fabric.break_guest("n1", "p1", state)
        await rig.until(lambda: rig.record.epoch == 2 and rig.state("n1") == "running")
        await rig.until(lambda: rig.state("n2") == "gone")
        assert rig.record.owner == "n1" and rig.record.boot_id != "b1"
        assert rig.record.move is not None and rig.record.move.result == "failed"
        assert "resumed" not in ran


async def test_a_guest_that_stood_before_its_move_is_not_sent() -> None:
    """No STOP is told of it: its copy would pause for the switch and wait there for ever."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig)
        source = rig.fabric.guest("n1", "p1")
        assert source is not None
        source.state = "paused"
        await rig.until(lambda: rig.record.epoch == 2 and rig.state("n1") == "running")
        assert rig.record.move is not None and rig.record.move.result == "failed"


async def test_a_failure_of_which_the_daemon_heard_nothing_is_not_carried_over() -> None:
    """It was restarted meanwhile, and finds a guest that pauses for the switch: the target sees
    what came over, and is asked before the commit."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig)
        await rig.nodes["n1"].end()
        rig.fabric.break_guest("n1", "p1", "panicked")
        await rig.until(lambda: migration(rig) == "pre-switchover")
        rig.nodes["n1"].begin()
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.state("n2") in ("panicked", "gone")
        assert ("n2", True) in rig.words
        await rig.until(lambda: rig.record.boot_id != "b1" and rig.state("n1") == "running")


async def test_a_target_that_arrived_ill_is_never_continued() -> None:
    """It is the target's by the record, as after a commit of an older version's daemon."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig)
        rig.nodes["n2"].has_lease = False
        await rig.until(lambda: rig.record.owner == "n2")
        target = rig.fabric.guest("n2", "p1")
        assert target is not None
        target.state, ran = "panicked", list[str]()
        target.listeners.append(lambda event: ran.append(event.kind))
        rig.nodes["n2"].has_lease = True
        await rig.until(lambda: rig.record.boot_id != "b1" and rig.record.state == "running")
        assert "resumed" not in ran
        assert rig.record.move is not None and rig.record.move.result == "failed"


async def test_a_switch_is_called_off_soon_when_the_target_hangs() -> None:
    """A small multiple of the budget, not the whole time of the phase: the source can go on."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig)
        rig.fabric.freeze("n2", "p1")
        source = rig.fabric.guest("n1", "p1")
        assert source is not None
        at_s = dict[str, float]()
        source.listeners.append(
            lambda event: at_s.setdefault(event.kind, rig.clock.boottime_s()))
        await rig.until(lambda: not rig.record.moving)
        assert rig.record.owner == "n1" and rig.state("n1") == "running"
        assert rig.record.epoch == 1 and rig.record.boot_id == "b1"
        assert at_s["resumed"] - at_s["stopped"] < LEAST_STAND_S + 1.0


async def test_a_target_that_hangs_when_the_source_is_lost_is_given_up_and_avoided() -> None:
    """Its node has its lease: it is not the guardian that keeps the hypervisor silent."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig, phase_timeouts=PhaseTimeouts(frozen_s=60.0))
        await rig.nodes["n1"].end()
        await rig.say(entries.MoveFrozen, move="m1", package="p1", stopped_at_ms=5.0, until_ms=9)
        rig.fabric.freeze("n2", "p1")
        began_s = rig.clock.boottime_s()
        await rig.fail("n1")
        await rig.until(lambda: not rig.record.moving)
        assert rig.clock.boottime_s() - began_s < 12.0
        assert rig.record.avoid == ("n2",) and rig.record.state == "relocate_wait"
        assert rig.state("n2") == "gone"


async def test_a_copy_that_cannot_be_ended_is_not_called_lost() -> None:
    """The package would be started elsewhere while its process is there."""
    async with Rig("n1", "n2", "n3") as rig:
        await copying(rig)
        await rig.nodes["n1"].end()
        await rig.say(entries.MoveFrozen, move="m1", package="p1", stopped_at_ms=5.0, until_ms=9)
        target = rig.fabric.guest("n2", "p1")
        assert target is not None
        target.cannot_end = True
        target.state, target.partner = "panicked", None
        await rig.fail("n1")
        until_s = rig.clock.boottime_s() + 0.5
        await rig.until(lambda: rig.clock.boottime_s() > until_s)
        assert rig.record.moving
        target.cannot_end = False
        rig.nodes["n2"].agent.wake()
        await rig.until(lambda: not rig.record.moving and rig.state("n2") == "gone")


def test_only_our_own_switch_is_one() -> None:
    assert standing("switchover") == "switch"
    assert {standing(each) for each in ILL} == {"ill"}
    assert standing("a state of a later QEMU") == "ill"
    assert stood_ill("postmigrate", "cancelled") and not stood_ill("postmigrate", "completed")


def test_a_guest_stands_a_small_multiple_of_its_budget() -> None:
    phases = {"io_quiesce_s": 15.0, "frozen_s": 60.0}
    assert longest_stand_s(300, **phases) == 2.0
    assert longest_stand_s(1000, **phases) == 5.0
    assert longest_stand_s(300, io_quiesce_s=0.5, frozen_s=0.5) == 1.0
