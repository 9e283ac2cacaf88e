"""While a node of before 0.2.0 takes part, the record does what its code does with the same log.

The code of before is taken from this tree's own history and decides in a process of its own. What
both know of the record must be the same after every entry, and whoever is upgraded in the middle,
from the older code's snapshot, must go on as those do who decided all of it by the newer code.
"""

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from cluster.core import entries
from cluster.core.codec import decode_entry, decode_state, encode_state
from cluster.core.floor import FIELDS, SINCE, STAMPS, V0_2, as_all_know, floor_allows
from cluster.core.machine import StateMachine
from cluster.core.model import State
from packages.core.model import DiskSpec, NetworkSpec
from packages.core.sightings import Sighting
from packages.core.values import Map, changed
from tests.core.random_log import NODES, Log
from tests.core.test_apply import Story, package
from tests.live.other_version import ROOT, checked_out

DECIDED = ROOT / "tests" / "core" / "decided.py"
NUMBERS = {"heartbeat_s": 0.2, "suspect_s": 1.0, "lease_s": 3.0, "margin_s": 0.5,
           "kill_after_s": 60.0}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checked_out(tmp_path_factory.mktemp("before") / "tree")


def asked(tree: Path, *words: str, given: str = "") -> list[str]:
    made = subprocess.run(
        [sys.executable, str(DECIDED), *words], cwd=tree, env={"PYTHONPATH": str(tree)}, text=True,
        input=given, capture_output=True, check=True, timeout=120)
    return made.stdout.splitlines()


def decided(tree: Path, raw: list[bytes]) -> tuple[list[Any], bytes]:
    """What this tree's code makes of the log: after each entry, and in the end."""
    *lines, last = asked(tree, given="".join(b64encode(each).decode() + "\n" for each in raw))
    return [json.loads(each) for each in lines], b64decode(last)


