"""Three voters of ours, each a process on loopback, and what a bench asks of them.

What must never happen here: a process left behind.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from cluster.api.client import Client
from cluster.api.messages import Reply, SetSwitching
from cluster.api.peer import Endpoint
from cluster.clock import HostClock
from cluster.config.keys import NodeFolder, init_cluster, load_node_folder
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.sockets import keys_of, make_keys
from tests.loopback import own_address

NAMES = ("n1", "n2", "n3")
ROOT = Path(__file__).parents[3]
UP_S = 60.0
LOOK_S = 0.02
LINE_BYTES = 8 << 20
"""The latencies of one measurement, as JSON."""

PACKAGE = """\
name: bench
nodes: [n1, n2, n3]
auto_run: false
vm:
  memory_mib: 16
  disks:
    - path: /dev/disk/by-id/bench
"""


class Members:
    """`plan` is what member.py takes; `folder` holds it and the members' logs."""

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._plan = folder / "plan.json"
        self._plan.write_text(json.dumps(plan))
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, *names: str) -> None:
        for name in names:
            with open(self._folder / f"{name}.log", "ab") as log:
                self._running[name] = await asyncio.create_subprocess_exec(
                    sys.executable, str(Path(__file__).with_name("member.py")), str(self._plan),
                    name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}, limit=LINE_BYTES,
                )
        await self.until_led()

    async def ask(self, name: str, order: str, **fields: object) -> Any:
        process = self._running[name]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"order": order, **fields}).encode() + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise SystemExit(f"{name} has ended:\n{(self._folder / f'{name}.log').read_text()}")
        return json.loads(line)

    async def until_led(self) -> str:
        """Until one leads, all know it, and all have applied the same; its name."""
        async with asyncio.timeout(UP_S):
            while True:
                standings = {name: await self.ask(name, "standing") for name in self._running}
                leaders = {each["leader"] for each in standings.values()}
                applied = [each["applied"] for each in standings.values()]
                leads = [name for name, each in standings.items() if each["leads"]]
                if len(leaders) == 1 and leads and max(applied) - min(applied) < 20:
                    return leads[0]
                await asyncio.sleep(LOOK_S)

    async def follower(self) -> str:
        leader = await self.until_led()
        return next(name for name in self._running if name != leader)

    def pid(self, name: str) -> int | None:
        """None where it has ended."""
        process = self._running[name]
        return process.pid if process.returncode is None else None

    def kill(self, name: str) -> None:
        self._running[name].kill()

    async def buried(self, name: str) -> None:
        await self._running.pop(name).wait()

    async def end(self) -> None:
        for name, process in list(self._running.items()):
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await self.buried(name)


def bare_voters(folder: Path, *, sync_ms: tuple[float, float] | None = None) -> Members:
    """Replicas and nothing else; `sync_ms`: what every sync of their disks takes longer."""
    nodes = {}
    for name in NAMES:
        keys = make_keys()
        nodes[name] = {"endpoint": f"tcp://{own_address()}:5470",
                       "keys": {"public": keys.public, "secret": keys.secret}}
    return Members(folder, {"folder": str(folder), "nodes": nodes, "sync_ms": sync_ms})


class Daemons(Members):
    """Whole daemons, whose record knows one package that is never run."""

    def __init__(self, folder: Path) -> None:
        config = ClusterConfig(name="bench", nodes=tuple(
            NodeConfig(name=name, address=own_address()) for name in NAMES))
        refused = init_cluster(config, folder / "keys", make_keys)
        assert refused is None, refused
        nodes = {}
        for name in NAMES:
            (folder / name).mkdir()
            (folder / "keys" / name).rename(folder / name / "etc")
            nodes[name] = {"etc": str(folder / name / "etc")}
        self._config = config
        self._etc = folder / NAMES[0] / "etc"
        super().__init__(folder, {"nodes": nodes, "sync_ms": None})

    async def start(self, *names: str) -> None:
        await super().start(*names)
        await self.ask(names[0], "package", text=PACKAGE)

    def client(self, name: str) -> Client:
        """An operator's client of this node alone."""
        folder = load_node_folder(self._etc)
        assert isinstance(folder, NodeFolder), folder
        keys = keys_of(folder.operator_secret)
        assert keys is not None
        node = next(each for each in self._config.nodes if each.name == name)
        return Client([Endpoint(
            address=f"tcp://{node.address}:{node.api_port}", node=name,
            server_key=folder.keys.nodes[name])], keys)


async def switch(client: Client, number: int) -> None:
    """A small change, asked for and answered."""
    reply = await client.ask(SetSwitching(
        package="bench", enabled=bool(number % 2), request=HostClock().token(), reason="bench",
    ), deadline_s=10.0)
    assert isinstance(reply, Reply) and reply.verdict == "done", reply
