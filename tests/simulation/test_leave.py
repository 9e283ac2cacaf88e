"""Hosts that go down in order: one, the coordinator's, two at once, all, and one that is alone."""

import asyncio
from collections.abc import Iterator

import pytest

from cluster.api import messages as ask
from packages.core.model import DependencySpec, PackageSpec
from packages.core.problem import Problem
from packages.vm.driver import Guest
from tests.simulation.host import Build
from tests.simulation.hypervisor import SimulatedDriver
from tests.simulation.test_part_loss import state
from tests.simulation.test_simulation import ask_and_wait
from tests.simulation.test_site_power import all_run, blamed, packages, power_on
from tests.simulation.world import World, file_of, package

NODES = ("ape", "bee", "cat")
SHUTDOWN_S = 6.0
"""Longer than a lease: a guest that loses it on the way stands still, and is never shut down."""
WITHIN_S = 40.0
UP_S = 60.0


class Farm:
    """A world in which guests take their time to shut down, and what became of its hosts."""

    def __init__(self) -> None:
        self.shut_down: list[str] = []
        """Guests that have shut themselves down, in order."""
        shut_down = self.shut_down

        class SlowShutdown(SimulatedDriver):
            async def halt(self, guest: Guest, *, deadline_s: float) -> Problem | None:
                await asyncio.sleep(min(SHUTDOWN_S, deadline_s))
                found = self.inner._find(guest)
                if found is None or found.is_frozen or found.exit or deadline_s < SHUTDOWN_S:
                    return await self.carry(0.01, self.inner.destroy, guest)
                shut_down.append(guest.package)
                return await self.carry(0.01, self.inner.halt, guest, deadline_s=deadline_s)

        class Slow(Build):
            driver = SlowShutdown

        self.world = World(1, build=Slow())
        self.answers: dict[str, ask.Reply | Problem] = {}

    def given(self, *specs: PackageSpec) -> None:
        self.world.until(self.world.leader, within_s=5.0, what="an election")
        files = tuple(ask.NamedText(name=each.name, text=file_of(each)) for each in specs)
        reply = ask_and_wait(self.world, "bee", ask.ApplyPackages(request="a", files=files))
        assert reply.verdict == "done", reply
        self.world.until(all_run(self.world), within_s=20.0, what="all packages up")

    def goes_down(self, *names: str, within_s: float = WITHIN_S) -> None:
        """Each of these hosts asks its own daemon, and loses its power when that has answered."""
        for name in names:
            self.world.hosts[name].goes_down = True
            self.world.desk.begin(self._down(name, within_s))

    async def _down(self, name: str, within_s: float) -> None:
        order = ask.LeaveNode(
            request=f"down-{name}-{self.world.hosts[name].boots}", node=name, within_s=within_s,
            host_ends=True)
        answer = await self.world.asker.ask(name, order, deadline_s=within_s + 15.0)
        self.answers[name] = answer
        self.world.hosts[name].lose_power()

    def until_down(self, *names: str, within_s: float = WITHIN_S) -> None:
        self.world.until(
            lambda: not any(self.world.hosts[each].has_power for each in names),
            within_s=within_s, what=f"{names} down")
        for name in names:
            answer = self.answers[name]
            assert isinstance(answer, ask.Reply) and answer.verdict == "done", answer

    def where(self) -> dict[str, str | None]:
        return {each.name: each.owner for each in packages(self.world)}

    def lives(self) -> dict[str, str]:
        return {each.name: each.boot_id for each in packages(self.world)}

    def node(self, name: str) -> tuple[str, bool]:
        node = state(self.world).nodes[name]
        return node.state, node.leave is not None

    def back(self, *names: str) -> None:
        for name in names:
            self.world.hosts[name].boot()
            self.world.hosts[name].start_daemon()

    def nobody_is_blamed(self) -> None:
        self.world.until(all_run(self.world), within_s=UP_S, what="all packages up")
        self.world.until_settled(within_s=UP_S)
        for record in packages(self.world):
            assert (record.failures_ms, record.avoid, record.auto_run) == ((), (), True), record
        nodes = state(self.world).nodes
        assert not [each for each in nodes.values() if blamed(each)], nodes


@pytest.fixture
def farm() -> Iterator[Farm]:
    farm = Farm()
    with farm.world:
        yield farm


