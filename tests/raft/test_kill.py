"""Real processes, really killed in the middle of writing: nothing acknowledged is ever lost."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.sockets import make_keys
from tests.loopback import own_address

NAMES = ("ape", "bee", "cat")
KILLS = 6
MOST_S = 40.0
ROOT = Path(__file__).parents[2]


class Processes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        nodes = {}
        for name in NAMES:
            keys = make_keys()
            nodes[name] = {
                "endpoint": f"tcp://{own_address()}:5470",
                "keys": {"public": keys.public, "secret": keys.secret},
            }
        self._plan = folder / "plan.json"
        self._plan.write_text(json.dumps(nodes))

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.raft.lone_node"]
        self._running[name] = subprocess.Popen(
            [*command, str(self._folder), str(self._plan), name], cwd=ROOT,
        )

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    async def until_at_work(self) -> None:
        """Until each has been acknowledged something in its present life."""
        async with asyncio.timeout(MOST_S):
            for name, process in self._running.items():
                while not any(each.startswith(b"%s-%d-" % (name.encode(), process.pid))
                              for each in self.acked()):
                    await asyncio.sleep(0.02)

    def end(self) -> None:
        """Have all write down their state and leave."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            assert process.wait(timeout=60) == 0
        self._running = {}

    def acked(self) -> set[bytes]:
        found: set[bytes] = set()
        for name in NAMES:
            path = self._folder / f"{name}.acked"
            if path.exists():
                found |= set(path.read_bytes().splitlines())
        return found

    def state(self, name: str) -> list[bytes]:
        return (self._folder / f"{name}.state").read_bytes().splitlines()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    for name in list(processes._running):
        processes.kill(name)


async def test_no_acknowledged_command_is_lost_when_nodes_are_killed(processes: Processes) -> None:
    dice = random.Random(20)
    for name in NAMES:
        processes.start(name)
    for _ in range(KILLS):
        victim = dice.choice(NAMES)
        await more(processes, dice.randrange(100, 300))
        processes.kill(victim)
        await more(processes, 50)
        processes.start(victim)
    await more(processes, 300)
    await processes.until_at_work()  # before that, it is not ready to be told to end
    processes.end()
    acked = processes.acked()
    for name in NAMES:
        state = processes.state(name)
        assert len(set(state)) == len(state), "applied twice"
        assert not acked - set(state), f"lost at {name}"
    shortest = min(len(processes.state(name)) for name in NAMES)
    assert len({tuple(processes.state(name)[:shortest]) for name in NAMES}) == 1


async def more(processes: Processes, count: int) -> None:
    """Wait until that many more commands were acknowledged."""
    before = len(processes.acked())
    async with asyncio.timeout(MOST_S):
        while len(processes.acked()) < before + count:
            await asyncio.sleep(0.02)
