"""Without a majority that comes first: who is heard, who is missing, since when."""

import json
from pathlib import Path

import pytest

from tests.live.hosts import hosts

pytestmark = pytest.mark.live

NO_QUORUM = 4


async def test_no_quorum_is_the_first_thing_that_is_said(tmp_path: Path) -> None:
    async with hosts(tmp_path) as farm:
        await farm.found()
        farm.start("n1")
        # Founding: nobody else is there yet, and nothing is in the record.
        await farm.status_until(lambda status: status["problems"])
        said = await farm.vmsg("node", "list")
        assert said.code == NO_QUORUM and "Start vmsgd on n2, n3" in said.err, said
        said = await farm.vmsg("node", "list", "-o", "json")
        assert said.code == NO_QUORUM
        assert [each["code"] for each in json.loads(said.out)["problems"]] == ["no-quorum"]
        said = await farm.vmsg("status")
        assert said.code == NO_QUORUM and "no-quorum" in said.out

        farm.start("n2", "n3")
        shown = await farm.until_up(*farm.names)
        assert [each for each in shown["problems"] if each["code"] == "no-quorum"] == []
        assert (await farm.vmsg("node", "list")).code == 0

        await farm.end("n2", "n3")
        shown = await farm.status_until(lambda status: not status["cluster"]["quorum"])
        first = shown["problems"][0]
        assert first["code"] == "no-quorum" and "Not heard: n2, n3. Since 2" in first["because"]
        said = await farm.vmsg("node", "list")
        assert said.code == NO_QUORUM and "n3" in said.out, said