def vm(name: str, nodes: tuple[str, ...] = NODES, **fields: object) -> PackageSpec:
    return package(name, nodes, **{"halt_timeout_s": 15.0, "service_restart": 0, **fields})


def test_a_host_that_goes_down_is_emptied_and_comes_back_by_itself(farm: Farm) -> None:
    farm.given(
        vm("web"), vm("db", shutdown_policy="halt"), vm("tmp", shutdown_policy="leave"),
        vm("own", ("ape",)))
    before = farm.lives()
    for _ in range(4):
        farm.goes_down("ape")
        farm.until_down("ape")
        assert farm.node("ape") == ("halted", True)
        assert farm.where()["web"] != "ape" and farm.lives()["web"] == before["web"]
        farm.world.run(8.0)
        assert farm.node("ape") == ("halted", True), "nobody calls it dead"
        farm.back("ape")
        farm.nobody_is_blamed()
        assert farm.node("ape") == ("running", False)
        for name in farm.where():
            if farm.where()[name] != "ape":
                order = ask.MovePackage(request="", package=name, node="ape")
                assert ask_and_wait(farm.world, "cat", order).verdict == "done"
        farm.world.until(lambda: set(farm.where().values()) == {"ape"}, within_s=20.0, what="home")
        farm.world.until_settled(within_s=UP_S)
    assert farm.lives()["web"] == before["web"], "it was moved each time, and never restarted"
    assert farm.shut_down.count("db") == 4 and farm.shut_down.count("own") == 4
    assert "tmp" not in farm.shut_down and "web" not in farm.shut_down


@pytest.mark.parametrize("together", [("ape",), ("bee",), ("cat",), ("ape", "bee"), ("bee", "cat")])
def test_who_coordinates_or_goes_down_as_well_is_the_same(
    farm: Farm, together: tuple[str, ...],
) -> None:
    """Both empty themselves to the one that stays."""
    farm.given(*(vm(f"p{each}", NODES[number:] + NODES[:number])
                 for each, number in ((1, 0), (2, 1), (3, 2))))
    before = farm.lives()
    farm.goes_down(*together)
    farm.until_down(*together)
    farm.world.until(lambda: farm.world.leader() or together[1:], within_s=5.0, what="a leader")
    if len(together) == 1:
        assert not set(farm.where().values()) & set(together)
    farm.back(*together)  # beside two that are gone the third has no majority, and waits frozen
    farm.nobody_is_blamed()
    assert farm.lives() == before and not farm.shut_down, "moved, each of them"


def test_a_site_that_goes_down_in_order_shuts_its_guests_down_and_starts_them_in_order(
    farm: Farm,
) -> None:
    """Three times; dependents end first and start last, and nobody loses its lease on the way."""
    on = (DependencySpec(package="db"),)
    farm.given(vm("db", ("cat", "ape", "bee")), vm("web", dependencies=on),
               vm("app", ("bee", "cat", "ape"), dependencies=on))
    for number in range(3):
        lives = farm.lives()
        farm.goes_down(*NODES)
        farm.until_down(*NODES)
        ended = farm.shut_down[3 * number:]
        assert sorted(ended) == ["app", "db", "web"] and ended[-1] == "db", ended
        farm.world.run(20.0)
        power_on(farm.world, between_s=0.5)
        farm.nobody_is_blamed()
        assert not set(farm.lives().values()) & set(lives.values())
        since = {each.name: each.since_ms for each in packages(farm.world)}
        assert since["db"] < min(since["web"], since["app"])


def test_hosts_that_get_the_word_one_after_the_other_go_down_in_order_too(farm: Farm) -> None:
    farm.given(vm("web"), vm("db", ("cat", "ape", "bee")), vm("app", ("bee", "cat", "ape")))
    for name in NODES:
        farm.goes_down(name)
        farm.world.run(4.0)
    farm.until_down(*NODES)
    assert sorted(farm.shut_down) == ["app", "db", "web"]
    power_on(farm.world, between_s=0.5)
    farm.nobody_is_blamed()


