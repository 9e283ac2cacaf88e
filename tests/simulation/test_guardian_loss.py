"""A node without its guardian, told step by step: what it counts on, says, and stops by itself."""

from cluster.api import messages as ask
from cluster.core.model import State
from tests.simulation.guardian import Record
from tests.simulation.hardware import Hardware
from tests.simulation.host import Host
from tests.simulation.test_simulation import ask_and_wait, cut_off, owner, web_on_a_follower
from tests.simulation.world import World

LEASE_S = 3.5
SAID_WITHIN_S = 1.0
SURE = Hardware()


def state(world: World) -> State:
    leader = world.leader()
    assert leader is not None and leader.node is not None
    return leader.node.ledger.state


def stands(host: Host) -> bool:
    guest = host.around.fabric.guest(host.name, "web")
    return guest is not None and guest.is_frozen


def holds(host: Host) -> bool:
    assert host.node is not None
    with host.daemon.running():  # type: ignore[union-attr]
        return host.node.tenant.holds()


def lose_guardian(host: Host) -> None:
    host.guard.kill()


def test_a_silent_guardian_is_in_the_record_within_a_second() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        lose_guardian(world.hosts[here])
        world.until(lambda: state(world).nodes[here].guardian_silent, within_s=SAID_WITHIN_S,
                    what="said")
        assert owner(world) == here and not stands(world.hosts[here])


def test_cut_off_without_its_guardian_the_guest_is_stopped_by_the_daemon() -> None:
    """And taken over: that it never ran beside its successor, the judge sees."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        lose_guardian(world.hosts[here])
        cut_off(world, here)
        world.until(lambda: stands(world.hosts[here]), within_s=LEASE_S + 0.1, what="stopped")
        world.until(lambda: owner(world) not in (None, here), within_s=6.0, what="taken over")


def test_heard_without_a_guardian_it_is_granted_nothing_and_loses_its_guest() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        lose_guardian(world.hosts[here])
        world.until(lambda: owner(world) not in (None, here), within_s=8.0, what="taken over")
        assert state(world).nodes[here].state == "failed"
        world.run(10.0)
        assert state(world).nodes[here].state == "failed", "it joins when its guardian is there"
        world.hosts[here].start_guardian()
        world.until_settled(within_s=10.0)


def test_it_is_not_shot_for_its_guardian() -> None:
    """A node that is heard is not fenced: its guests stand by themselves."""
    with World(1, hardware=Hardware(has_controllers=True)) as world:
        here = web_on_a_follower(world)
        lose_guardian(world.hosts[here])
        world.until(lambda: owner(world) not in (None, here), within_s=8.0, what="taken over")
        assert world.hosts[here].has_power


def test_a_guardian_that_is_back_in_time_lets_everything_go_on() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        epoch = state(world).packages["web"].epoch
        lose_guardian(world.hosts[here])
        world.run(2.0)
        world.hosts[here].start_guardian()
        world.until(lambda: not state(world).nodes[here].guardian_silent, within_s=2.0,
                    what="heard again")
        world.until_settled(within_s=5.0)
        assert (owner(world), state(world).packages["web"].epoch) == (here, epoch)


def test_what_the_daemon_stopped_goes_on_with_the_next_acknowledged_lease() -> None:
    """A guardian that was stopped, and goes on between the end of the lease and the takeover."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        epoch = state(world).packages["web"].epoch
        host = world.hosts[here]
        host.guard.pause(LEASE_S + 0.3)
        world.until(lambda: stands(host), within_s=LEASE_S + 0.2, what="stopped")
        world.until(lambda: not stands(host), within_s=2.0, what="it goes on")
        world.until_settled(within_s=5.0)
        assert (owner(world), state(world).packages["web"].epoch) == (here, epoch)


def test_what_the_daemon_stopped_once_it_stops_again() -> None:
    """Let go on by its guardian, and then that is gone as well."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        host.guard.pause(LEASE_S + 0.3)
        world.until(lambda: stands(host), within_s=LEASE_S + 0.2, what="stopped")
        world.until(lambda: not stands(host), within_s=2.0, what="it goes on")
        world.until_settled(within_s=5.0)
        assert host.node is not None and not host.node.worker.frozen, "it is the guardian's again"
        lose_guardian(host)
        cut_off(world, here)
        world.until(lambda: stands(host), within_s=LEASE_S + 0.1, what="stopped again")


def test_a_daemon_that_starts_stops_nobody_whose_guardian_is_about_to_answer() -> None:
    """By the lease that it has noted: one that was just started has renewed none."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        host.kill_daemon()
        host.guard.pause(0.5)
        host.start_daemon()
        for _ in range(30):
            world.run(0.1)
            assert not stands(host)


