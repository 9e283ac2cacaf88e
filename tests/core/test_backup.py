"""The record saved on purpose and put back: whole, of this cluster, and while nothing runs."""

from typing import Any

import pytest

from cluster.core import entries
from cluster.core.backup import Backup, backup_of, read, text_of
from cluster.core.codec import decode_state, encode_state
from cluster.core.trust import NodeKeys, OperatorKey
from packages.core.known_disks import KnownDisk
from packages.core.model import DependencySpec
from packages.core.problem import Problem
from packages.core.sightings import Sighting
from packages.core.values import changed, from_json, to_json
from tests.core.test_apply import Story, package

DISKS = (KnownDisk(path="/dev/a", identity="naa.6001"),)


def story() -> Story:
    """Three packages, one of them depending on another, with a hold; nothing runs."""
    made = Story()
    for name in ("b", "c", "a"):
        assert made.say(entries.PackageApplied, spec=package(name=name, auto_run=False)) is None
    for name in ("a", "b"):
        assert made.say(entries.SwitchingSet, package=name, enabled=True) is None
    assert made.say(entries.MaintenanceSet, package="c", on=True) is None
    assert made.say(entries.SwitchingSet, package="b", enabled=False, node="n2") is None
    return made


def backup(made: Story) -> Backup:
    return backup_of(made.state, config_text="name: farm", now_ms=made.now_ms)


def restore(made: Story, saved: Backup, **fields: Any) -> str | None:
    return made.say(entries.RecordRestored, made_at_ms=saved.made_at_ms, packages=saved.packages,
                    **fields)


def kept(made: Story) -> dict[str, Any]:
    return {name: (each.spec, each.auto_run, each.holds, each.disks, each.state, each.owner)
            for name, each in made.state.packages.items()}


def test_what_was_saved_is_there_again_and_the_cluster_waits() -> None:
    made = story()
    before, saved = kept(made), backup(made)
    assert read(text_of(saved), cluster="farm") == saved
    assert made.say(entries.PackageDeleted, package="a") is None
    assert made.say(entries.MaintenanceSet, package="c", on=False) is None
    assert made.say(entries.PackageApplied, spec=package(name="new", auto_run=False)) is None
    assert restore(made, saved) is None
    assert kept(made) == before and not made.state.running
    told = [each.what for each in made.state.events.values()]
    assert "record restored, 3 packages" in told
    # The indexes are those of a record that was read anew.
    again = decode_state(encode_state(made.state))
    assert (again.waiting, again.macs, again.placed) == (
        made.state.waiting, made.state.macs, made.state.placed)


def test_a_new_cluster_of_the_name_takes_it_too_with_what_disks_meant() -> None:
    saved = backup(story())
    saved = changed(saved, packages=tuple(
        changed(each, disks=DISKS, epoch=7) for each in saved.packages))
    made = Story()
    assert restore(made, saved) is None
    assert {(each.epoch, each.disks) for each in made.state.packages.values()} == {(7, DISKS)}


def test_an_epoch_never_falls() -> None:
    """An order of before the restore must match nothing after it."""
    made = Story().running()
    assert made.say(entries.PackageHalted, package="p1") is None
    saved = backup(made)
    saved = changed(saved, packages=tuple(changed(each, epoch=0) for each in saved.packages))
    assert made.say(entries.GuestReleased, package="p1", epoch=1, node="n1") is None
    assert restore(made, saved) is None
    assert made.state.packages["p1"].epoch == 1


def test_what_others_depend_on_may_stand_anywhere_in_it() -> None:
    made = Story()
    assert made.say(entries.PackageApplied, spec=package(name="z")) is None
    spec = package(name="a")
    depends = changed(spec, dependencies=(DependencySpec(package="z"),))
    assert made.say(entries.PackageApplied, spec=depends) is None
    saved = backup(made)
    again = Story()
    assert restore(again, saved) is None
    assert set(again.state.packages) == {"a", "z"}


def test_it_is_put_back_whole_or_not_at_all() -> None:
    made = story()
    bad = changed(backup(made), packages=(
        *backup(made).packages[:1], changed(
            backup(made).packages[1], spec=package(name="b", nodes=("n9",)))))
    before = made.state.packages
    assert restore(made, bad) == "unknown-node"
    assert made.state.packages == before and made.state.running


@pytest.mark.parametrize("runs", ["owned", "seen"])
def test_nothing_is_put_back_while_anything_runs(runs: str) -> None:
    made = Story().running() if runs == "owned" else story()
    saved = backup(made)
    if runs == "seen":
        node = made.state.nodes["n2"]
        made.machine.state = changed(made.state, nodes=made.state.nodes.set(
            "n2", changed(node, sightings=(Sighting(package="x", kind="stray"),))))
    assert restore(made, saved) == "restore-unsafe"


def test_operators_come_back_when_asked_for_and_never_over_others() -> None:
    made = story()
    made.machine.state = changed(made.state, trust=changed(
        made.state.trust, nodes=(NodeKeys(node="n1", key="k1"),),
        operators=(OperatorKey(name="ann", key="k2", role="monitor"),)))
    lost = (
        OperatorKey(name="ann", key="k9", role="full-admin"),
        OperatorKey(name="eve", key="k1", role="full-admin"),
        OperatorKey(name="bob", key="k3", role="full-admin"))
    saved = backup(made)
    assert saved.nodes == (NodeKeys(node="n1", key="k1"),)
    assert restore(made, saved) is None
    assert [each.name for each in made.state.trust.operators] == ["ann"]
    assert restore(made, saved, operators=lost) is None
    assert [(each.name, each.key) for each in made.state.trust.operators] == [
        ("ann", "k2"), ("bob", "k3")]


def code_of(found: Backup | Problem) -> str:
    assert isinstance(found, Problem)
    return found.code


def test_a_file_that_is_not_whole_is_refused_wherever_it_ends() -> None:
    text = text_of(backup(story()))
    for end in [*range(0, len(text) - 1, 37), len(text) - 2]:
        assert code_of(read(text[:end], cluster="farm")) == "backup-damaged"
    assert isinstance(read(text.strip(), cluster="farm"), Backup)


def test_a_file_that_was_changed_is_refused() -> None:
    text = text_of(backup(story()))
    assert code_of(read(text.replace('"n1"', '"n7"', 1), cluster="farm")) == "backup-damaged"
    assert code_of(read("{}", cluster="farm")) == "backup-damaged"


def test_another_cluster_s_file_and_a_later_release_s_are_refused() -> None:
    text = text_of(backup(story()))
    assert code_of(read(text, cluster="shop")) == "backup-foreign"
    tree = from_json(text, dict[str, Any])
    later = to_json({**tree, "format": 2, "backup": {"other": 1}}).decode()
    assert code_of(read(later, cluster="farm")) == "backup-newer"
