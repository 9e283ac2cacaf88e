"""No known hole in the lock, nor in the least that setup.cfg allows; one that is there is found."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from supply import audit, pins
from supply.audit import ADVISORIES, holes, within
from supply.pins import BUILD, LOCK

KNOWN = audit.advisories([ADVISORIES])


def test_the_lock_has_no_known_hole(capsys):
    assert audit.main([]) == 0
    assert "0 holes" in capsys.readouterr().out


def test_the_floors_are_above_the_known_holes():
    floors = [(name, wanted.lstrip(">=")) for name, wanted in pins.requirements()]
    assert not [str(each) for each in holes(floors, KNOWN)]


def test_the_list_is_about_what_is_locked():
    about = {each["affected"][0]["package"]["name"] for each in KNOWN}
    assert about <= {each.name for path in (LOCK, BUILD) for each in pins.read(path)}


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry["id"])
def test_each_advisory_can_be_judged(entry):
    (affected,) = entry["affected"]
    (events,) = [each["events"] for each in affected["ranges"]]
    begins, ends = events[0]["introduced"], events[1]["fixed"]
    assert not within(events, Version(ends))
    assert within(events, Version(begins)) and entry["summary"]


@pytest.mark.parametrize("name, version, found", [
    ("cryptography", "42.0.0", "CVE-2024-26130"),
    ("click", "8.3.2", "CVE-2026-7246"),
    ("pyyaml", "5.3.1", "CVE-2020-14343"),
])
def test_an_affected_version_is_found(name, version, found):
    told = [str(each) for each in holes([(name, version)], KNOWN)]
    assert any(found in each and "fixed in" in each for each in told)


def test_a_newer_list_can_be_given_and_its_holes_are_told(tmp_path, capsys):
    """One entry in a file, as the public database gives it out."""
    name, version = pins.read()[0].name, pins.read()[0].version
    path = tmp_path / "entry.json"
    path.write_text(json.dumps({
        "id": "GHSA-xxxx", "aliases": ["CVE-2030-1"], "affected": [{
            "package": {"ecosystem": "PyPI", "name": name.upper()}, "versions": [version],
            "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}]}))
    assert audit.main([str(path)]) == 1
    told = capsys.readouterr().out
    assert f"{name} {version}: GHSA-xxxx CVE-2030-1" in told and "no version mends it" in told


@pytest.mark.parametrize("ecosystem, name", [("npm", "click"), ("PyPI", "clack")])
def test_what_is_said_of_others_is_not_said_of_us(ecosystem, name):
    entry = {"id": "x", "affected": [{
        "package": {"ecosystem": ecosystem, "name": name}, "versions": ["1"]}]}
    assert not list(holes([("click", "1")], [entry]))


RANGES = [{"introduced": "2"}, {"fixed": "3"}, {"introduced": "5"}, {"last_affected": "6"}]


@pytest.mark.parametrize("version, affected", [
    ("1.9", False), ("2", True), ("2.9", True), ("3", False), ("4.99", False), ("5", True),
    ("6", True), ("6.0.1", False), ("3.0rc1", True),
])
def test_a_range_begins_and_ends_where_it_says(version, affected):
    assert within(RANGES, Version(version)) == affected
    assert within(list(reversed(RANGES)), Version(version)) == affected


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8, unique=True), st.integers(0, 60))
def test_a_version_is_in_a_range_when_it_is_between_its_ends(ends, version):
    ends = sorted(ends[:len(ends) // 2 * 2])
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    events = [each for begin, end in pairs
              for each in ({"introduced": str(begin)}, {"fixed": str(end)})]
    assert within(events, Version(str(version))) == any(
        begin <= version < end for begin, end in pairs)
