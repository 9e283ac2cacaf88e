"""Nine real daemons: seven vote, two follow, and the cluster lives on without three voters."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.live.hosts import hosts

pytestmark = pytest.mark.live

NAMES = tuple(f"n{number}" for number in range(1, 10))
VOTERS, FOLLOWERS = NAMES[:7], NAMES[7:]
PATIENCE_S = 120.0
"""Nine daemons and as many guardians start on two processors."""


def roles(status: Any) -> dict[str, str]:
    return {each["name"]: each["role"] for each in status["nodes"]}


@pytest.mark.timeout(600)
async def test_beyond_seven_nodes_follow_and_three_voters_may_be_lost(tmp_path: Path) -> None:
    async with hosts(tmp_path, *NAMES) as farm:
        await farm.found()
        farm.start(*NAMES)
        up = await farm.status_until(
            lambda status: len(status["nodes"]) == len(NAMES) and status["cluster"]["quorum"]
            and all(each["status"] == "up" for each in status["nodes"]), within_s=PATIENCE_S)
        assert roles(up) == {
            **{name: "voter" for name in VOTERS}, **{name: "follower" for name in FOLLOWERS}}
        await farm.end(*VOTERS[4:], by=signal.SIGKILL)
        # Four of seven decide, and a follower is told: it is asked, and asks its leader.
        await farm.done("cluster", "run", on="n1")
        seen = await farm.status_until(
            lambda status: {each["name"] for each in status["nodes"] if each["status"] == "up"}
            == {*VOTERS[:4], *FOLLOWERS} and status["cluster"]["quorum"],
            on=FOLLOWERS[1], within_s=PATIENCE_S)
        assert seen["cluster"]["leader"] in VOTERS[:4]
        farm.start(*VOTERS[4:])
        await farm.status_until(
            lambda status: all(each["status"] == "up" for each in status["nodes"]),
            on=FOLLOWERS[0], within_s=PATIENCE_S)
