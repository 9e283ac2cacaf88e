"""A live test that fails says what the daemons said last, and what had happened."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.live.evidence import ROOT

pytestmark = [pytest.mark.live, pytest.mark.acceptance]

HEAD = """
import pytest_asyncio
from tests.live.hosts import hosts
"""

IN_THE_TEST = HEAD + """
async def test_that_fails(tmp_path):
    async with hosts(tmp_path, "n1") as farm:
        await farm.found()
        farm.start("n1")
        await farm.until_up("n1")
        assert False, "on purpose"
"""

IN_A_FIXTURE = HEAD + """
@pytest_asyncio.fixture
async def farm(tmp_path):
    async with hosts(tmp_path, "n1") as farm:
        await farm.found()
        farm.start("n1")
        await farm.until_up("n1")
        yield farm

async def test_that_fails(farm):
    assert False, "on purpose"
"""


@pytest.mark.parametrize("text", [IN_THE_TEST, IN_A_FIXTURE], ids=["in the test", "in a fixture"])
def test_a_failure_tells_the_last_words_and_the_history(tmp_path: Path, text: str) -> None:
    test = tmp_path / "test_on_purpose.py"
    test.write_text(text)
    # Not inside of tmp_path: sockets are made there, whose paths may have 107 characters, and a
    # worker of the outer pytest adds its own name.
    with tempfile.TemporaryDirectory(prefix="vmsg-") as short:
        said = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "tests.live.evidence", "-p", "no:cacheprovider",
             "-c", str(ROOT / "setup.cfg"), f"--basetemp={short}/inner", str(test)],
            cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert said.returncode == 1, said.stdout + said.stderr
    assert "on purpose" in said.stdout
    assert "--- n1, log" in said.stdout and "--- n1, guardian.log" in said.stdout
    assert "--- the history, as n1 has it" in said.stdout
    assert "n1 joined" in said.stdout or "node:n1" in said.stdout, said.stdout


def test_every_lab_and_every_farm_stands_as_evidence() -> None:
    """What makes daemons for tests is inside `standing`, so that no test need think of it."""
    for name, maker in (("live_cluster.py", "live_cluster"), ("hosts.py", "hosts"),
                        ("test_lab_life.py", "a_lab")):
        text = (ROOT / "tests/live" / name).read_text()
        made = text.partition(f"async def {maker}(")[2].partition("\n\n\n")[0]
        assert "standing(" in made, name
