"""A detached package runs unguarded: nothing that rests on a lease may ever be concluded about it.

Found by the simulation: a detached guest whose node fell silent was started elsewhere while it ran.
"""

from cluster.core import entries, refusals
from cluster.core.codec import encode_entry
from cluster.core.coordinator import Knowledge, decide
from cluster.core.duties import Attach, Keep, Leave
from cluster.core.entries import GuestReport
from cluster.core.errands import errands
from cluster.core.invariants import broken
from cluster.core.model import PackageRecord, Proof
from tests.core.test_apply import Story, package


def detached() -> Story:
    story = Story().running("n1")
    assert story.say(entries.NodeHalted, node="n1", detach=True) is None
    return story


def record(story: Story) -> PackageRecord:
    assert broken(story.state) == []
    return story.state.packages["p1"]


def fail(story: Story, kind: str) -> str | None:
    return story.say(
        entries.NodeFailed, node="n1", incarnation="i1", proof=Proof(kind=kind, because="-"))


def test_the_end_of_a_lease_takes_nothing_from_a_node_that_guards_nothing():
    story = detached()
    story.say(entries.NodeRun, node="n1")
    assert fail(story, "lease") is None
    assert (record(story).state, record(story).owner) == ("detached", "n1")
    known = Knowledge(now_ms=1, term=1, heard=frozenset({"n2", "n3"}), dead={})
    assert decide(story.state, known, lambda: "00000000000000ff") == []


def test_a_watchdog_takes_nothing_from_a_node_that_guards_nothing():
    """The guardian pets it, because nothing that it guards runs without a lease."""
    story = Story().running("n1")
    assert story.say(entries.WatchdogChanged, node="n1", incarnation="i1", name="iTCO_wdt",
                     proves_s=10.0) is None
    assert story.say(entries.NodeHalted, node="n1", detach=True) is None
    known = Knowledge(now_ms=1, term=1, heard=frozenset({"n2", "n3"}), dead={},
                      reset={"n1": "reset since"})
    assert decide(story.state, known, lambda: "00000000000000ff") == []
    assert fail(story, "watchdog") == "stale-order"
    assert (record(story).state, record(story).owner) == ("detached", "n1")


def test_a_node_whose_power_is_off_runs_nothing():
    story = detached()
    story.say(entries.NodeRun, node="n1")
    assert fail(story, "power") is None
    assert (record(story).state, record(story).owner) == ("halted", None)


def test_it_counts_as_running_only_once_its_owner_has_it_guarded():
    story = detached()
    assert story.duty("n1") is Leave
    refused = story.say(entries.GuestStarted, package="p1", epoch=1, node="n1", machine="m")
    assert refused == "stale-order"
    story.say(entries.NodeRun, node="n1")
    assert record(story).state == "detached" and story.duty("n1") is Attach
    assert story.say(entries.GuestStarted, package="p1", epoch=1, node="n1", machine="m") is None
    assert record(story).state == "running" and story.duty("n1") is Keep


def test_a_cluster_that_is_run_attaches_what_it_left_running():
    story = Story().running("n1")
    assert story.say(entries.ClusterHalted, detach=True) is None
    assert story.duty("n1") is Leave
    assert story.say(entries.ClusterRun) is None
    assert story.duty("n1") is Attach
    assert story.say(entries.ClusterHalted, detach=True) is None
    assert story.duty("n1") is Leave


def test_its_description_is_not_changed_while_nobody_looks_after_it():
    story = detached()
    other = package(service_restart=7)
    assert story.say(entries.PackageApplied, spec=other) == "package-detached"
    assert story.say(entries.PackageApplied, spec=package()) is None
    story.say(entries.NodeRun, node="n1")
    story.say(entries.GuestStarted, package="p1", epoch=1, node="n1", machine="m")
    assert story.say(entries.PackageApplied, spec=other) is None


def test_a_moving_package_is_not_detached():
    story = Story().moving("copy")
    assert story.say(entries.ClusterHalted, detach=True) == "package-moving"


def test_a_node_that_comes_back_without_the_guest_has_none():
    story = detached()
    assert story.join("n1", "i2") is None
    assert (record(story).state, record(story).owner) == ("halted", None)


