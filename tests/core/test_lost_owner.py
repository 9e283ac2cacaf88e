"""A package is taken from a lost owner only together with its next owner."""

import pytest

from cluster.core import entries
from cluster.core.codec import encode_entry
from cluster.core.coordinator import decide
from cluster.core.duties import Keep, Wait
from cluster.core.invariants import broken
from cluster.core.membership import gives
from cluster.core.model import PackageRecord, Proof
from cluster.core.view import Surroundings, status
from packages.core.model import VmSpec
from packages.core.values import changed
from tests.core.test_apply import ILL, Story, package

GUEST = entries.GuestReport(package="p1", epoch=1, boot_id="b1")


def record_of(story: Story) -> PackageRecord:
    return story.state.packages["p1"]


def coordinate(story: Story, *heard: str) -> list[entries.Entry]:
    known = story.knowledge(heard=frozenset(heard or ("n1", "n2", "n3")))
    wanted = decide(story.state, known, lambda: next(story.ids))
    for entry in wanted:
        story.machine.apply(story.state.applied + 1, encode_entry(entry))
    return wanted


def shown(story: Story) -> dict[str, object]:
    around = Surroundings(now_ms=story.now_ms, leader="n2", quorum=True, term=1, addresses={})
    return status(story.state, around)


def disabled(story: Story) -> None:
    assert story.say(entries.SwitchingSet, package="p1", enabled=False) is None


def elsewhere_disabled(story: Story) -> None:
    for name in ("n2", "n3"):
        assert story.say(entries.SwitchingSet, package="p1", enabled=False, node=name) is None


def in_maintenance(story: Story) -> None:
    assert story.say(entries.MaintenanceSet, package="p1", on=True) is None


def on_one_node(story: Story) -> None:
    assert story.say(entries.PackageApplied, spec=package(nodes=("n1",))) is None


REASONS = [disabled, elsewhere_disabled, in_maintenance, on_one_node]


@pytest.mark.parametrize("reason", REASONS)
def test_a_guest_that_nobody_else_may_run_goes_on_where_it_is(reason: object) -> None:
    story = Story().running()
    reason(story)  # type: ignore[operator]
    auto_run = record_of(story).auto_run
    assert story.fail("n1") is None
    assert coordinate(story, "n2", "n3") == []
    assert story.duty("n1") is Wait
    assert gives(story.state, "n1", "p1", 1)
    (told,) = shown(story)["packages"]  # type: ignore[misc]
    assert (told["node"], told["status"]) == ("n1", "unknown")
    assert "owner-lost" in [each["code"] for each in shown(story)["problems"]]  # type: ignore
    assert story.join("n1", "i2", (GUEST,)) is None
    record = record_of(story)
    assert (record.state, record.owner, record.epoch) == ("running", "n1", 1)
    assert (record.boot_id, record.auto_run) == ("b1", auto_run)
    assert (record.failures_ms, record.avoid, record.lost) == ((), (), None)
    assert story.duty("n1") is Keep and broken(story.state) == []


def test_a_taken_package_is_given_back_to_nobody() -> None:
    story = Story().running()
    story.fail("n1")
    coordinate(story, "n2", "n3")
    assert (record_of(story).owner, record_of(story).lost) == ("n2", None)
    assert not gives(story.state, "n1", "p1", 1) and story.duty("n1") is None
    assert story.join("n1", "i2", (GUEST,)) == "guest-not-given"


@pytest.mark.parametrize("reason", REASONS)
def test_a_guest_that_is_gone_on_return_was_lost_with_its_node(reason: object) -> None:
    story = Story().running()
    reason(story)  # type: ignore[operator]
    story.fail("n1")
    assert story.join("n1", "i2") is None
    assert broken(story.state) == []
    coordinate(story)
    if reason in (disabled, in_maintenance):
        assert record_of(story).noted is not None
        disabled(story)
        assert story.say(entries.MaintenanceSet, package="p1", on=False) is None
        assert story.say(entries.SwitchingSet, package="p1", enabled=True) is None
        coordinate(story)
    record = record_of(story)
    assert (record.state, record.owner, record.epoch) == ("starting", "n1", 2)
    assert (record.failures_ms, record.avoid, record.auto_run) == ((), (), True)


@pytest.mark.parametrize("reason", [disabled, in_maintenance])
def test_it_is_taken_over_once_its_suspension_is_over(reason: object) -> None:
    story = Story().running()
    reason(story)  # type: ignore[operator]
    story.fail("n1")
    assert story.say(entries.SwitchingSet, package="p1", enabled=True) is None
    assert story.say(entries.MaintenanceSet, package="p1", on=False) is None
    coordinate(story, "n2", "n3")
    record = record_of(story)
    assert (record.state, record.owner, record.epoch) == ("starting", "n2", 2)
    assert record.proof is not None and record.proof.node == "n1"


def test_an_operators_halt_gives_the_lost_guest_up() -> None:
    story = Story().running()
    disabled(story)
    story.fail("n1")
    assert story.say(entries.PackageHalted, package="p1") is None
    assert (record_of(story).state, record_of(story).lost) == ("halted", None)
    assert story.join("n1", "i2", (GUEST,)) == "guest-not-given"


