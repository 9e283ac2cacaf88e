"""Operators at work: requests of every kind, to any node, at any time, whatever the answer."""

from collections.abc import Callable

from cluster.api import messages as ask
from cluster.config.cluster_file import cluster_from_text
from cluster.config.load import dump
from cluster.core.model import State
from packages.core.model import PackageSpec
from packages.core.values import changed
from tests.simulation.world import World, file_of, package

PATIENCE_S = 20.0
NAMES = ("db", "mail", "web")


def is_even(request: str) -> bool:
    """A coin that costs no throw of the dice: runs known by their seeds stay what they are."""
    return int(request[-1], 16) % 2 == 0


class Operators:
    def __init__(self, world: World) -> None:
        self._world, self._dice = world, world.timeline.dice
        self._is_at_work = False
        self._pace_s = self._dice.choice((0.5, 1.5, 5.0))
        moving: list[Callable[[], ask.AnyRequest]] = [self._move] * 5 + [self._abort]
        emptying = [self._drain, self._resume, self._resume]
        halting = [self._halt, self._run, self._run, self._switch, self._switch, self._maintain]
        halting += [self._halt_node, self._run_node, self._run_node, self._apply]
        halting += [self._halt_cluster, self._run_cluster, self._run_cluster]
        self._orders = self._dice.choice((
            moving, moving, moving + emptying, moving + emptying, halting + moving,
            halting + moving + emptying,
        ))
        if world.hardware.has_controllers or world.hardware.hosts_hang:
            self._orders = [*self._orders, self._confirm_dead]
        if world.hardware.has_watchdogs:
            self._orders += [self._halt_node, self._run_node]
        if world.hardware.has_controllers:
            if self._dice.random() < 0.3:
                self._orders.append(self._fence)
        self._specs = self._made()

    def _made(self) -> list[PackageSpec]:
        hosts, specs = list(self._world.hosts), []
        for name in NAMES[:self._dice.choice((1, 2, 3))]:
            nodes = self._dice.sample(hosts, self._dice.choice((2, len(hosts))))
            specs.append(package(
                name, tuple(nodes), service_restart=self._dice.choice((0, 1, 3)),
                migration_bandwidth_mib_s=self._dice.choice((None, 1, 4, 10)),
                fence=self._world.hardware.fence, lease_is_proof=self._is_lease_enough(),
            ))
        return specs

    def _is_lease_enough(self) -> bool:
        if self._world.hardware.hosts_hang:
            return False
        return not self._world.hardware.has_controllers or self._dice.random() < 0.5

    def settle_in(self) -> None:
        """Apply the packages, again until the cluster takes them; which it never does once one of
        their nodes was removed."""
        state = self._state()
        if state is None or self._are_awaited(state):
            self._order(self._apply())
            self._world.timeline.after(2.0, self.settle_in)

    def _are_awaited(self, state: State) -> bool:
        return any(each.name not in state.packages for each in self._specs) and not any(
            node in state.retired for each in self._specs for node in each.nodes)

    def begin(self) -> None:
        self._is_at_work = True
        self._next()

    def _next(self) -> None:
        self._world.timeline.after(self._dice.expovariate(1 / self._pace_s), self._give_order)

    def _give_order(self) -> None:
        if self._is_at_work:
            self._order(self._dice.choice(self._orders)())
            self._next()

    def _order(self, request: ask.AnyRequest) -> None:
        node = self._dice.choice(list(self._world.hosts))
        self._world.judge.saw(f"asks {node}: {request}")
        self._world.desk.begin(self._ask(node, request))

    async def _ask(self, node: str, request: ask.AnyRequest) -> None:
        answer = await self._world.asker.ask(node, request, deadline_s=PATIENCE_S)
        self._world.judge.saw(f"answer to {request.request}: {answer}")

    # what they ask for

    def _id(self) -> str:
        return self._world.around.clock.token()

    def _package(self) -> str:
        return self._dice.choice(self._specs).name

    def _node(self) -> str:
        return self._dice.choice(list(self._world.hosts))

    def _for_s(self) -> float | None:
        return self._dice.choice((None, 1.0, 5.0))

    def _move(self) -> ask.AnyRequest:
        spec, state = self._dice.choice(self._specs), self._state()
        record = state.packages.get(spec.name) if state is not None else None
        there = record.owner if record is not None else None
        node = self._dice.choice([each for each in spec.nodes if each != there])
        return ask.MovePackage(request=self._id(), package=spec.name, node=node)

    def _abort(self) -> ask.AnyRequest:
        request, package = self._id(), self._package()
        if is_even(request[:-1]):
            return ask.ApplyCluster(request=request, text=self._other_profile())
        return ask.AbortMove(request=request, package=package)

    def _other_profile(self) -> str:
        """The cluster file as it is agreed upon, with the other profile."""
        state = self._state()
        config, _ = cluster_from_text(state.config_text if state is not None else "")
        config = config or self._world.config
        return dump(changed(config, profile="wan" if config.profile == "lan" else "lan"))

    def _run(self) -> ask.AnyRequest:
        node = self._dice.choice((None, self._node()))
        return ask.RunPackage(request=self._id(), package=self._package(), node=node)

    def _halt(self) -> ask.AnyRequest:
        return ask.HaltPackage(request=self._id(), package=self._package())

    def _switch(self) -> ask.AnyRequest:
        return ask.SetSwitching(
            request=self._id(), package=self._package(), enabled=self._dice.random() < 0.6,
            node=self._dice.choice((None, self._node())), for_s=self._for_s())

    def _maintain(self) -> ask.AnyRequest:
        return ask.SetMaintenance(
            request=self._id(), package=self._package(), on=self._dice.random() < 0.5,
            for_s=self._for_s())

    def _drain(self) -> ask.AnyRequest:
        request = self._id()
        return ask.DrainNode(
            request=request, node=self._node(), allow_restart=is_even(request))

    def _resume(self) -> ask.AnyRequest:
        request, node, bring_back = self._id(), self._node(), self._dice.random() < 0.5
        if is_even(request) and not bring_back:
            return ask.CancelDrain(request=request, node=node)
        return ask.ResumeNode(request=request, node=node, bring_back=bring_back)

    def _halt_node(self) -> ask.AnyRequest:
        return ask.HaltNode(
            request=self._id(), node=self._node(), force=self._dice.random() < 0.5,
            detach=self._dice.random() < 0.3)

    def _run_node(self) -> ask.AnyRequest:
        return ask.RunNode(request=self._id(), node=self._node())

    def _halt_cluster(self) -> ask.AnyRequest:
        return ask.HaltCluster(
            request=self._id(), force=self._dice.random() < 0.3, detach=self._dice.random() < 0.3)

    def _run_cluster(self) -> ask.AnyRequest:
        return ask.RunCluster(request=self._id())

    def _confirm_dead(self) -> ask.AnyRequest:
        """They have seen that it is off; if none is, they ask in vain."""
        off = [name for name, host in self._world.hosts.items() if not host.has_power]
        if not off:
            return self._run_cluster()
        request = self._id()
        return ask.ConfirmDead(
            request=request, node=self._dice.choice(off), reason="it is off",
            now=is_even(request))

    def _fence(self) -> ask.AnyRequest:
        node = self._node()
        self._world.judge.proofs.ordered_off(node)
        return ask.FenceNode(request=self._id(), node=node, reason="it burns")

    def _apply(self) -> ask.AnyRequest:
        return ask.ApplyPackages(request=self._id(), files=tuple(
            ask.NamedText(name=each.name, text=file_of(each)) for each in self._specs))

    # the end

    def calm(self) -> None:
        """No more orders but those that take back what earlier ones left behind."""
        self._is_at_work = False
        self._take_back()

    def _take_back(self) -> None:
        state = self._state()
        if state is not None:
            for request in self._amends(state):
                self._order(request)
        self._world.timeline.after(3.0, self._take_back)

    def _amends(self, state: State) -> list[ask.AnyRequest]:
        found: list[ask.AnyRequest] = [] if state.running else [self._run_cluster()]
        for name, node in sorted(state.nodes.items()):
            if node.state in ("draining", "maintenance"):
                found.append(ask.ResumeNode(request=self._id(), node=name))
            elif node.state == "quarantined":
                found.append(ask.UnquarantineNode(request=self._id(), node=name))
            elif node.state == "halted":
                found.append(ask.RunNode(request=self._id(), node=name))
        for name, record in sorted(state.packages.items()):
            if any(hold.kind == "maintenance" for hold in record.holds):
                found.append(ask.SetMaintenance(request=self._id(), package=name, on=False))
        return found

    def _state(self) -> State | None:
        leader = self._world.leader()
        return leader.node.ledger.state if leader is not None and leader.node else None
