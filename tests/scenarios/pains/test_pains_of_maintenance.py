"""Pains of maintenance, told: guests stopped, races, loops, a queue that one node fills."""

from collections.abc import Callable
from functools import partial

from cluster.api import messages as ask
from cluster.core.model import MoveRecord
from tests.scenarios.pains.farm import WEB, Farm, farm
from tests.simulation.world import package

PLACES = ("ape", "bee", "cat")
EMPTY_S = 60.0


def on_ape(number: int) -> list[str]:
    return [f"p{each}" for each in range(1, number + 1)]


def drain(told: Farm, node: str, **settings: bool) -> dict[str, object]:
    found: dict[str, object] = told.order(ask.DrainNode(node=node, **settings))
    return found


def is_empty(told: Farm, node: str = "ape") -> bool:
    return told.node(node).state == "maintenance"


def break_copies(told: Farm, name: str) -> Callable[[], None]:
    """Each copy of this package breaks under way, until what is returned is called."""
    names = {name}

    def begun(move: MoveRecord) -> None:
        if move.package in names and move.stage == "copy":
            told.as_soon_as(partial(is_copying, told, name), break_copy)

    def break_copy() -> None:
        guest = told.fabric.guest("ape", name)
        if names and guest is not None and guest.migration == "active":
            told.harm("ape", partial(guest.fail, "failed"))

    told.world.judge.moved = begun
    return names.clear


def is_copying(told: Farm, name: str) -> bool:
    guest = told.fabric.guest("ape", name)
    return guest is None or guest.migration == "active" or not told.record(name).moving


def test_p08_a_drain_that_cannot_end_tries_each_node_once_and_can_be_called_off() -> None:
    with farm() as told:
        before = told.pids()
        break_copies(told, "web")
        drain(told, "ape")
        told.until(lambda: told.node("ape").stuck, within_s=30.0, what="it is given up")
        told.run(120.0)
        assert told.told("package:web").count("move opened") == 2, "to bee, and to cat"
        assert not told.state.moves and told.pids() == before
        (stuck,) = told.node("ape").stuck
        assert stuck.tried == ("bee", "cat") and stuck.problem.fix
        assert "move-failed" in told.problems()
        told.order(ask.CancelDrain(node="ape"))
        assert told.node("ape").state == "running"
        told.until_settled()


def test_p08_a_move_that_fails_is_not_tried_again_while_it_waits_for_its_next_node() -> None:
    """The way to the next one is taken by others meanwhile."""
    names = on_ape(8)
    with farm(*(package(name, PLACES) for name in names)) as told:
        break_copies(told, "p1")
        drain(told, "ape")
        told.until(lambda: told.node("ape").stuck and told.on("ape") == ["p1"],
                   within_s=EMPTY_S, what="the others have left")
        assert told.told("package:p1").count("move opened") == 2, "to bee, and to cat"
        (stuck,) = told.node("ape").stuck
        assert set(stuck.tried) == {"bee", "cat"}


def test_p11_a_node_that_is_emptied_leaves_room_for_the_moves_of_others() -> None:
    names = on_ape(12)
    mail = package("mail", ("bee", "cat", "ape"))
    with farm(*(package(name, PLACES) for name in names), mail) as told:
        most = watched(told, lambda: [
            (each.move.source, each.move.target) for each in told.state.packages.values()
            if each.moving and each.move])
        drain(told, "ape")
        told.run(1.0)
        told.move("mail", "cat")
        told.until(lambda: "mail" in told.on("cat"), within_s=15.0, what="mail moved")
        assert told.on("ape"), "it did not wait for the drain's end"
        told.until(lambda: is_empty(told), within_s=EMPTY_S, what="an empty node")
        for routes in most:
            assert len({frozenset(each) for each in routes}) == len(routes), "one on each link"
            assert all(sum(node in each for each in routes) <= 2 for node in PLACES)
        assert max(map(len, most)) >= 2


def watched(told: Farm, look: Callable[[], list[tuple[str, str]]]) -> list[list[tuple[str, str]]]:
    """What was seen every few milliseconds from now on."""
    seen: list[list[tuple[str, str]]] = []

    def again() -> None:
        seen.append(look())
        told.world.timeline.after(0.02, again)

    again()
    return seen


def test_p12_no_guest_is_stopped_for_maintenance_and_none_goes_where_it_is_under_way() -> None:
    names = on_ape(4)
    with farm(*(package(name, PLACES) for name in names)) as told:
        lives = told.lives()
        break_copies(told, "p2")
        drain(told, "cat")
        told.until(lambda: is_empty(told, "cat"), within_s=5.0, what="cat is empty")
        plan = drain(told, "ape")
        moves = plan["moves"]
        assert isinstance(moves, list) and {each["target"] for each in moves} == {"bee"}
        standing = watched(told, lambda: [
            (name, "") for name in names if not told.running(name)
            and told.record(name).move is None])
        told.until(lambda: told.node("ape").stuck, within_s=EMPTY_S, what="one is stuck")
        told.until(lambda: len(told.on("bee")) == 3, within_s=EMPTY_S, what="the others left")
        told.run(10.0)
        assert told.on("ape") == ["p2"] and told.running("p2") == ["ape"]
        assert told.lives() == lives and not any(standing)
        assert told.on("cat") == [] and told.node("ape").state == "draining"
        assert told.node("ape").stuck[0].problem.fix


