"""What waits for a start: who is first, who waits for whom, how many at once."""

from cluster.core import entries
from cluster.core.beside import Surroundings
from cluster.core.troubles import problems
from packages.core.limits import Limits
from packages.core.model import DependencySpec, PackageSpec
from packages.core.start_order import Waiting, circle, dependencies_first, start_order
from tests.core.test_apply import Story, package
from tests.core.test_maintenance import act

AROUND = Surroundings(now_ms=1, leader="n1", quorum=True, term=1, addresses={})


def on(*names: str) -> tuple[DependencySpec, ...]:
    return tuple(DependencySpec(package=name) for name in names)


def applied(*specs: PackageSpec) -> Story:
    story = Story()
    for spec in specs:
        assert story.say(entries.PackageApplied, spec=spec) is None
    return story


def assigned(story: Story, **known: object) -> list[str]:
    """The packages the coordinator has started now, in order."""
    before = {name for name, each in story.state.packages.items() if each.state == "starting"}
    act(story, **known)
    told = [each.subject for _, each in sorted(story.state.events.items())
            if each.what == "package starting"]
    return [each.removeprefix("package:") for each in told
            if each.removeprefix("package:") not in before]


def runs(story: Story, *names: str) -> None:
    for name in names:
        owner = story.state.packages[name].owner
        assert story.say(entries.GuestStarted, package=name, epoch=1, node=owner) is None


def test_the_lowest_priority_number_first_then_the_name() -> None:
    assert start_order([
        Waiting(package="a"), Waiting(package="c", priority=7), Waiting(package="b", priority=7),
        Waiting(package="d", priority=1),
    ]) == ["d", "b", "c", "a"]


def test_what_a_more_important_one_waits_for_is_as_important() -> None:
    assert start_order([
        Waiting(package="web", priority=1, depends_on=("app",)),
        Waiting(package="app", depends_on=("db", "elsewhere")), Waiting(package="db"),
        Waiting(package="a", priority=2),
    ]) == ["app", "db", "web", "a"]


def test_a_circle_is_found_whole() -> None:
    others = {"b": package(name="b", dependencies=on("c")),
              "c": package(name="c", dependencies=on("x", "a"))}
    assert circle(package(name="a", dependencies=on("b")), others) == ("a", "b", "c", "a")
    assert circle(package(name="a", dependencies=on("a")), {}) == ("a", "a")
    assert circle(package(name="d", dependencies=on("b")), others) == ()


def test_files_may_come_in_any_order() -> None:
    specs = [package(name="a", dependencies=on("b")), package(name="b", dependencies=on("c")),
             package(name="c")]
    assert [each.name for each in dependencies_first(specs)] == ["c", "b", "a"]
    round_about = [package(name="a", dependencies=on("b")), package(name="b",
                                                                    dependencies=on("a"))]
    assert len(dependencies_first(round_about)) == 2


def test_the_record_takes_no_circle_and_no_dependency_on_nothing() -> None:
    story = applied(package(name="a"))
    assert story.say(entries.PackageApplied, spec=package(
        name="b", dependencies=on("c"))) == "dependency-unknown"
    assert story.say(entries.PackageApplied, spec=package(name="b", dependencies=on("a"))) is None
    assert story.say(entries.PackageApplied, spec=package(
        name="a", dependencies=on("b"))) == "dependency-circle"
    assert story.say(entries.PackageDeleted, package="a") == "package-depended-on"


def test_a_package_waits_until_what_it_depends_on_runs() -> None:
    story = applied(package(name="db"), package(name="app", dependencies=on("db"), priority=1),
                    package(name="mail"))
    assert assigned(story) == ["db", "mail"]
    assert story.say(entries.PackageAssigned, package="app", node="n1", boot_id="x",
                     operator=True) == "dependency-unmet"
    (told,) = problems(story.state, AROUND)
    assert (told.code, told.subject) == ("dependency-unmet", "package:app")
    runs(story, "db")
    assert assigned(story)[-1] == "app"


def test_after_a_power_cut_everything_comes_back_in_order() -> None:
    story = applied(package(name="db"), package(name="app", dependencies=on("db")))
    act(story)
    runs(story, "db")
    act(story)
    runs(story, "app")
    assert story.fail("n1") is None
    rest = {"heard": frozenset({"n2", "n3"})}
    act(story, **rest)
    assert story.state.packages["db"].state == "starting"
    assert story.state.packages["app"].state == "relocate_wait"
    assert story.say(entries.GuestStarted, package="db", epoch=2, node="n2") is None
    act(story, **rest)
    assert story.state.packages["app"].state == "starting"


def test_a_node_starts_no_more_at_once_than_it_may() -> None:
    story = applied(
        *(package(name=f"p{number}", priority=10 - number) for number in range(1, 5)),
        package(name="other", nodes=("n3",)))
    two = Limits(starts_per_node=2)
    assert assigned(story, limits=two) == ["p4", "p3", "other"]
    assert assigned(story, limits=two) == []
    runs(story, "p4")
    assert assigned(story, limits=two)[-1] == "p2"
