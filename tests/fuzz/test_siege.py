"""Whole daemons withstand what one node's key can say, without a word that makes it the leader."""

from pathlib import Path

from tests.fuzz.siege import WILD, besieged

MESSAGES = 12_000
"""Four rounds, one of them wild; `make fuzz` says a million."""


async def test_whole_daemons_withstand_one_nodes_key(tmp_path: Path) -> None:
    outcome = await besieged(tmp_path, seed=3, messages=MESSAGES)
    assert outcome.messages >= MESSAGES > 4 * WILD and outcome.commits > 4
    assert outcome.counts["heard"] and outcome.counts["answered"]
