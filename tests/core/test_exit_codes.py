"""Which end of a daemon is final, and which is followed by another start."""

import configparser
from pathlib import Path

import pytest

from cluster.exit_codes import AGAIN, ENDED, FOR_A_PERSON, MENDED_BY_A_PERSON, exit_code
from packages.core.problem import Problem
from packages.core.problem_catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]


def ended_by(code: str) -> int:
    return exit_code(Problem(code=code, subject="node:n1", what="w", because="b", fix="f"))


def test_an_end_by_order_is_none() -> None:
    assert exit_code(None) == ENDED


@pytest.mark.parametrize("code", [
    "journal-damaged", "journal-missing", "journal-of-another", "journal-rolled-back",
    "snapshot-damaged",
    "replica-diverged", "node-removed", "key-file-missing", "key-file-broken", "key-file-exposed",
    "config-unreadable", "config-bad-value",
])
def test_what_a_person_must_mend_is_not_started_again(code: str) -> None:
    assert ended_by(code) == FOR_A_PERSON


@pytest.mark.parametrize("code", [
    "cannot-listen", "journal-in-use", "journal-not-writable", "host-exhausted", "internal-error",
    "guardian-unreachable",
])
def test_what_may_pass_is_tried_again(code: str) -> None:
    assert ended_by(code) == AGAIN


def test_the_unit_knows_the_one_from_the_other_and_all_codes_exist() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "conf/systemd/vmsgd.service")
    assert unit["Service"]["RestartPreventExitStatus"] == str(FOR_A_PERSON)
    assert MENDED_BY_A_PERSON <= set(CATALOGUE)