def test_a_lease_counts_from_its_acknowledgement() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        assert holds(host)
        host.guard.pause(LEASE_S + 0.4)
        world.run(LEASE_S + 0.2)
        assert not holds(host), "granted while the guardian was silent, and held by nobody"


def test_nothing_is_started_on_a_node_without_a_guardian() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        leader = world.leader()
        assert leader is not None
        third = next(each for each in world.hosts if each not in (here, leader.name))
        lose_guardian(world.hosts[third])
        world.until(lambda: state(world).nodes[third].guardian_silent, within_s=SAID_WITHIN_S,
                    what="said")
        world.hosts[here].lose_power()
        world.until(lambda: owner(world) == leader.name, within_s=8.0, what="taken over")


def test_a_coordinator_without_its_guardian_gives_its_own_guest_up() -> None:
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        leader = world.leader()
        assert leader is not None
        order = ask.MovePackage(request="d", package="web", node=leader.name)
        assert ask_and_wait(world, here, order).verdict == "done"
        world.until(lambda: owner(world) == leader.name, within_s=10.0, what="web on the leader")
        world.until_settled(within_s=5.0)
        lose_guardian(leader)
        world.until(lambda: owner(world) not in (None, leader.name), within_s=10.0,
                    what="taken over")


def begin_again(host: Host) -> None:
    host.kill_daemon()
    host.start_daemon()


def test_a_daemon_that_begins_while_its_guardian_is_stopped_ends_the_lease_itself() -> None:
    """It was told nothing by that guardian, whose record says until when."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        cut_off(world, here)
        host.guard.pause(20.0)
        noted_s = host.run_folder.lease.expiry_s
        world.run(noted_s - host.time.now_s() - 0.15)
        begin_again(host)
        world.run(0.05)
        assert not stands(host), "its lease is good"
        world.until(lambda: stands(host), within_s=0.2, what="stopped")


def test_a_daemon_that_begins_after_the_noted_lease_ends_it_at_once() -> None:
    """Found by a fresh seed: it waited for as long as between two questions to its guardian."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        cut_off(world, here)
        host.guard.pause(20.0)
        host.kill_daemon()
        world.run(host.run_folder.lease.expiry_s - host.time.now_s() + 0.01)
        host.start_daemon()
        world.until(lambda: stands(host), within_s=0.1, what="stopped")


def test_a_daemon_that_has_not_renewed_the_lease_ends_it_where_its_guardian_is_lost() -> None:
    """It was answered by that guardian until a moment before the end."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        cut_off(world, here)
        begin_again(host)
        world.until(lambda: host.granted_until_s - host.time.now_s() < 0.1, within_s=LEASE_S,
                    what="the end of the lease is near")
        host.guard.pause(20.0)
        world.until(lambda: stands(host), within_s=0.2, what="stopped")


def test_a_daemon_that_finds_neither_guardian_nor_record_stops_its_guests() -> None:
    """As the guardian's successor would."""
    with World(1, hardware=SURE) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        lose_guardian(host)
        host.run_folder = host.guardian.record = Record()
        cut_off(world, here)
        begin_again(host)
        world.until(lambda: stands(host), within_s=0.3, what="stopped")
        world.network.heal()
        host.start_guardian()
        world.until_settled(within_s=10.0)
        assert not stands(host)


def test_a_removed_node_leaves_no_copy_behind() -> None:
    """It hears of its death and of its removal at the same time."""
    with World(1, hardware=SURE, has_keys=True) as world:
        here = web_on_a_follower(world)
        host = world.hosts[here]
        lose_guardian(host)
        world.until(lambda: state(world).nodes[here].state == "failed", within_s=8.0, what="dead")
        assert host.daemon is not None
        host.daemon.pause(2.0)
        world.until(lambda: owner(world) not in (None, here), within_s=2.0, what="taken over")
        leader = world.leader()
        assert leader is not None
        order = ask.RemoveNode(request="r", node=here)
        assert ask_and_wait(world, leader.name, order).verdict == "done"
        assert stands(host) and host.daemon.is_paused
        world.until(lambda: host.around.fabric.guest(here, "web") is None, within_s=30.0,
                    what="nothing is left")
