"""Does harm: to daemons, hosts, links, disks, clocks and guests, as the seed's dice fall.

Each run draws which kinds of harm it knows, so that some runs are all about one of them. Whatever
was done is undone by `calm`, after which the cluster has to come to rest by itself.
"""

from collections.abc import Callable

from cluster.core.model import MoveRecord
from packages.vm.driver import RunState
from tests.simulation.guardians import Guardians
from tests.simulation.host import Host
from tests.simulation.power import BROKEN_MANNERS, CONTROLLER, STRIP
from tests.simulation.world import World

DRIFT = 0.045
"""How far a host's clock may run from the truth. The margin of profile `lan` allows 0.6 / (2 * 3.5
+ 0.6) = 7.9 % (cluster/nodes/lease.py) and has to hold the guardian's precision too; the leader's
own lease of 0.9 times the voters' loyalty allows 5.2 % (cluster/raft/lease.py)."""
WALL_STEP_S = 20.0
"""Wall clocks decide nothing, so they may be as wrong as they like."""

FAILURES: tuple[RunState, ...] = ("io-error", "panicked", "watchdog")


class Nemesis:
    def __init__(self, world: World) -> None:
        self._world, self._dice = world, world.timeline.dice
        self._is_at_work = False
        self._down_until_s: dict[str, float] = {}
        kinds: list[Callable[[Host], None]] = [
            self._kill, self._kill, self._stop, self._cut_power, self._pause, self._pause,
            self._isolate, self._cut_one_way, self._cut_one_way, self._slow, self._trip,
            self._fill_disk, self._turn_clock, self._step_wall_clock, self._hurt_guest,
            self._hang_guest, self._break_copy, self._slow_disk,
        ]
        self._controllers = world.around.controllers
        if self._controllers is not None:
            kinds += [self._break_controller, self._cut_off_controllers]
            self._controllers.switched_off = self._switched_off
        if world.hardware.hosts_hang:
            kinds += [self._hang_host, self._hang_host, self._sicken_guardian]
        share = self._dice.choice((0.2, 0.5, 1.0))
        known = [each for each in kinds if self._dice.random() < share]
        self._kinds = known or [self._dice.choice(kinds)]
        if self._controllers is not None:
            self._kinds += [self._lose_switch]
        if world.hardware.hosts_hang:
            self._kinds += [self._hang_host]
        self._guardians = Guardians(world)
        self._pace_s = self._dice.choice((0.5, 1.5, 4.0, 10.0))
        self._ambushes = self._dice.choice((0.0, 0.2, 0.5))
        """How likely it is that it strikes just when a move comes to its next stage."""

    def begin(self) -> None:
        self._is_at_work = True
        for host in self._hosts():
            host.driver.tears = self._dice.choice((0.0, 0.0, 0.4))
            host.driver.switch_s = self._dice.choice((0.01, 0.1, 0.6))
        self._world.judge.moved = self._ambush
        self._supervise()
        self._next()
        if self._world.hardware.guardians_fail:
            self._guardians.begin()

    def _hosts(self) -> list[Host]:
        return list(self._world.hosts.values())

    def _next(self) -> None:
        if self._is_at_work:
            self._world.timeline.after(self._dice.expovariate(1 / self._pace_s), self._strike)

    def _strike(self) -> None:
        if self._is_at_work:
            harm, host = self._dice.choice(self._kinds), self._dice.choice(self._hosts())
            self._world.judge.saw(f"{harm.__name__} {host.name}")
            harm(host)
            self._next()

    def _ambush(self, move: MoveRecord) -> None:
        dice = self._dice
        if not self._is_at_work or dice.random() >= self._ambushes:
            return
        if not move.source:
            return  # it waits for others to end, and for a node to have the package
        host = self._world.hosts[dice.choice((move.source, move.target))]
        harm = dice.choice((
            self._kill, self._cut_power, self._pause, self._isolate, self._cut_one_way, self._trip,
            self._hurt_guest, self._hang_guest, self._break_copy,
        ))
        delay_s = dice.choice((0.0, dice.uniform(0.0, 0.05), dice.uniform(0.0, 0.5)))

        def strike() -> None:
            if self._is_at_work:
                self._world.judge.saw(f"ambush: {harm.__name__} {host.name}")
                harm(host)

        self._world.timeline.after(delay_s, strike)

    def _later(self, low_s: float, high_s: float, action: Callable[[], None]) -> None:
        self._world.timeline.after(self._dice.uniform(low_s, high_s), action)

    def _supervise(self) -> None:
        """What systemd does: a daemon that is gone is started again."""
        for host in self._hosts():
            is_due = self._world.timeline.now_s >= self._down_until_s.get(host.name, 0.0)
            if host.has_power and host.daemon is None and is_due and not (
                    host.has_left or host.is_hanging):
                host.start_daemon()
        self._world.timeline.after(0.2, self._supervise)

    # daemons and hosts

    def _leave_down(self, host: Host, low_s: float, high_s: float) -> None:
        down_s = self._dice.uniform(low_s, high_s)
        self._down_until_s[host.name] = self._world.timeline.now_s + down_s

    def _kill(self, host: Host) -> None:
        if host.is_hanging or self._guardians.needs_its_daemon(host):
            return
        self._leave_down(host, 0.0, self._dice.choice((0.5, 6.0)))
        host.kill_daemon()

    def _stop(self, host: Host) -> None:
        if host.node is not None and host.daemon is not None and not (
                self._guardians.needs_its_daemon(host)):
            self._leave_down(host, 0.0, 4.0)
            host.daemon.after(0.0, host.node.stopping.set)

    def _cut_power(self, host: Host) -> None:
        if host.has_power:
            self._leave_down(host, 0.5, 12.0)
            host.lose_power()
            if self._controllers is not None and self._dice.random() < 0.6:
                self._controllers.without_mains.add(host.name)
            self._later(0.5, 10.0, host.boot_again)

    # what switches hosts off

    def _switched_off(self, name: str) -> None:
        host = self._world.hosts[name]
        self._later(0.5, self._dice.choice((3.0, 15.0)), host.boot_again)

    def _break_controller(self, host: Host) -> None:
        assert self._controllers is not None
        manners, agent = self._controllers.manners, self._dice.choice((CONTROLLER, STRIP))
        manners[agent, host.name] = self._dice.choice(BROKEN_MANNERS)
        self._later(1.0, 20.0, lambda: manners.pop((agent, host.name), None))

    def _lose_switch(self, host: Host) -> None:
        """One to which the host is connected, and all that could switch it off."""
        assert self._controllers is not None
        manners, agents = self._controllers.manners, (CONTROLLER, STRIP)
        for agent in agents:
            manners[agent, host.name] = "deaf"
        self._isolate(host)
        self._later(2.0, 12.0, lambda: [manners.pop((each, host.name), None) for each in agents])

    def _cut_off_controllers(self, host: Host) -> None:
        """They stand in a network of their own."""
        assert self._controllers is not None
        cut_off = self._controllers.cut_off
        cut_off.add(host.name)
        self._later(1.0, 12.0, lambda: cut_off.discard(host.name))

    def _pause(self, host: Host) -> None:
        if host.daemon is not None and not self._guardians.needs_its_daemon(host):
            host.daemon.pause(self._dice.uniform(0.05, self._dice.choice((0.5, 2.0, 8.0))))

    def _hang_host(self, host: Host) -> None:
        if host.has_power and not host.is_hanging:
            host.hang(self._dice.uniform(0.3, self._dice.choice((2.0, 10.0, 20.0))))

    def _sicken_guardian(self, host: Host) -> None:
        """It does not get to run; everything else on the host goes on."""
        if host.has_power and not host.is_hanging and host.guard.is_alive:
            for_s = self._dice.uniform(0.3, self._dice.choice((2.0, 6.0, 15.0)))
            host.guard.pause(for_s)
            self._world.timeline.after(for_s, self._world.judge.woke, host)

    def _trip(self, host: Host) -> None:
        """It dies in the middle of some file operation."""
        if self._guardians.needs_its_daemon(host):
            return
        host.disk.stop_chance = self._dice.choice((0.02, 0.3))
        self._leave_down(host, 0.0, 3.0)

    def _fill_disk(self, host: Host) -> None:
        host.disk.is_full = True

        def make_room() -> None:
            host.disk.is_full = False

        self._later(0.5, 6.0, make_room)

    def _slow_disk(self, host: Host) -> None:
        host.disk.slow_share = self._dice.choice((0.1, 0.5, 1.0))
        host.disk.slowest_s = self._dice.choice((0.05, 0.5, 4.0))

        def recover() -> None:
            host.disk.slow_share = 0.0

        self._later(0.5, 8.0, recover)

    # links

    def _isolate(self, host: Host) -> None:
        for other in self._world.hosts:
            if other != host.name:
                self._world.network.cut(host.name, other)
                self._world.network.cut(other, host.name)
        self._later(0.3, self._dice.choice((1.5, 6.0, 16.0)), self._world.network.heal)

    def _cut_one_way(self, host: Host) -> None:
        other = self._dice.choice([each for each in self._world.hosts if each != host.name])
        self._world.network.cut(host.name, other)
        if self._dice.random() < 0.4:
            self._world.network.cut(other, host.name)
        self._later(0.3, self._dice.choice((1.5, 6.0, 16.0)), self._world.network.heal)

    def _slow(self, host: Host) -> None:
        other = self._dice.choice(list(self._world.hosts))
        self._world.network.slow(host.name, other, self._dice.choice((0.01, 0.1, 0.6)))

    # clocks

    def _turn_clock(self, host: Host) -> None:
        host.time.turn(1.0 + self._dice.uniform(-DRIFT, DRIFT))

    def _step_wall_clock(self, host: Host) -> None:
        host.time.wall_s += self._dice.uniform(-WALL_STEP_S, WALL_STEP_S)

    # guests

    def _some_guest(self, host: Host) -> str | None:
        if host.is_hanging:
            return None
        there = [name for name, each in sorted(self._world.around.fabric.nodes[host.name].items())
                 if each.exit is None]
        return self._dice.choice(there) if there else None

    def _hurt_guest(self, host: Host) -> None:
        package, fabric = self._some_guest(host), self._world.around.fabric
        if package is None:
            return
        kind = self._dice.random()
        with host.machine.running():
            if kind < 0.5:
                fabric.kill(host.name, package)
            elif kind < 0.9:
                fabric.break_guest(host.name, package, self._dice.choice(FAILURES))
            else:
                fabric.power_off(host.name, package)
        host.machine.stepped()

    def _hang_guest(self, host: Host) -> None:
        package, fabric = self._some_guest(host), self._world.around.fabric
        if package is None or not host.has_power:
            return
        guest = fabric.guest(host.name, package)

        def go_on() -> None:
            if guest is not None and guest.exit is None and not host.holds(guest):
                fabric.thaw(host.name, package)

        fabric.freeze(host.name, package)
        host.machine.after(self._dice.uniform(0.3, 6.0), go_on)
        host.machine.stepped()

    def _break_copy(self, host: Host) -> None:
        """The migration channel is lost under way."""
        package = self._some_guest(host)
        guest = package and self._world.around.fabric.guest(host.name, package)
        if guest and guest.migration in ("active", "pre-switchover", "device"):
            with host.machine.running():
                guest.fail("failed")
            host.machine.stepped()

    # the end

    def calm(self) -> None:
        self._is_at_work = False
        self._guardians.calm()
        self._down_until_s = {}
        self._world.network.heal()
        if self._controllers is not None:
            self._controllers.manners.clear()
            self._controllers.cut_off.clear()
        for host in self._hosts():
            host.disk.stop_chance, host.disk.is_full, host.disk.slow_share = 0.0, False, 0.0
            host.boot_again()
            host.driver.tears, host.driver.switch_s = 0.0, 0.01
