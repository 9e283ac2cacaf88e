"""A simulated cluster and its operator, in which the pains of docs/pains.md are told.

Every decision in it is the product's; clock, network, disks and hypervisor are the simulation's
(tests/simulation). Its judge looks on after each step and ends a story in which two copies run, a
guest outlives its lease, a node is called dead too soon or an exception is logged. What a story
looks at beside that is what an operator would: the guests, the record, the status.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster.api import messages as ask
from cluster.core.model import MoveStage, NodeRecord, PackageRecord, State
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.core.values import changed
from packages.vm.fake_guest import FakeGuest
from tests.simulation.host import Build, Host
from tests.simulation.judge import runs
from tests.simulation.world import World, file_of, package

PATIENCE_S = 25.0
DOWN_S = 1.0
"""For which a daemon that is started again was away: less than its node's lease."""


class Farm:
    def __init__(self, world: World) -> None:
        self.world = world
        self.hosts, self.fabric = world.hosts, world.around.fabric
        self._numbers = itertools.count(1)

    # the operator

    def answer(self, request: ask.AnyRequest, *, to: str | None = None) -> ask.Reply:
        """Asked of a node whose daemon runs; the answer."""
        node = to or next(name for name, host in self.hosts.items() if host.daemon is not None)
        asked = changed(request, request=f"r{next(self._numbers)}")
        answers: list[ask.Reply | Problem] = []

        async def asking() -> None:
            answers.append(await self.world.asker.ask(node, asked, deadline_s=PATIENCE_S))

        self.world.desk.begin(asking())
        self.until(lambda: answers, within_s=PATIENCE_S + 1.0, what=f"an answer to {asked}")
        assert isinstance(answers[0], ask.Reply), answers[0]
        return answers[0]

    def order(self, request: ask.AnyRequest) -> Any:
        """What is done as asked; its result."""
        answer = self.answer(request)
        assert answer.verdict == "done", answer.problems
        return answer.result

    def apply(self, *specs: PackageSpec) -> None:
        self.order(ask.ApplyPackages(files=tuple(
            ask.NamedText(name=each.name, text=file_of(each)) for each in specs)))

    def move(self, name: str, node: str) -> None:
        self.order(ask.MovePackage(package=name, node=node))

    def status(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.order(ask.GetStatus(verbose=True))
        return shown

    def shown(self, name: str) -> dict[str, Any]:
        """A package, as status shows it."""
        return next(each for each in self.status()["packages"] if each["name"] == name)

    def problems(self) -> dict[str, dict[str, Any]]:
        """What status complains of, by code; each says what would mend it."""
        found = {each["code"]: each for each in self.status()["problems"]}
        assert all(each["because"] and each["fix"] for each in found.values())
        return found

    # the record

    @property
    def state(self) -> State:
        host = self.world.leader() or next(
            each for each in self.hosts.values() if each.node is not None)
        assert host.node is not None
        return host.node.ledger.state

    def record(self, name: str = "web") -> PackageRecord:
        return self.state.packages[name]

    def node(self, name: str) -> NodeRecord:
        return self.state.nodes[name]

    def on(self, node: str) -> list[str]:
        """What runs there by the record, and is not on its way."""
        return [name for name, each in sorted(self.state.packages.items())
                if each.owner == node and each.state == "running" and not each.moving]

    def lives(self) -> dict[str, str]:
        return {name: each.boot_id for name, each in sorted(self.state.packages.items())}

    def told(self, subject: str) -> list[str]:
        """The history of one thing."""
        return [each.what for _, each in sorted(self.state.events.items())
                if each.subject == subject]

    # the guests

    def running(self, name: str = "web") -> list[str]:
        """The hosts on which its processors run at this instant."""
        there = ((host, self.fabric.guest(host, name)) for host in self.hosts)
        return [host for host, guest in there if guest is not None and runs(guest)]

    def guest(self, node: str, name: str = "web") -> FakeGuest:
        found = self.fabric.guest(node, name)
        assert found is not None, f"{name} is not on {node}"
        return found

    def pids(self) -> dict[str, int]:
        """Of everything that is there: a guest started anew has another."""
        return {
            f"{name} on {host}": each.guest.pid
            for host, guests in sorted(self.fabric.nodes.items())
            for name, each in sorted(guests.items()) if each.exit is None
        }

    # what happens

    def run(self, for_s: float) -> None:
        self.world.run(for_s)

    def until(self, holds: Callable[[], object], *, within_s: float, what: str) -> None:
        self.world.until(holds, within_s=within_s, what=what)

    def until_settled(self, *, within_s: float = 20.0) -> None:
        """Everything that should run does, once, watched; nothing is left over."""
        self.world.until_settled(within_s=within_s)

    def coordinator(self) -> Host:
        self.until(self.world.leader, within_s=10.0, what="a coordinator")
        leader = self.world.leader()
        assert leader is not None
        return leader

    def restart_daemon(self, name: str, *, down_s: float = DOWN_S) -> None:
        host = self.hosts[name]
        host.kill_daemon()
        self.world.timeline.after(down_s, host.start_daemon)

    def lose_power(self, name: str, *, back_after_s: float | None = None) -> None:
        self.hosts[name].lose_power()
        if back_after_s is not None:
            self.world.timeline.after(back_after_s, self.boot, name)

    def boot(self, name: str) -> None:
        self.hosts[name].boot()
        self.hosts[name].start_daemon()

    def cut_off(self, *names: str) -> None:
        """These hosts reach nobody, and nobody reaches them."""
        for name in names:
            for other in self.hosts:
                if other != name:
                    self.world.network.cut(name, other)
                    self.world.network.cut(other, name)

    def harm(self, node: str, action: Callable[[], None]) -> None:
        """Done on that host, as something that happens there by itself."""
        machine = self.hosts[node].machine
        with machine.running():
            action()
        machine.stepped()

    def at_stage(self, stage: MoveStage, action: Callable[[], None]) -> None:
        """Once, as soon as a move has come to this stage."""
        def look(move: Any) -> None:
            if move.stage == stage:
                self.world.judge.moved = lambda _: None
                self.world.timeline.after(0.0, action)

        self.world.judge.moved = look

    def as_soon_as(self, holds: Callable[[], bool], action: Callable[[], None]) -> None:
        """Looked at twice in a millisecond."""
        if holds():
            action()
        else:
            self.world.timeline.after(LOOK_S, self.as_soon_as, holds, action)


LOOK_S = 0.0005
WEB = package("web", ("ape", "bee", "cat"))


@contextmanager
def farm(*specs: PackageSpec, build: Build | None = None, **settings: Any) -> Iterator[Farm]:
    """Nodes ape, bee and cat, with these packages where they are at home; web, if none is named."""
    with World(1, build=build, **settings) as world:
        told = Farm(world)
        told.coordinator()
        told.run(1.0)  # everybody has been heard: each package starts at home
        told.apply(*(specs or (WEB,)))
        told.until(lambda: all(
            each.state == "running" for each in told.state.packages.values()
        ), within_s=20.0, what="everything runs")
        told.until_settled()
        yield told
