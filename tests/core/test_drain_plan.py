"""What a drain is planned to do: order, waves, targets, and what it risks."""

from packages.core.drain_plan import DrainPlan, Leaving, Standing, plan_drain
from packages.core.limits import Limits, crowded
from packages.core.problem import problem

ROOM = {"n2": 10_000, "n3": 10_000}
ILL = problem("disk-not-visible", "package:p1", what="-", because="-", fix="-")


def leaving(name: str, **fields: object) -> Leaving:
    return Leaving(**{"package": name, "memory_mib": 1000, "targets": ("n2", "n3"), **fields})


def plan(*packages: Leaving, **fields: object) -> DrainPlan:
    return plan_drain("n1", packages, **{
        "free_mib": ROOM, "standing": (), "limits": Limits(), **fields})


def waves(found: DrainPlan) -> list[list[str]]:
    return [[f"{move.package}>{move.target}" for move in wave.moves] for wave in found.waves]


def test_a_wave_uses_each_link_once_and_the_node_as_often_as_it_may() -> None:
    assert waves(plan(*(leaving(name) for name in "abc"))) == [["a>n2", "b>n3"], ["c>n2"]]
    one = Limits(moves_per_node=1)
    assert waves(plan(*(leaving(name) for name in "ab"), limits=one)) == [["a>n2"], ["b>n2"]]
    wide = Limits(moves_per_node=4, moves_per_link=4)
    assert waves(plan(*(leaving(name) for name in "ab"), limits=wide)) == [["a>n2", "b>n2"]]


def test_a_package_behind_one_that_must_wait_goes_before_it() -> None:
    found = plan(leaving("a", targets=("n2",)), leaving("b", targets=("n2",)), leaving("c"))
    assert waves(found) == [["a>n2", "c>n3"], ["b>n2"]]


def test_memory_is_given_once() -> None:
    found = plan(leaving("a"), leaving("b"), leaving("c"), free_mib={"n2": 1500, "n3": 1000})
    assert waves(found) == [["a>n2", "b>n3"]]
    ((staying),) = found.staying
    assert (staying.package, staying.problem.code) == ("c", "memory-short")


def test_what_no_rule_lets_go_stays_with_its_reason() -> None:
    found = plan(leaving("a", targets=(), problem=ILL), leaving("b"))
    assert waves(found) == [["b>n2"]] and found.staying[0].problem == ILL


def test_what_may_be_restarted_goes_last() -> None:
    found = plan(
        leaving("a", targets=(), starts=("n3",), problem=ILL), leaving("b"), rate_mib_s=1000)
    assert waves(found) == [["b>n2", "a>n3"]]
    assert [move.how for move in found.moves()] == ["move", "restart"]
    assert found.seconds == 10.0


def test_a_wave_takes_as_long_as_its_longest_move_on_a_shared_link() -> None:
    found = plan(leaving("a"), leaving("b", memory_mib=3000), rate_mib_s=1000)
    assert [move.seconds for move in found.moves()] == [3.0, 7.0]
    assert found.seconds == 7.0
    slow = plan(leaving("a", most_mib_s=100), rate_mib_s=1000)
    assert slow.seconds == 11.0


def test_who_is_left_without_a_spare_is_said_for_each_wave() -> None:
    """`old` fits nowhere else from the beginning; `a` has only n3 left once it is on n2, and the
    second wave takes the memory there."""
    standing = (
        Standing(package="a", node="n1", memory_mib=1000, nodes=("n2", "n3")),
        Standing(package="b", node="n1", memory_mib=1000, nodes=("n3",)),
        Standing(package="old", node="n2", memory_mib=1000, nodes=()),
    )
    found = plan(
        leaving("a"), leaving("b", targets=("n3",)), standing=standing,
        free_mib={"n2": 1000, "n3": 1900}, limits=Limits(moves_per_node=1),
    )
    assert found.without_spare == ("old",)
    assert waves(found) == [["a>n2"], ["b>n3"]]
    assert [wave.without_spare for wave in found.waves] == [(), ("a", "b")]


def test_an_empty_node_needs_no_wave() -> None:
    assert plan() == DrainPlan(node="n1")


def test_a_link_counts_both_ways() -> None:
    assert crowded([("n2", "n1")], ("n1", "n2"), Limits())
    assert not crowded([("n2", "n1")], ("n1", "n3"), Limits())
    assert "2 moves" in crowded([("n2", "n1"), ("n1", "n4")], ("n1", "n3"), Limits())