@pytest.mark.parametrize("way", ["away", "towards"])
def test_a_move_under_way_ends_first(farm: Farm, way: str) -> None:
    here, there = ("ape", "bee") if way == "away" else ("bee", "ape")
    farm.given(vm("web", (here, there, "cat")))
    before = farm.lives()
    order = ask.MovePackage(request="m", package="web", node=there)
    farm.world.desk.begin(farm.world.asker.ask("cat", order, deadline_s=5.0))
    farm.world.until(lambda: packages(farm.world)[0].moving, within_s=5.0, what="a move")
    farm.goes_down("ape")
    farm.until_down("ape")
    farm.world.run(5.0)
    assert farm.lives() == before and farm.where()["web"] != "ape" and not farm.shut_down


def test_a_host_that_is_alone_ends_what_stands_frozen(farm: Farm) -> None:
    """Nothing can be agreed upon: its guests have no lease, and are not left to systemd's CONT."""
    farm.given(vm("web"))
    for name in ("bee", "cat"):
        farm.world.hosts[name].lose_power()
    farm.goes_down("ape")
    farm.world.until(lambda: "ape" in farm.answers, within_s=20.0, what="an answer")
    answer = farm.answers["ape"]
    assert isinstance(answer, ask.Reply) and answer.verdict == "no-quorum"
    assert answer.result["ended"] == ["web"]
    power_on(farm.world, between_s=0.5)
    farm.nobody_is_blamed()


def test_others_that_are_lost_on_the_way_hold_nobody_up(farm: Farm) -> None:
    farm.given(vm("web", ("ape",)))
    farm.goes_down("ape")
    farm.world.run(1.0)
    for name in ("bee", "cat"):
        farm.world.hosts[name].lose_power()
    farm.world.until(lambda: "ape" in farm.answers, within_s=10.0, what="an answer")
    answer = farm.answers["ape"]
    assert isinstance(answer, ask.Reply) and answer.verdict == "no-quorum", answer
    power_on(farm.world, between_s=0.5)
    farm.nobody_is_blamed()


def test_a_guest_that_does_not_hear_is_ended_in_time(farm: Farm) -> None:
    farm.given(vm("web", ("ape",), halt_timeout_s=600.0))
    farm.goes_down("ape", within_s=8.0)
    farm.until_down("ape", within_s=9.0)
    assert not farm.shut_down
    farm.back("ape")
    farm.nobody_is_blamed()


@pytest.mark.parametrize("order,after", [
    (ask.HaltNode(request="o", node="ape"), "halted"),
    (ask.DrainNode(request="o", node="ape"), "maintenance"),
])
def test_an_operators_halt_or_maintenance_stands(
    farm: Farm, order: ask.AnyRequest, after: str,
) -> None:
    farm.given(vm("web", ("bee", "cat")))
    assert ask_and_wait(farm.world, "cat", order).verdict == "done"
    farm.world.until(lambda: farm.node("ape") == (after, False), within_s=10.0, what=after)
    farm.goes_down("ape")
    farm.until_down("ape")
    farm.back("ape")
    farm.world.run(10.0)
    assert farm.node("ape") == (after, False)


def test_a_shutdown_that_comes_to_nothing_is_called_back(farm: Farm) -> None:
    farm.given(vm("web", ("ape",)))
    farm.world.desk.begin(farm.world.asker.ask("ape", ask.LeaveNode(
        request="l", node="ape", within_s=WITHIN_S), deadline_s=WITHIN_S))
    farm.world.run(2.0)
    assert farm.node("ape") == ("draining", True)
    resume = ask.ResumeNode(request="r", node="ape")
    assert ask_and_wait(farm.world, "bee", resume).verdict == "done"
    farm.nobody_is_blamed()
    assert farm.node("ape") == ("running", False) and farm.where()["web"] == "ape"


def test_a_daemon_that_begins_again_meanwhile_goes_on_leaving(farm: Farm) -> None:
    farm.given(vm("web", ("ape",)))
    farm.goes_down("ape")
    farm.world.run(2.0)
    farm.world.hosts["ape"].kill_daemon()
    farm.world.run(0.5)
    farm.world.hosts["ape"].start_daemon()
    farm.world.until(lambda: farm.node("ape") == ("halted", True), within_s=30.0, what="halted")
    farm.world.hosts["ape"].kill_daemon()
    farm.world.run(0.5)
    farm.world.hosts["ape"].start_daemon()
    farm.world.run(5.0)
    assert farm.node("ape") == ("halted", True), "its host has not booted"