def test_a_halted_cluster_ends_it_too() -> None:
    story = Story().running(nodes=("n1",))
    story.fail("n1")
    assert story.say(entries.ClusterHalted) is None
    assert story.join("n1", "i2", (GUEST,)) == "guest-not-given"


def test_what_a_lost_guest_was_started_as_is_not_changed() -> None:
    story = Story().running(nodes=("n1",))
    story.fail("n1")
    larger = package(nodes=("n1",), vm=VmSpec(memory_mib=128, disks=package().vm.disks))
    assert story.say(entries.PackageApplied, spec=larger) == "owner-lost"
    assert story.say(entries.PackageApplied, spec=package(nodes=("n2",))) == "owner-lost"
    assert story.say(entries.PackageApplied, spec=package(nodes=("n1", "n2"))) is None
    coordinate(story, "n2", "n3")
    assert record_of(story).owner == "n2"


def test_a_node_shut_out_of_the_disks_keeps_nothing() -> None:
    story = Story().running()
    assert story.say(entries.NodeFailed, node="n1", incarnation="i1",
                     proof=Proof(kind="storage", because="fenced")) is None
    assert record_of(story).lost is None and not gives(story.state, "n1", "p1", 1)


def boot(story: Story, name: str, host_boot: str, *guests: entries.GuestReport) -> None:
    assert story.say(entries.NodeJoined, node=name, incarnation=next(story.ids), version="0.2.0",
                     guests=guests, host_boot=host_boot) is None


def test_three_power_losses_of_the_site_are_no_failures_of_its_guests() -> None:
    """Faster than a lease, so that nobody is called dead."""
    story = Story()
    for name in ("n1", "n2", "n3"):
        boot(story, name, f"{name}.0")
    story.running("n2", nodes=("n1", "n2", "n3"))
    for number in (1, 2, 3, 4):
        for name in ("n1", "n2", "n3"):
            boot(story, name, f"{name}.{number}")
        coordinate(story, "n1", "n3")
        assert record_of(story).owner is None, "n2, where it was, has had no time to ask yet"
        coordinate(story)
        record = record_of(story)
        assert (record.state, record.owner) == ("starting", "n2")
        assert (record.failures_ms, record.avoid, record.auto_run) == ((), (), True)
        assert story.say(entries.GuestStarted, package="p1", epoch=record.epoch, node="n2") is None
    assert {each.state for each in story.state.nodes.values()} == {"running"}


def test_a_guest_that_died_while_its_daemon_was_away_has_failed() -> None:
    story = Story()
    boot(story, "n1", "same")
    story.running()
    boot(story, "n1", "same")
    assert (record_of(story).owner, record_of(story).state) == ("n1", "running"), "its agent tells"


def test_a_guest_that_its_guardian_ended_is_started_again_and_not_counted() -> None:
    story = Story().running(service_restart=0)
    for _ in range(4):
        record = record_of(story)
        said = {"package": "p1", "epoch": record.epoch, "node": "n1"}
        assert story.say(entries.GuestFailed, **said, problem=ILL, blameless=True) is None
        assert story.say(entries.GuestReleased, **said) is None
        coordinate(story)
        record = record_of(story)
        assert (record.state, record.owner, record.failures_ms) == ("starting", "n1", ())
        assert story.say(entries.GuestStarted, package="p1", epoch=record.epoch, node="n1") is None


def test_a_node_in_maintenance_may_go_down_without_being_counted() -> None:
    story = Story()
    for number in range(4):
        assert story.say(entries.NodeDraining, node="n1") in (None, "node-in-maintenance")
        assert story.say(entries.NodeFailed, node="n1", incarnation=f"i{number + 1}",
                         proof=Proof(kind="lease", because="silent")) is None
        assert story.join("n1", f"i{number + 2}") is None
    assert story.state.nodes["n1"].failures_ms == ()


def test_a_coordinator_that_has_just_begun_gives_a_lost_owner_a_moment() -> None:
    """All were cut off, this one first; a whole, frozen guest is not given up 0.3 s too early."""
    story = Story().running()
    story.fail("n1")
    known = story.knowledge(heard=frozenset({"n2", "n3"}))

    def given(**fields: object) -> list[str]:
        wanted = decide(story.state, changed(known, **fields), lambda: next(story.ids))
        return [each.node for each in wanted if isinstance(each, entries.PackageAssigned)]

    assert given(is_new=True) == []
    assert given(is_new=False) == ["n2"]


def test_a_host_that_was_switched_off_is_not_waited_for() -> None:
    story = Story().running()
    assert story.say(entries.NodeFailed, node="n1", incarnation="i1",
                     proof=Proof(kind="power", because="-")) is None
    known = story.knowledge(heard=frozenset({"n2", "n3"}), is_new=True)
    wanted = decide(story.state, known, lambda: next(story.ids))
    assert [each.node for each in wanted if isinstance(each, entries.PackageAssigned)] == ["n2"]
