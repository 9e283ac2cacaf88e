"""Operators who change the cluster itself: nodes added, let in and removed, keys rotated.

Only in worlds whose doors open by keys. What they ask for is refused or carried out as the product
sees fit; a node that was added and has no host yet gets one, again and again until it is in.
"""

from collections.abc import Callable

from cluster.api import messages as ask
from cluster.config.cluster_file import cluster_from_text
from cluster.config.joining import JoinAnswer
from cluster.config.keys import trust_of
from cluster.core.model import State
from packages.core.values import shaped
from tests.simulation.keys import LINE, Folder
from tests.simulation.network import Asker
from tests.simulation.world import NAMES, World, address_of

PATIENCE_S = 20.0
LOOK_S = 1.5
"""How often somebody sees whether a node waits for its host."""
INVITED_FOR_S = 60.0


class Membership:
    def __init__(self, world: World) -> None:
        self._world, self._dice = world, world.timeline.dice
        self._is_at_work = False
        self._pace_s = self._dice.choice((1.0, 3.0, 8.0))
        self._orders: tuple[Callable[[], ask.AnyRequest], ...] = (
            self._add, self._add, self._remove, self._remove, self._rotate)
        self._unused = [name for name in NAMES if name not in world.hosts]
        self._coming: set[str] = set()

    def begin(self) -> None:
        self._is_at_work = True
        self._next()
        self._let_in()

    def calm(self) -> None:
        """Nothing new; who was added still comes in."""
        self._is_at_work = False

    def _next(self) -> None:
        self._world.timeline.after(self._dice.expovariate(1 / self._pace_s), self._give_order)

    def _give_order(self) -> None:
        if self._is_at_work:
            request = self._dice.choice(self._orders)()
            self._world.desk.begin(self._order(self._somebody(), request))
            self._next()

    async def _order(self, node: str, request: ask.AnyRequest) -> None:
        self._world.judge.saw(f"asks {node}: {request}")
        answer = await self._world.asker.ask(node, request, deadline_s=PATIENCE_S)
        self._world.judge.saw(f"answer to {request.request}: {answer}")
        if isinstance(answer, ask.Reply) and answer.verdict == "done":
            self._world.judge.counts[type(request).__name__] += 1

    def _somebody(self) -> str:
        return self._dice.choice(list(self._world.hosts))

    def _id(self) -> str:
        return self._world.around.clock.token()

    # what they ask for

    def _add(self) -> ask.AnyRequest:
        name = self._unused[0]
        state = self._state()
        if len(self._unused) > 1 and state is not None and name in (*state.nodes, *state.retired):
            del self._unused[0]
            name = self._unused[0]
        return ask.AddNode(
            request=self._id(), node=name, address=address_of(name),
            witness=self._dice.random() < 0.2)

    def _remove(self) -> ask.AnyRequest:
        return ask.RemoveNode(request=self._id(), node=self._somebody())

    def _rotate(self) -> ask.AnyRequest:
        return ask.RotateNode(request=self._id(), node=self._somebody())

    # hosts for those who were added

    def _let_in(self) -> None:
        state = self._state()
        for name in sorted(state.nodes) if state is not None else ():
            if name not in self._world.hosts and name not in self._coming:
                self._coming.add(name)
                self._world.desk.begin(self._bring_in(name, self._somebody()))
        self._world.timeline.after(LOOK_S, self._let_in)

    async def _bring_in(self, name: str, by: str) -> None:
        try:
            folder = await self._folder_for(name, by)
        finally:
            self._coming.discard(name)
        if folder is not None:
            self._world.judge.counts["came in"] += 1
            self._world.settle(name, folder)

    async def _folder_for(self, name: str, by: str) -> Folder | None:
        """By an invitation, as the commands do it; None: not this time."""
        world, folders = self._world, self._world.folders
        line, own, operator = (folders.make_key() for _ in range(3))
        invited = await world.asker.ask(by, ask.InviteNode(
            request=self._id(), node=name, key=line, role="monitor", for_s=INVITED_FOR_S,
        ), deadline_s=PATIENCE_S)
        if not isinstance(invited, ask.Reply) or invited.verdict != "done":
            return None
        host = Asker(f"{LINE}{line}", world.network, world.desk)
        joined = await host.ask(by, ask.JoinNode(
            request=self._id(), key=own, operator_key=operator, certificate_request="",
        ), deadline_s=PATIENCE_S)
        if not isinstance(joined, ask.Reply) or joined.verdict != "done":
            return None
        answer: JoinAnswer = shaped(joined.result, JoinAnswer)
        config, _ = cluster_from_text(answer.cluster)
        if config is None or name not in {each.name for each in config.nodes}:
            return None  # removed in the meantime
        return Folder(config, answer.cluster, trust_of(answer.keys), own)

    def _state(self) -> State | None:
        leader = self._world.leader()
        return leader.node.ledger.state if leader is not None and leader.node else None
