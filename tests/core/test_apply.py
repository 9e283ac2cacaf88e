"""The rules of the record: what may follow what, and what never may."""

import itertools
from collections.abc import Callable

import pytest

from cluster.core import entries
from cluster.core.apply import apply
from cluster.core.codec import decode_entry, decode_state, encode_entry, encode_state
from cluster.core.coordinator import TRY_AGAIN_MS, Knowledge, decide
from cluster.core.duties import Claim, Destroy, Hold, Keep, Receive, Send, Start, Thaw, duties
from cluster.core.machine import StateMachine
from cluster.core.model import Figures, Landing, Proof, State
from packages.core.model import DiskSpec, PackageSpec, VmSpec
from packages.core.problem import problem

ILL = problem("package-start-failed", "package:p1", what="It is ill.", because="Said so.", fix="-")
LANDING = Landing(address="10.0.0.2", port=5480, token="t")


class Story:
    """A log written entry by entry, for tests: what is refused is found in the outcomes."""

    def __init__(self) -> None:
        self.machine = StateMachine()
        self.ids = (f"{number:016x}" for number in itertools.count(1))
        self.now_ms = 1_000_000
        self.say(entries.ClusterFormed, name="farm", nodes=("n1", "n2", "n3"), config_text="-")
        for name in ("n1", "n2", "n3"):
            self.join(name)

    @property
    def state(self) -> State:
        return self.machine.state

    def say(self, kind: Callable[..., entries.Entry], **fields: object) -> str | None:
        """Apply one entry; returns the code of its refusal."""
        self.now_ms += 10
        entry = kind(**{"id": next(self.ids), "at_ms": self.now_ms, "by": "test",
                        "because": "test", **fields})
        outcome = self.machine.apply(self.state.applied + 1, encode_entry(entry))
        return outcome.problem.code if outcome.problem else None

    def join(
        self, node: str, incarnation: str = "i1", guests: tuple[object, ...] = (),
    ) -> str | None:
        return self.say(entries.NodeJoined, node=node, incarnation=incarnation, version="0.2.0",
                        guests=guests)

    def running(self, node: str = "n1", **spec: object) -> "Story":
        """Package p1 running on `node`."""
        assert self.say(entries.PackageApplied, spec=package(**spec)) is None
        assert self.say(entries.PackageAssigned, package="p1", node=node, boot_id="b1") is None
        assert self.say(entries.GuestStarted, package="p1", epoch=1, node=node,
                        machine="pc-q35-7.2") is None
        return self

    def moving(self, stage: str = "copy") -> "Story":
        self.running()
        steps = {
            "opened": (entries.MoveOpened, {"target": "n2"}),
            "copy": (entries.MoveLanded, {"landing": LANDING}),
            "frozen": (entries.MoveFrozen, {"stopped_at_ms": 5.0, "until_ms": 9}),
            "committed": (entries.MoveCommitted, {"figures": Figures()}),
        }
        for name, (kind, fields) in steps.items():
            assert self.say(kind, move="m1", package="p1", **fields) is None
            if name == stage:
                return self
        raise AssertionError(stage)

    def fail(self, node: str) -> str | None:
        return self.say(entries.NodeFailed, node=node, incarnation="i1",
                        proof=Proof(kind="lease", because="silent"))

    def lose_guest(self) -> None:
        """n1's agent saw its guest die after the switch began, and never saw it run again."""
        assert self.say(entries.GuestFailed, package="p1", epoch=1, node="n1", problem=ILL,
                        switching=True) is None

    def duty(self, node: str) -> type | None:
        return self.duty_of("p1", node)

    def duty_of(self, package: str, node: str) -> type | None:
        found = duties(self.state, node).get(package)
        return type(found) if found else None

    def knowledge(self, **fields: object) -> Knowledge:
        every = frozenset({"n1", "n2", "n3"})
        return Knowledge(**{
            "now_ms": self.now_ms, "term": 0, "heard": every, "dead": {}, **fields,
        })


def package(**fields: object) -> PackageSpec:
    disk = DiskSpec(path=f"/dev/disk/by-id/{fields.get('name', 'x')}")
    vm = VmSpec(memory_mib=64, disks=(disk,))
    return PackageSpec(**{"name": "p1", "nodes": ("n1", "n2", "n3"), "vm": vm, **fields})