def test_p13_nothing_arrives_on_a_node_that_is_emptied_and_one_failure_ends_nothing() -> None:
    """While it goes on: a move on its way there, a new package at home there, a node that dies."""
    mail, db = package("mail", ("bee", "ape", "cat")), package("db", ("cat", "ape", "bee"))
    with farm(*(package(name, PLACES) for name in on_ape(5)), mail, db) as told:
        mend = break_copies(told, "p1")
        told.move("mail", "ape")
        arrived = watched(told, lambda: [
            (name, node) for name, node in (("mail", "ape"), ("db", "ape"), ("new", "ape"))
            if told.running(name) == [node]])
        drain(told, "ape")
        told.apply(package("new", PLACES))
        told.until(lambda: told.running("new") == ["bee"], within_s=10.0, what="new starts on bee")
        told.lose_power("cat")
        told.until(lambda: told.running("db") == ["bee"], within_s=10.0, what="db is on bee")
        told.until(lambda: told.node("ape").stuck, within_s=EMPTY_S, what="p1 is stuck")
        told.until(lambda: told.on("ape") == ["p1"], within_s=EMPTY_S, what="the others left")
        assert told.node("ape").state == "draining", "it is not said to be empty"
        assert not any(arrived) and told.running("p1") == ["ape"]
        mend()
        drain(told, "ape")
        told.until(lambda: is_empty(told), within_s=EMPTY_S, what="an empty node")
        assert told.running("p1") == ["bee"]
        told.until(lambda: not told.fabric.guest("ape", "p1"), within_s=1.0, what="nothing is left")
        told.boot("cat")
        told.order(ask.ResumeNode(node="ape"))
        told.until_settled()


def test_p22_those_that_can_come_home_do_and_the_others_stay_where_they_run() -> None:
    names = on_ape(4)
    with farm(*(package(name, PLACES) for name in names)) as told:
        lives = told.lives()
        drain(told, "ape")
        told.until(lambda: is_empty(told), within_s=EMPTY_S, what="an empty node")
        told.hosts["ape"].facts.missing_disks = {"/dev/p3"}
        answer = told.answer(ask.ResumeNode(node="ape", bring_back=True))
        assert answer.result["returned"] == ["p1", "p2", "p4"]
        assert [each.code for each in answer.problems] == ["disk-not-visible"]
        assert told.running("p3") in (["bee"], ["cat"]) and told.lives() == lives
        assert told.node("ape").state == "running"


def test_p22_some_are_brought_home_and_the_rest_is_left_alone() -> None:
    names = on_ape(4)
    with farm(*(package(name, PLACES) for name in names)) as told:
        lives = told.lives()
        drain(told, "ape")
        told.until(lambda: is_empty(told), within_s=EMPTY_S, what="an empty node")
        done = told.order(ask.ResumeNode(node="ape", bring_back=True, only=("p2", "p4")))
        assert done["returned"] == ["p2", "p4"]
        told.run(20.0)
        assert told.on("ape") == ["p2", "p4"] and told.lives() == lives
        for name, code in (("p9", "unknown-package"), ("p2", "package-already-there")):
            refused = told.answer(ask.ResumeNode(node="ape", bring_back=True, only=(name,)))
            assert (refused.verdict, refused.problems[0].code) == ("refused", code)


def test_p23_what_was_taken_over_stays_there_until_somebody_wants_it_back() -> None:
    """The primary node returns again and again; each return would be a reason to move twice."""
    with farm(WEB) as told:
        for _ in range(2):
            told.lose_power("ape", back_after_s=6.0)
            told.run(40.0)
            assert told.running() == ["bee"]
        history = told.told("package:web")
        assert history.count("package starting") == 2 and "move opened" not in history
        told.until_settled()


def test_p23_a_guest_that_fails_everywhere_goes_round_once_and_stops_with_its_reason() -> None:
    with farm() as told:
        for _ in range(60):
            for node in PLACES:
                if told.running() == [node]:
                    told.harm(node, partial(told.fabric.break_guest, node, "web", "panicked"))
            told.run(1.0)
        # At home, once more on the spot, then on each of the other nodes, once.
        assert told.told("package:web").count("package starting") <= 4
        assert told.record().state == "failed"
        assert "it has failed on every node of its list" in (
            told.problems()["package-failed"]["because"])
