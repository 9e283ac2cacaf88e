"""One part that something rests on is stopped, slow, wrong or gone, told step by step.

The judge looks on: a second running copy, a guest without a lease or a death called too soon ends
a story at once.
"""

import pytest

from cluster.core.model import State
from tests.simulation.broken_proofs import SuccessBelieved
from tests.simulation.guardian import Record
from tests.simulation.hardware import Hardware
from tests.simulation.judge import Broken
from tests.simulation.power import CONTROLLER, STRIP
from tests.simulation.test_simulation import cut_off, owner, web_on_a_follower
from tests.simulation.watchdog import HARDWARE
from tests.simulation.world import World

LEASE_S = 3.5
TAKEN_OVER_S = 6.0
HOUR_S = 3600.0
SURE = Hardware()


def state(world: World) -> State:
    leader = world.leader()
    assert leader is not None and leader.node is not None
    return leader.node.ledger.state


def stands(world: World, here: str) -> bool:
    guest = world.around.fabric.guest(here, "web")
    return guest is not None and guest.is_frozen


def life(world: World) -> tuple[str | None, int]:
    return owner(world), state(world).packages["web"].epoch


def taken_over(world: World, here: str, *, within_s: float) -> None:
    world.until(lambda: owner(world) not in (None, here), within_s=within_s, what="taken over")


# the daemon


def test_a_daemon_stopped_for_ten_seconds_is_taken_over_and_ends_its_guest() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        daemon = world.hosts[here].daemon
        assert daemon is not None
        daemon.pause(10.0)
        world.until(lambda: stands(world, here), within_s=LEASE_S + 0.1, what="stopped")
        taken_over(world, here, within_s=TAKEN_OVER_S)
        world.run(10.0)
        world.until_settled(within_s=10.0)
        assert world.around.fabric.guest(here, "web") is None


def test_a_daemon_that_comes_back_too_late_ends_what_it_finds_before_it_joins() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        host.kill_daemon()
        taken_over(world, here, within_s=TAKEN_OVER_S)
        assert stands(world, here), "its guardian has stopped it"
        host.start_daemon()
        fabric = world.around.fabric
        world.until(lambda: fabric.guest(here, "web") is None, within_s=5.0, what="ended")
        world.until_settled(within_s=10.0)


def test_a_coordinator_stopped_for_ten_seconds_costs_nobody_a_guest() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        leader, before = world.leader(), life(world)
        assert leader is not None and leader.daemon is not None
        leader.daemon.pause(10.0)
        world.run(12.0)
        world.until_settled(within_s=10.0)
        assert life(world) == before and not stands(world, here)


# the guardian


@pytest.mark.parametrize("daemon_first", [True, False])
def test_daemon_and_guardian_killed_at_once_come_back_in_either_order(daemon_first: bool) -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host, before = world.hosts[here], life(world)
        host.guard.kill()
        host.kill_daemon()
        world.run(0.5)
        starts = [host.start_daemon, host.start_guardian]
        for start in starts if daemon_first else reversed(starts):
            start()
            world.run(0.5)
        world.until_settled(within_s=10.0)
        assert life(world) == before and not stands(world, here)


def test_a_guardian_stopped_for_ten_seconds_is_replaced_by_the_daemon_and_the_cluster() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        world.hosts[here].guard.pause(10.0)
        world.until(lambda: state(world).nodes[here].guardian_silent, within_s=1.0, what="said")
        world.until(lambda: stands(world, here), within_s=LEASE_S + 0.1, what="stopped")
        taken_over(world, here, within_s=TAKEN_OVER_S)
        world.until_settled(within_s=20.0)


def test_a_guardian_that_comes_back_without_its_record_is_told_everything_anew() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host, before = world.hosts[here], life(world)
        host.guard.kill()
        host.run_folder = Record()
        host.start_guardian()
        world.run(2.0)
        assert life(world) == before and not stands(world, here)
        cut_off(world, here)
        world.until(lambda: stands(world, here), within_s=LEASE_S + 0.1, what="stopped")
        taken_over(world, here, within_s=TAKEN_OVER_S)


def test_daemon_and_guardian_stopped_at_once_are_what_the_watchdog_is_for() -> None:
    """Without one, status says that nothing stands behind both (tests/core/test_guarded_nodes.py).
    """
    with World(1, hardware=Hardware(has_watchdogs=True)) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        host = world.hosts[here]
        assert host.watchdog is not None and host.watchdog.name == HARDWARE
        world.run(3.0)  # until the record has what its guardian pets
        host.guard.pause(30.0)
        assert host.daemon is not None
        host.daemon.pause(30.0)
        world.until(lambda: not host.has_power, within_s=6.0, what="reset")
        taken_over(world, here, within_s=15.0)
        assert world.judge.counts["proof watchdog"] == 1


# clocks


def test_wall_clocks_an_hour_off_decide_nothing() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        before = life(world)
        for host, off_s in zip(world.hosts.values(), (HOUR_S, -HOUR_S, 2 * HOUR_S)):
            host.time.wall_s += off_s
        world.run(10.0)
        assert life(world) == before and not stands(world, here)
        world.hosts[here].lose_power()
        taken_over(world, here, within_s=TAKEN_OVER_S)
        world.hosts[here].boot_again()
        world.hosts[here].start_daemon()
        world.until_settled(within_s=20.0)


def test_a_host_that_was_suspended_has_no_lease_when_it_wakes() -> None:
    """CLOCK_BOOTTIME has gone on: its guests stand as soon as its guardian is scheduled."""
    with World(1, hardware=Hardware(hosts_hang=True)) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        before = life(world)
        world.hosts[here].hang(10.0)
        world.run(10.05)
        assert stands(world, here)
        world.until_settled(within_s=20.0)
        assert life(world) == before, "the end of a lease proves nothing about such a host"


# disks


def test_a_full_disk_of_the_owner_for_ten_seconds_gives_no_second_copy() -> None:
    """It can write down nothing: it leaves, its guest stands, and it is taken over or goes on."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        world.hosts[here].disk.is_full = True
        world.run(10.0)
        world.hosts[here].disk.is_full = False
        if world.hosts[here].daemon is None:
            world.hosts[here].start_daemon()
        world.until_settled(within_s=20.0)


# power fences


def test_a_controller_that_reports_success_frees_nothing_while_the_host_is_on() -> None:
    with World(1, hardware=Hardware(has_controllers=True)) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        controllers = world.around.controllers
        assert controllers is not None
        for each in (CONTROLLER, STRIP):
            controllers.manners[each, here] = "lies"
        cut_off(world, here)
        world.run(15.0)
        assert world.hosts[here].has_power and world.judge.counts["proof power"] == 0
        controllers.manners.clear()
        world.until(lambda: not world.hosts[here].has_power, within_s=25.0, what="switched off")
        taken_over(world, here, within_s=20.0)
        assert world.judge.counts["proof power"] == 1


def test_one_that_is_believed_is_caught() -> None:
    hardware = Hardware(has_controllers=True)
    with World(1, hardware=hardware, build=SuccessBelieved()) as world:
        here = web_on_a_follower(world, lease_is_proof=False)
        controllers = world.around.controllers
        assert controllers is not None
        for each in (CONTROLLER, STRIP):
            controllers.manners[each, here] = "lies"
        cut_off(world, here)
        with pytest.raises(Broken) as caught:
            world.run(15.0)
        assert caught.value.checker in SuccessBelieved.caught_by
