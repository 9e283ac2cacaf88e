"""A daemon whose address comes late: a network namespace of its own that has none at first."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.live.hosts import ROOT, Hosts
from tests.live.waiting import until

pytestmark = pytest.mark.live

ADDRESS = "192.0.2.7"


class Late:
    """One host whose daemon finds no address."""

    def __init__(self, farm: Hosts) -> None:
        self._log = farm.folder / "late.log"
        with self._log.open("wb") as log:
            self.daemon = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh",
                 sys.executable, "-m", "cluster.daemon", "--etc", farm.etc("n1"),
                 "--lib", farm.lib("n1"), "--run", farm.run("n1")],
                cwd=ROOT, stderr=log)

    @property
    def lines(self) -> list[str]:
        return self._log.read_text(encoding="utf-8").splitlines()

    def said(self, words: str) -> int:
        return sum(words in line for line in self.lines)

    def give_address(self) -> None:
        subprocess.run(
            ["nsenter", "-t", str(self.daemon.pid), "-n", "ip", "address", "add", f"{ADDRESS}/32",
             "dev", "lo"], check=True)


@pytest.fixture
async def late(tmp_path: Path) -> AsyncIterator[Late]:
    farm = Hosts(tmp_path, ("n1",))
    farm.file.write_text(f"name: shop\nnodes:\n  - {{name: n1, address: {ADDRESS}}}\n")
    await farm.found()
    late = Late(farm)
    yield late
    late.daemon.kill()
    late.daemon.wait()


async def test_it_waits_says_so_once_and_takes_part_when_the_address_is_there(late: Late) -> None:
    await until(lambda: late.said("waiting for it"), within_s=30)
    assert late.daemon.poll() is None
    late.give_address()
    await until(lambda: late.said("n1 takes part"), within_s=30)
    assert late.said("waiting for it") == 1 and late.daemon.poll() is None


async def test_one_that_waits_ends_when_it_is_told_to(late: Late) -> None:
    await until(lambda: late.said("waiting for it"), within_s=30)
    late.daemon.terminate()
    await until(lambda: late.daemon.poll() is not None, within_s=10)
    assert late.daemon.returncode == 0
