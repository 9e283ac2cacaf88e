"""Facts of another node: asked for until it is reached, and asked once."""

from types import SimpleNamespace
from typing import Any

import pytest

from cluster.answers.survey import NodeAnswer, Survey
from cluster.api.messages import AnyRequest, Reply
from cluster.core.model import NodeRecord
from packages.core.facts import NodeFacts
from packages.core.problem import Problem, problem
from packages.core.values import plain

FACTS = NodeFacts(name="n2", version="1")


class Returning:
    """A neighbour with an answer for each time it is asked; the last one for ever."""

    def __init__(self, *answers: Reply | Problem) -> None:
        self._answers, self.asked = list(answers), 0

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def trouble(code: str) -> Problem:
    return problem(code, "node:n2", what="-", because="-", fix="-")


def survey(neighbour: Returning) -> Survey:
    nodes = {"n2": NodeRecord(name="n2", state="running")}
    rest: Any = None
    ledger: Any = SimpleNamespace(state=SimpleNamespace(nodes=nodes))
    return Survey(node="n1", config=rest, ledger=ledger, host=rest, peers={"n2": neighbour},
                  worker=rest, fences=rest)


class Leaving(Returning):
    """Removed from the cluster while it is asked."""

    def __init__(self) -> None:
        super().__init__(trouble("node-unreachable"))
        self.peers: dict[str, Returning] = {}

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        self.peers.clear()
        return await super().ask(request, deadline_s=deadline_s)


async def test_one_that_is_removed_meanwhile_is_given_up() -> None:
    """Found by the search: a drain was planned while a node left."""
    neighbour = Leaving()
    asking = survey(neighbour)
    neighbour.peers = asking._peers
    assert await asking.of("n2", ()) is None
    assert neighbour.asked == 1


TOLD = Reply(result=plain(NodeAnswer(facts=FACTS)))


async def test_a_node_that_has_just_come_back_is_waited_for() -> None:
    neighbour = Returning(trouble("node-unreachable"), trouble("node-unreachable"), TOLD)
    found = await survey(neighbour).of("n2", ())
    assert found is not None and found.facts == FACTS


@pytest.mark.parametrize("code, times", [("node-unreachable", 3), ("timed-out", 1)])
async def test_one_that_does_not_tell_is_given_up(code: str, times: int) -> None:
    neighbour = Returning(trouble(code))
    assert await survey(neighbour).of("n2", ()) is None
    assert neighbour.asked == times