def test_an_entry_applied_twice_is_applied_once() -> None:
    story = Story()
    entry = entries.PackageApplied(id="a" * 16, at_ms=1, by="t", because="", spec=package())
    once = apply(story.state, 10, entry)
    assert apply(once, 11, entry).packages is once.packages


def test_a_package_with_an_owner_is_never_given_to_another() -> None:
    story = Story().running()
    refused = story.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2")
    assert refused == "package-running"
    assert story.state.packages["p1"].owner == "n1"


def test_a_late_answer_of_an_older_epoch_changes_nothing() -> None:
    story = Story().running()
    before = story.state.packages
    assert story.say(entries.GuestReleased, package="p1", epoch=0, node="n1") == "stale-order"
    assert story.say(entries.GuestFailed, package="p1", epoch=1, node="n2",
                     problem=ILL) == "stale-order"
    assert story.state.packages is before


def test_an_answer_about_an_earlier_life_says_nothing_of_the_next() -> None:
    """The same node has it again: its late words about epoch 1 must not start or end epoch 2."""
    story = Story().running()
    story.say(entries.GuestFailed, package="p1", epoch=1, node="n1", problem=ILL)
    story.say(entries.GuestReleased, package="p1", epoch=1, node="n1")
    before = story.state.packages
    assert (before["p1"].state, before["p1"].epoch) == ("starting", 2)
    for late, fields in (
        (entries.GuestStarted, {}), (entries.GuestFailed, {"problem": ILL}),
    ):
        assert story.say(late, package="p1", epoch=1, node="n1", **fields) == "stale-order"
    assert story.state.packages is before


def test_a_failed_guest_restarts_on_the_spot_then_goes_on_then_stops() -> None:
    story = Story().running(nodes=("n1", "n2"))

    def fail_once() -> str:
        record = story.state.packages["p1"]
        said = {"package": "p1", "epoch": record.epoch, "node": record.owner}
        if record.state == "starting":
            assert story.say(entries.GuestStarted, **said) is None
        assert story.say(entries.GuestFailed, **said, problem=ILL) is None
        assert story.duty(str(record.owner)) is Destroy
        assert story.say(entries.GuestReleased, **said) is None
        for entry in decide(story.state, story.knowledge(), lambda: next(story.ids)):
            story.machine.apply(story.state.applied + 1, encode_entry(entry))
        record = story.state.packages["p1"]
        return f"{record.state} {record.owner}"

    assert fail_once() == "starting n1"
    assert fail_once() == "starting n2"
    assert fail_once() == "failed None"
    assert not story.state.packages["p1"].auto_run


def test_a_guest_that_powers_itself_off_is_halted_not_failed() -> None:
    story = Story().running()
    assert story.say(entries.GuestReleased, package="p1", epoch=1, node="n1",
                     powered_off=True) is None
    record = story.state.packages["p1"]
    assert (record.state, record.owner, record.auto_run) == ("halted", None, False)
    assert decide(story.state, story.knowledge(), lambda: next(story.ids)) == []


def test_a_takeover_records_its_proof_and_begins_a_new_life() -> None:
    story = Story().running()
    dead = story.knowledge(dead={"n1": "its lease ended"}, heard=frozenset({"n2", "n3"}))
    for _ in range(2):
        for entry in decide(story.state, dead, lambda: next(story.ids)):
            story.machine.apply(story.state.applied + 1, encode_entry(entry))
    record = story.state.packages["p1"]
    assert (record.state, record.owner, record.epoch) == ("starting", "n2", 2)
    assert record.proof is not None and record.proof.kind == "lease"
    assert record.boot_id != "b1"


def test_a_node_with_a_foreign_guest_may_not_join() -> None:
    story = Story().running()
    story.fail("n1")
    assert story.say(entries.PackageAssigned, package="p1", node="n2", boot_id="b2") is None
    guest = entries.GuestReport(package="p1", epoch=1, boot_id="b1")
    assert story.join("n1", "i2", (guest,)) == "guest-not-given"
    assert story.state.nodes["n1"].state == "failed"
    assert story.join("n1", "i2") is None