def known(old: Any, new: Any) -> Any:
    """Of the newer code's, what the older one knows."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: known(each, new.get(key)) for key, each in old.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [known(*each) for each in zip(old, new, strict=True)]
    return new


@pytest.mark.parametrize("seed", range(4))
def test_both_codes_make_the_same_of_a_log(before: Path, seed: int) -> None:
    """So does a daemon that is upgraded and reads again what older code has decided before."""
    log = Log(seed).go_on(900)
    assert not floor_allows(log.machine.state, V0_2)
    old, _ = decided(before, log.raw)
    new, _ = decided(ROOT, log.raw)
    for place, (one, other) in enumerate(zip(old, new, strict=True)):
        assert known(one, other) == one, (place, decode_entry(log.raw[place]))


@pytest.mark.parametrize("seed", range(4, 6))
def test_who_is_upgraded_from_the_older_codes_snapshot_goes_on_as_the_others(
    before: Path, seed: int,
) -> None:
    log = Log(seed).go_on(400)
    _, snapshot = decided(before, log.raw)
    upgraded = StateMachine()
    upgraded.state = decode_state(snapshot)
    place = len(log.raw)
    log.versions = dict.fromkeys(NODES, "0.2.0")
    for name in NODES:
        log.joined(name, share=1.0)
    assert floor_allows(log.machine.state, V0_2)
    log.go_on(500)
    for index, raw in enumerate(log.raw[place:], start=place + 1):
        upgraded.apply(index, raw)
    assert comparable(upgraded) == comparable(log.machine)


def comparable(machine: StateMachine) -> bytes:
    """Without the words of history, which each version has its own of, and what an entry said that
    came before the upgrade: it only words the answer to one who uses its id for another."""
    state = machine.state
    outcomes = {name: changed(each, said="", problem=None if each.problem is None else changed(
        each.problem, what="-", because="-", fix="-", code="-"))
        for name, each in state.outcomes.items()}
    return encode_state(changed(
        state, events=Map(), next_event=0, outcomes=Map(outcomes)))


def test_every_kind_and_field_that_is_new_has_its_version(before: Path) -> None:
    """What somebody adds next is found here: it stands in the tables of floor.py, or below."""
    old, new = (json.loads(asked(tree, "fields")[0]) for tree in (before, ROOT))
    since = {kind.__name__: set(fields) for kind, fields in FIELDS.items()}
    since |= {"Sighting": {"stuck", "unasked"}, "PackageSpec": {"shutdown_policy"}}  # as_all_know
    unlisted = {}
    for kind, fields in new.items():
        if kind in old:
            unlisted[kind] = {*fields} - {*old[kind]} - {*STAMPS} - since.get(kind, set())
        elif isinstance(getattr(entries, kind, None), type) and issubclass(
                getattr(entries, kind), entries.Entry):
            unlisted[kind] = set() if getattr(entries, kind) in SINCE else {kind}
    assert not {kind: fields for kind, fields in unlisted.items() if fields}


def older() -> Story:
    story = Story()
    story.machine.state = changed(story.state, nodes=story.state.nodes.set(
        "n1", changed(story.state.nodes["n1"], version="0.1.0")))
    return story


def test_what_an_older_node_would_not_see_in_an_entry_is_not_in_it() -> None:
    state, new = older().state, Story().state
    stuck = Sighting(package="p1", kind="nowhere", stuck=True)
    unasked = Sighting(package="p1", kind="nowhere", unasked=True)
    of = {"id": "r", "at_ms": 1, "by": "t", "because": "-", "time_ms": 9, "seen": 9}
    seen = entries.SightingsChanged(node="n1", incarnation="i1", sightings=(stuck, unasked), **of)
    joined = entries.NodeJoined(node="n1", incarnation="i", version="0.2.0", host_boot="h", **of)
    for entry in (seen, joined):
        assert as_all_know(new, entry) == entry
        assert (as_all_know(state, entry).time_ms, as_all_know(state, entry).seen) == (0, 0)
    assert as_all_know(state, seen).sightings == (changed(stuck, stuck=False),)
    assert as_all_know(state, joined).host_boot == ""
    applied = entries.PackageApplied(spec=package(shutdown_policy="halt"), **of)
    assert as_all_know(new, applied) == applied
    assert as_all_know(state, applied).spec == package()


def test_a_kind_an_older_node_cannot_read_leaves_no_trace() -> None:
    story = older()
    before = story.state
    for kind, fields in (
        (entries.RecordBackedUp, {}),
        (entries.GuardianChanged, {"node": "n2", "incarnation": "i1", "is_silent": True}),
        (entries.LeaseTaken, {"node": "n2", "incarnation": "i1", "number": 1}),
        (entries.GuestLetGo, {"node": "n2", "package": "p1", "epoch": 1}),
    ):
        assert story.say(kind, **fields) == "version-floor"
    assert changed(story.state, applied=before.applied) == before


def test_the_coordinator_says_its_numbers_when_all_can_read_them() -> None:
    story = older()
    numbers = entries.LeaseNumbers(**NUMBERS)
    began = {"node": "n2", "term": 3}
    assert story.say(entries.CoordinatorBegan, **began, lease=numbers) is None
    assert story.state.leases == ()
    assert story.say(entries.CoordinatorBegan, **began, lease=numbers) == "stale-order"
    assert story.join("n1", "i2") is None
    assert story.say(entries.CoordinatorBegan, **began) == "stale-order"
    assert story.say(entries.CoordinatorBegan, **began, lease=numbers) is None
    assert [each.number for each in story.state.leases] == [1]
    assert story.say(entries.CoordinatorBegan, **began, lease=numbers) == "stale-order"


def test_the_index_of_disks_is_the_same_however_it_came_about() -> None:
    """Two packages may have one disk by the older rules: a snapshot names the same one first."""
    log = Log(7).go_on(600)
    assert_same_indices(log.machine.state)
    story = older()
    network = NetworkSpec(vswitch="lan0", mac="52:54:00:00:00:01")
    for name in ("b", "a", "c"):
        spec = package(name=name)
        assert story.say(entries.PackageApplied, spec=changed(spec, vm=changed(
            spec.vm, disks=(DiskSpec(path="/dev/x"),), networks=(network,)))) is None
    for least in ("a", "b", "c"):
        assert set(story.state.claims.values()) == set(story.state.macs.values()) == {least}
        assert_same_indices(story.state)
        assert story.say(entries.PackageDeleted, package=least) is None
    assert not story.state.claims and not story.state.macs


def assert_same_indices(state: State) -> None:
    again = decode_state(encode_state(state))
    assert (again.claims, again.macs) == (state.claims, state.macs)