def test_a_node_that_comes_back_with_the_guest_attaches_it_when_the_cluster_runs():
    story = detached()
    story.say(entries.NodeRun, node="n1")
    fail(story, "lease")
    here = GuestReport(package="p1", epoch=1, boot_id="b1")
    assert story.join("n1", "i2", (here,)) is None
    assert story.duty("n1") is Attach


def test_a_guest_found_gone_when_it_is_to_be_attached_is_released():
    story = detached()
    story.say(entries.NodeRun, node="n1")
    assert story.say(entries.GuestReleased, package="p1", epoch=1, node="n1") is None
    assert (record(story).state, record(story).owner) == ("halted", None)


def test_a_node_is_halted_though_a_guest_was_left_alone_there():
    """Found by the simulation: nobody ends such a guest, so its node went on halting for ever."""
    story = Story().running("n1")
    assert story.say(entries.ClusterHalted, detach=True) is None
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.state.nodes["n1"].state == "halted"
    assert story.say(entries.ClusterRun) is None
    assert story.duty("n1") is Leave
    assert story.say(entries.NodeRun, node="n1") is None
    assert story.duty("n1") is Attach


def test_a_node_that_still_ends_a_guest_is_halted_beside_one_left_alone():
    story = Story().running("n1")
    assert story.say(entries.ClusterHalted, detach=True) is None
    assert story.say(entries.ClusterRun) is None
    assert story.say(entries.PackageApplied, spec=package(name="p2", nodes=("n1",))) is None
    assert story.say(
        entries.PackageAssigned, package="p2", node="n1", boot_id="b2") is None
    assert story.say(entries.GuestStarted, package="p2", epoch=1, node="n1", machine="m") is None
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.state.nodes["n1"].state == "halting"
    assert story.say(entries.ClusterRun) is None
    assert story.duty("n1") is Leave, "it waits for its node to be run again"
    known = Knowledge(now_ms=1, term=1, heard=frozenset({"n1"}), dead={})
    assert decide(story.state, known, lambda: "00000000000000ff") == []
    assert story.say(entries.GuestReleased, package="p2", epoch=1, node="n1") is None
    halts = [each for each in decide(story.state, known, lambda: "00000000000000ff")
             if isinstance(each, entries.NodeHalted)]
    assert [each.node for each in halts] == ["n1"]
    story.machine.apply(story.state.applied + 1, encode_entry(halts[0]))
    assert story.state.nodes["n1"].state == "halted"


def test_in_a_halted_cluster_it_stays_alone_though_its_node_is_run():
    story = Story().running("n1")
    assert story.say(entries.ClusterHalted, detach=True) is None
    assert story.say(entries.NodeHalted, node="n1", force=True) is None
    assert story.say(entries.NodeRun, node="n1") is None
    assert story.duty("n1") is Leave
    assert story.say(entries.ClusterRun) is None
    assert story.duty("n1") is Attach


def test_a_drain_says_that_it_stays_and_moves_it_once_it_is_taken_up():
    """Whoever waited for the drain waited for ever."""
    story = Story().running("n1")
    assert story.say(entries.ClusterHalted, detach=True) is None
    assert story.say(entries.NodeDraining, node="n1") is None

    def to_do() -> list[tuple[str, ...]]:
        return [each.targets for each in errands(story.state, story.knowledge(), {})]

    assert to_do() == [()]
    why = refusals.package_detached(record(story), "be moved")
    assert story.say(entries.NodeStuck, node="n1", package="p1", problem=why) is None
    assert to_do() == [], "it is said once"
    assert story.say(entries.ClusterRun) is None
    assert to_do() == []
    assert story.say(entries.GuestStarted, package="p1", epoch=1, node="n1", machine="m") is None
    assert to_do() == [("n2", "n3")]


def test_who_orders_it_about_is_told_what_takes_it_up_again():
    story = detached()
    assert story.say(entries.PackageHalted, package="p1") == "package-detached"
    assert story.say(entries.MoveOpened, move="m", package="p1", target="n2") == "package-detached"
    fix = refusals.not_in_state(record(story), "be halted").fix
    assert "vmsg node run n1" in fix and "package halt" not in fix