def test_a_move_keeps_the_life_and_raises_the_epoch_by_one() -> None:
    story = Story().moving("frozen")
    assert (story.duty("n1"), story.duty("n2")) == (Send, Receive)
    assert story.state.packages["p1"].freeze is not None
    assert story.say(entries.MoveCommitted, move="m1", package="p1", figures=Figures()) is None
    assert (story.duty("n1"), story.duty("n2")) == (Hold, Thaw)
    assert story.say(entries.MoveThawed, move="m1", package="p1", resumed_at_ms=25.0,
                     monitored_at_ms=26.0) is None
    record = story.state.packages["p1"]
    assert (record.owner, record.epoch, record.boot_id) == ("n2", 2, "b1")
    assert record.freeze is None and record.move is not None
    assert record.move.figures.freeze_ms == 20.0
    assert (story.duty("n1"), story.duty("n2")) == (None, Keep)


def test_after_the_commit_nothing_gives_the_guest_back_to_the_source() -> None:
    story = Story().moving("committed")
    for kind, fields in (
        (entries.MoveAborted, {"problem": ILL}), (entries.MoveAborting, {}),
        (entries.MoveCommitted, {"figures": Figures()}),
    ):
        assert story.say(kind, move="m1", package="p1", **fields) == "stale-order"
    assert story.state.packages["p1"].owner == "n2"


def test_an_agreed_abort_rules_the_commit_out() -> None:
    story = Story().moving("frozen")
    assert story.say(entries.MoveAborting, move="m1", package="p1") is None
    assert story.say(entries.MoveCommitted, move="m1", package="p1",
                     figures=Figures()) == "stale-order"
    story.fail("n1")
    assert story.state.packages["p1"].state == "relocate_wait"
    assert story.duty("n2") is None


@pytest.mark.parametrize("stage", ["copy", "frozen"])
def test_a_guest_lost_in_the_switch_leaves_the_word_to_the_target(stage: str) -> None:
    story = Story().moving(stage)
    story.lose_guest()
    assert story.duty("n2") is Claim
    starts = decide(story.state, story.knowledge(), lambda: next(story.ids))
    assert starts == [], "nothing may start while the target may hold the memory"
    assert story.say(entries.MoveCommitted, move="m1", package="p1", figures=Figures()) is None
    assert story.duty("n2") is Thaw
    assert story.state.packages["p1"].epoch == 2


def test_a_target_with_half_a_copy_gives_the_package_up() -> None:
    story = Story().moving("copy")
    story.lose_guest()
    assert story.say(entries.MoveAborted, move="m1", package="p1", problem=ILL) is None
    assert [type(e) for e in decide(story.state, story.knowledge(), lambda: next(story.ids))] == [
        entries.PackageAssigned]


def test_a_package_lost_in_the_switch_with_switching_off_waits_for_an_operator() -> None:
    story = Story().moving("copy")
    assert story.say(entries.SwitchingSet, package="p1", enabled=False) is None
    story.lose_guest()
    assert story.say(entries.MoveAborted, move="m1", package="p1", problem=ILL) is None
    assert story.state.packages["p1"].state == "failed"


def test_a_source_node_lost_in_the_switch_leaves_the_word_to_the_target() -> None:
    story = Story().moving("frozen")
    story.fail("n1")
    assert story.duty("n2") is Claim
    assert decide(story.state, story.knowledge(), lambda: next(story.ids)) == []
    proof = story.state.packages["p1"].proof
    assert proof is not None and (proof.kind, proof.because) == ("lease", "silent")


def test_a_source_node_lost_in_the_copy_means_a_cold_start() -> None:
    story = Story().moving("copy")
    story.fail("n1")
    assert story.duty("n2") is None
    assert story.say(entries.MoveCommitted, move="m1", package="p1",
                     figures=Figures()) == "stale-order"
    (start,) = decide(story.state, story.knowledge(), lambda: next(story.ids))
    assert isinstance(start, entries.PackageAssigned)


