"""A node whose guardian is silent: what the record says of it, and what it keeps away from it."""

from cluster.core import entries
from cluster.core.beside import Surroundings
from cluster.core.coordinator import node_views
from cluster.core.troubles import problems
from packages.core.placement import choose
from tests.core.test_apply import Story


def silent(node: str) -> Story:
    story = Story().running("n1")
    assert story.say(
        entries.GuardianChanged, node=node, incarnation="i1", is_silent=True) is None
    return story


def opened(story: Story, target: str) -> str | None:
    return story.say(entries.MoveOpened, move="m1", package="p1", target=target)


def around() -> Surroundings:
    return Surroundings(now_ms=5, leader="n1", quorum=True, term=1, addresses={})


def test_a_move_to_it_is_refused():
    assert opened(silent("n2"), "n2") == "guardian-unreachable"
    assert opened(silent("n3"), "n2") is None


def test_a_package_is_not_started_there():
    story = silent("n2")
    views = node_views(story.state, frozenset({"n1", "n2", "n3"}))
    chosen = choose(("n2", "n3"), views, blocked=frozenset(), avoid=())
    assert chosen.node == "n3"
    assert chosen.refused == (("n2", "its guardian does not answer"),)


def test_status_says_so_and_that_nothing_stands_behind_it():
    story = silent("n2")
    [found] = [each for each in problems(story.state, around())
               if each.code == "guardian-unreachable"]
    assert found.subject == "node:n2" and "has no watchdog" in found.because
    story.say(entries.WatchdogChanged, node="n2", incarnation="i1", name="iTCO_wdt", proves_s=10.0)
    [found] = [each for each in problems(story.state, around())
               if each.code == "guardian-unreachable"]
    assert "iTCO_wdt" in found.because


def test_only_the_life_that_the_record_knows_says_so():
    story = Story().running("n1")
    assert story.say(entries.GuardianChanged, node="n2", incarnation="another",
                     is_silent=True) == "stale-order"


def test_a_daemon_that_joins_says_how_it_stands():
    story = silent("n2")
    story.say(entries.NodeJoined, node="n2", incarnation="later", version="0.2.0")
    assert not story.state.nodes["n2"].guardian_silent
    story.say(entries.NodeJoined, node="n2", incarnation="latest", version="0.2.0",
              guardian_silent=True)
    assert story.state.nodes["n2"].guardian_silent
