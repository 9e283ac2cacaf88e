"""A node whose journal is damaged or gone says what to do, and doing it brings it back whole."""

import shutil
from pathlib import Path

import pytest

from cluster.raft.amnesia import NOTE_FILE, Note
from packages.core.values import from_json
from tests.live.hosts import WITHIN_S, Hosts, hosts
from tests.live.waiting import until

pytestmark = pytest.mark.live

REFUSED = 3


async def refused_to_start(farm: Hosts, name: str, code: str) -> None:
    farm.start(name)
    daemon = farm.daemons.pop(name)
    await until(lambda: daemon.poll() is not None, within_s=30)
    assert daemon.returncode == REFUSED
    last = farm.log(name).read_text().splitlines()[-1]
    assert f"[{code}]" in last and f"vmsg node rejoin {name}" in last


async def test_a_damaged_journal_is_set_aside_and_the_node_counts_again(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await farm.found()
        farm.start(*farm.names)
        await farm.until_up(*farm.names)
        said = await farm.vmsg("node", "rejoin", "n2", on="n2")
        assert said.code == REFUSED and "node-running" in said.err
        await farm.end("n2")
        journal = farm.lib("n2") / "raft" / "journal"
        raw = bytearray(journal.read_bytes())
        raw[40] ^= 0xFF
        journal.write_bytes(raw)
        await refused_to_start(farm, "n2", "journal-damaged")
        said = await farm.vmsg("node", "rejoin", "n3", on="n2")
        assert said.code == REFUSED and "unknown-node" in said.err
        await farm.end("n3")
        said = await farm.vmsg("node", "rejoin", "n2", on="n2")
        assert said.code == REFUSED and "rejoin-unsafe" in said.err, said
        assert journal.read_bytes() == bytes(raw)
        farm.start("n3")
        await farm.until_up("n1", "n3")
        shown = await farm.asked("node", "rejoin", "n2", on="n2")
        assert (Path(shown["set_aside"]) / "journal").read_bytes() == bytes(raw)
        farm.start("n2")
        # It counts again once it has what the others agreed upon: with it alone the other one has
        # a majority then.
        note = farm.lib("n2") / "raft" / NOTE_FILE
        await until(
            lambda: from_json(note.read_bytes(), Note).ended_in is not None, within_s=WITHIN_S)
        await farm.until_up(*farm.names)
        await farm.end("n3")
        await farm.done("operator", "add", "ann", "--out", str(farm.folder / "ann"))
        await farm.end("n2")
        farm.start("n2")
        await farm.until_up("n1", "n2", on="n2")


async def test_a_wiped_folder_is_not_taken_for_a_new_node(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await farm.found()
        farm.start(*farm.names)
        await farm.until_up(*farm.names)
        await farm.end("n3")
        shutil.rmtree(farm.lib("n3"))
        await refused_to_start(farm, "n3", "journal-missing")
        await farm.done("node", "rejoin", "n3", on="n3")
        farm.start("n3")
        await farm.until_up(*farm.names, on="n3")