def test_both_ends_lost_in_the_switch_means_a_cold_start() -> None:
    story = Story().moving("frozen")
    story.lose_guest()
    story.fail("n2")
    known = story.knowledge(heard=frozenset({"n3"}))
    (start,) = decide(story.state, known, lambda: next(story.ids))
    assert isinstance(start, entries.PackageAssigned) and start.node == "n3"


def test_a_target_lost_after_the_commit_means_a_cold_start_never_the_source() -> None:
    story = Story().moving("committed")
    story.fail("n2")
    assert story.state.packages["p1"].owner is None
    assert story.duty("n1") is None


def test_a_target_that_never_ran_gives_the_guest_back_under_a_new_epoch() -> None:
    story = Story().moving("committed")
    assert story.say(entries.MoveReturned, move="m1", package="p1") is None
    record = story.state.packages["p1"]
    assert (record.owner, record.epoch, record.boot_id) == ("n1", 3, "b1")
    assert (story.duty("n1"), story.duty("n2")) == (Keep, None)


def test_a_target_lost_early_asks_the_source_to_end_the_move() -> None:
    story = Story().moving("copy")
    story.fail("n2")
    move = story.state.packages["p1"].move
    assert move is not None and move.abort_because
    assert story.duty("n1") is Send


def test_what_is_written_is_read_again() -> None:
    story = Story().moving("frozen")
    kept = encode_state(story.state)
    again = decode_state(kept)
    assert encode_state(again) == kept
    assert duties(again, "n1") == duties(story.state, "n1")
    entry = entries.Noted(id="x", at_ms=1, by="t", because="")
    assert decode_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x02abc", b"\x01\xc1", b"\x01\x80", b"x" * 99])
def test_garbage_in_the_log_is_refused_and_does_not_stop_it(raw: bytes) -> None:
    story = Story()
    outcome = story.machine.apply(story.state.applied + 1, raw)
    assert outcome.problem is not None
    assert story.say(entries.NodeDraining, node="n1") is None


def test_every_change_is_told_once_with_its_because() -> None:
    story = Story().moving("committed")
    told = [event.what for _, event in sorted(story.state.events.items())
            if event.subject == "package:p1"]
    assert told == [
        "package applied", "package starting", "package running", "move opened",
        "move: copy begins", "move: frozen, monitoring suspended", "move: committed",
        "package running",
    ]


def test_a_started_duty_names_its_epoch() -> None:
    story = Story()
    story.say(entries.PackageApplied, spec=package())
    story.say(entries.PackageAssigned, package="p1", node="n1", boot_id="b1")
    duty = duties(story.state, "n1")["p1"]
    assert isinstance(duty, Start) and (duty.epoch, duty.boot_id) == (1, "b1")


def test_a_start_that_failed_everywhere_is_tried_again_but_not_at_once() -> None:
    story = Story().running(nodes=("n1", "n2"), service_restart=0)
    story.fail("n2")
    story.say(entries.GuestFailed, package="p1", epoch=1, node="n1", problem=ILL)
    story.say(entries.GuestReleased, package="p1", epoch=1, node="n1")
    record = story.state.packages["p1"]
    assert (record.state, record.avoid) == ("relocate_wait", ("n1",))

    def starts_after(ms: int) -> list[entries.Entry]:
        known = story.knowledge(heard=frozenset({"n1", "n3"}), now_ms=story.now_ms + ms)
        return decide(story.state, known, lambda: next(story.ids))

    assert starts_after(0) == []
    assert [entry.node for entry in starts_after(TRY_AGAIN_MS)] == ["n1"]


def test_what_is_shown_never_goes_back_while_a_log_is_applied_again() -> None:
    """A replica that comes back within a process begins from an empty machine."""
    machine = StateMachine()
    blank = machine.dump()
    said = [
        encode_entry(entries.ClusterFormed(
            id=f"e{number}", at_ms=number, by="n1", because="", name="shop",
            nodes=("n1",), config_text=f"text {number}",
        )) for number in range(1, 4)
    ]
    for index, raw in enumerate(said, 2):
        machine.apply(index, raw)
    before = machine.shown
    machine.load(blank)
    seen = [machine.shown]
    for index, raw in enumerate(said, 2):
        machine.apply(index, raw)
        seen.append(machine.shown)
    assert seen == [before] * 4 and machine.shown is machine.state
