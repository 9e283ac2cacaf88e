"""The lock is what setup.cfg asks for: nothing missing, nothing more, and each under a licence."""

from importlib.metadata import distribution

import pytest
from packaging.specifiers import SpecifierSet

from supply import pins
from supply.lock import licence, required
from supply.pins import BUILD, LOCK, PRODUCT, PYTHONS

LOCKED = {each.name: each for each in pins.read()}

MAY_BE_SHIPPED = {
    "MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "Apache-2.0 OR BSD-3-Clause",
    "Apache-2.0 OR MIT", "LGPL-2.0-or-later AND GPL-2.0-only",
}


def test_each_requirement_is_locked_at_a_version_that_fits():
    for name, wanted in pins.requirements():
        assert SpecifierSet(wanted).contains(LOCKED[name].version), f"{name}: make lock"
    asked = {name for name, each in LOCKED.items() if PRODUCT in each.wanted_by}
    assert asked == {name for name, _ in pins.requirements()}


def test_nothing_is_locked_that_nobody_wants():
    """So no test tool either: those are wanted by an extra, which no host installs."""
    reached, ahead = set(), {PRODUCT}
    while ahead:
        reached |= ahead
        ahead = {name for name, each in LOCKED.items() if set(each.wanted_by) & ahead} - reached
    assert reached == {PRODUCT, *LOCKED}


def test_nothing_is_missing_that_a_locked_one_needs():
    """By what the installed ones say of themselves; they are those of the lock."""
    for name, pin in LOCKED.items():
        installed = distribution(name)
        assert installed.version == pin.version, f"{name}: make setup"
        needed = {each for line in installed.requires or () for each in required(line)}
        assert needed == {each for each, other in LOCKED.items() if name in other.wanted_by}, name


def test_each_python_has_its_file_and_no_pin_a_file_too_many():
    for each in (*LOCKED.values(), *pins.read(BUILD)):
        assert 1 <= len(each.hashes) <= len(PYTHONS), each.name
        assert list(each.hashes) == sorted(set(each.hashes))


def test_each_licence_is_one_that_may_be_shipped():
    assert {each.licence for each in LOCKED.values()} <= MAY_BE_SHIPPED


def test_no_index_is_named():
    """Where distributions come from is the machine's own setting."""
    for path in (LOCK, BUILD):
        assert "://" not in path.read_text() and "index" not in path.read_text()


@pytest.mark.parametrize("spoilt", [
    ("==", ">="), ("--hash=sha256:", "--hash=md5:"), ("# MIT; for rich\n", ""),
    ("rich==", "--index-url x\nrich=="),
])
def test_a_lock_that_somebody_changed_by_hand_is_not_read(tmp_path, spoilt):
    path = tmp_path / "lock.txt"
    path.write_text(LOCK.read_text().replace(*spoilt))
    with pytest.raises(ValueError):
        pins.read(path)


@pytest.mark.parametrize("metadata, expected", [
    ({"name": "a", "license_expression": "MIT-0"}, "MIT-0"),
    ({"name": "a", "license": "Apache License, Version 2.0"}, "Apache-2.0"),
    ({"name": "a", "license": "x", "classifier": ["License :: OSI Approved :: MIT License"]},
     "MIT"),
    ({"name": "qemu.qmp"}, "LGPL-2.0-or-later AND GPL-2.0-only"),
])
def test_a_licence_is_taken_from_what_a_distribution_says(metadata, expected):
    assert licence(metadata) == expected


@pytest.mark.parametrize("metadata", [
    {"name": "a"},
    {"name": "a", "license": "ask me"},
    {"name": "a", "classifier": [
        "License :: OSI Approved :: MIT License",
        "License :: OSI Approved :: Apache Software License"]},
])
def test_a_licence_that_nobody_can_tell_is_not_guessed(metadata):
    with pytest.raises(LookupError):
        licence(metadata)


@pytest.mark.parametrize("line, needed", [
    ("Some.Thing (>=1); python_version < '3.12'", {"some-thing"}),
    ("thing; python_full_version >= '3.13'", {"thing"}),
    ("thing; python_version < '3.11'", set()),
    ("thing; extra == 'test'", set()),
    ("thing; implementation_name == 'pypy'", set()),
])
def test_what_one_python_alone_needs_is_needed(line, needed):
    assert required(line) == needed
