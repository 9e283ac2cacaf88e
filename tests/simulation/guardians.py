"""Harm to the guardians alone: stopped, or ended and started again at once or late, with what they
noted or without.

A guardian and a daemon that are both gone are left to the watchdog (docs/safety.md), so where
packages rest on leases alone nobody harms a daemon whose guardian is gone.
"""

from tests.simulation.guardian import Record
from tests.simulation.host import Host
from tests.simulation.world import World

AT_ONCE_S = 0.15
"""What the units take to start it again (conf/systemd/vmsg-guard.service: 100 ms)."""


PACE_S = 5.0
"""Between two losses, on the average."""
CUT_S = (6.0, 14.0)
"""Longer than the lease of profile `lan` and its margin."""


class Guardians:
    def __init__(self, world: World) -> None:
        self._world, self._dice = world, world.timeline.dice
        self._is_calm = False

    def begin(self) -> None:
        self._world.timeline.after(self._dice.expovariate(1 / PACE_S), self._strike)

    def _strike(self) -> None:
        if not self._is_calm:
            self.lose(self._dice.choice(list(self._world.hosts.values())))
            self.begin()

    def needs_its_daemon(self, host: Host) -> bool:
        """Its guardian is gone, and no watchdog and no stronger proof stands behind it."""
        return host.has_power and not self._world.hardware.hosts_hang and not (
            host.guard.is_alive and not host.guard.is_paused)

    def lose(self, host: Host) -> None:
        """Often the node is cut off soon after: its lease ends with nobody to see to it."""
        if not host.has_power or host.is_hanging or not host.guard.is_awake_for(0.0):
            return
        if not self._world.hardware.hosts_hang and (
                host.daemon is None or not host.daemon.is_awake_for(1.0)):
            return
        dice = self._dice
        for_s = dice.choice((AT_ONCE_S, dice.uniform(0.2, 2.0), dice.uniform(6.0, 12.0)))
        if dice.random() < 0.5:
            host.guard.pause(for_s)
            self._world.timeline.after(for_s, self._world.judge.woke, host)
        else:
            host.guard.kill()
            if dice.random() < 0.2:
                host.run_folder = Record()
            self._world.timeline.after(for_s, self.start, host, host.boots)
        self._world.judge.saw(f"loses its guardian {host.name}")
        self._world.judge.counts["guardians lost"] += 1
        if dice.random() < 0.6:
            self._world.timeline.after(dice.uniform(0.0, 3.0), self._cut_off, host)

    def _cut_off(self, host: Host) -> None:
        network = self._world.network
        if self._is_calm:
            return
        for other in self._world.hosts:
            if other != host.name:
                network.cut(host.name, other)
                network.cut(other, host.name)
        self._world.timeline.after(self._dice.uniform(*CUT_S), network.heal)

    def start(self, host: Host, boots: int) -> None:
        """As its unit does, on the same boot of the host."""
        if host.has_power and host.boots == boots and not host.guard.is_alive:
            if host.is_hanging:
                self._world.timeline.after(AT_ONCE_S, self.start, host, boots)
            else:
                host.start_guardian()
                self._world.judge.woke(host)

    def calm(self) -> None:
        self._is_calm = True
        for host in self._world.hosts.values():
            self.start(host, host.boots)
