"""A node that was removed stays for as long as the others may need its vote, and no longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cluster.core.model import State
from cluster.core.seats import Seat
from cluster.raft.members import Members, all_voting
from cluster.residence import FORGOTTEN_S, TOLD_S, Residence, is_decisive
from tests.raft.rig import HandClock

THREE = ("ape", "bee", "cat")


class Ledger:
    """What this node's record and voter know."""

    def __init__(self, *voters: str) -> None:
        self.state = State(
            name="shop", retired=("cat",), seats=tuple(Seat(name=each) for each in voters))
        self.voters, self.heard_s = voters, 0.0
        self.replica = SimpleNamespace(
            members=self.members, heard_at_s=lambda: self.heard_s)

    def members(self) -> Members:
        return all_voting(self.voters)

    def watch(self, changed: object) -> None:
        return None

    async def until(self, holds: object, *, deadline_s: float | None) -> bool:
        return True


class Leaving:
    def __init__(self, *voters: str) -> None:
        self.ledger, self.clock = Ledger(*voters), HandClock()
        self.residence = Residence(
            node="cat", text="", ledger=cast(Any, self.ledger), clock=cast(Any, self.clock),
            is_current=lambda: True, changed=lambda config, text: None)
        self.task = asyncio.ensure_future(self.residence.until_removed())


@pytest.fixture
async def leaving() -> AsyncIterator[dict[int, Leaving]]:
    """By how many vote."""
    made = {count: Leaving(*THREE[-count:]) for count in (2, 3)}
    await asyncio.sleep(0)
    yield made
    for each in made.values():
        each.task.cancel()
        with suppress(asyncio.CancelledError):
            await each.task


async def test_a_daemon_that_has_just_started_has_heard_nobody_yet(
    leaving: dict[int, Leaving],
) -> None:
    """Found by the simulation: it went at once, and the other one was stuck for good."""
    there = leaving[3]
    assert there.residence.is_needed()
    there.clock.now_s += FORGOTTEN_S
    assert there.residence.is_needed()
    there.clock.now_s += 1.0
    assert not there.residence.is_needed()


async def test_what_was_heard_before_its_disk_failed_counts_on(
    leaving: dict[int, Leaving],
) -> None:
    there = leaving[3]
    there.clock.now_s += FORGOTTEN_S
    there.ledger.heard_s = there.clock.now_s
    assert there.residence.is_needed()
    there.ledger.heard_s = 0.0  # another voter on the same journal
    there.clock.now_s += FORGOTTEN_S
    assert there.residence.is_needed()


async def test_whose_vote_decides_stays_however_long_the_others_are_silent(
    leaving: dict[int, Leaving],
) -> None:
    there = leaving[2]
    there.clock.now_s += 1000 * FORGOTTEN_S
    assert there.residence.is_needed()
    there.ledger.voters = ("bee",)  # the log is without it
    assert not there.residence.is_needed()


async def test_whom_the_log_is_without_stays_a_moment(leaving: dict[int, Leaving]) -> None:
    there = leaving[3]
    there.ledger.voters = ("ape", "bee")
    assert there.residence.is_needed()
    there.clock.now_s += TOLD_S + 1.0
    assert not there.residence.is_needed()


@pytest.mark.parametrize(("voters", "is_one"), [
    (("cat",), True), (("bee", "cat"), True), (THREE, False), ((*THREE, "dog"), False),
    (("ape", "bee"), False)])
def test_a_vote_decides_where_the_others_are_no_majority(
    voters: tuple[str, ...], is_one: bool,
) -> None:
    assert is_decisive("cat", voters) is is_one
