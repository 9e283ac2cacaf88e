"""A few hosts of a cluster without guests: real daemons and guardians on loopback addresses, real
commands.

Everything an operator would do is done by `vmsg`, as a process of its own.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cluster.api.client import Client
from cluster.api.find import Access, find_cluster
from cluster.api.messages import AnyRequest, GetStatus, Reply
from packages.core.problem import Problem
from tests.live.evidence import Place, evidence, standing
from tests.live.waiting import until
from tests.loopback import own_address

ROOT = Path(__file__).parents[2]
WITHIN_S = 30.0
LOOK_S = 0.02


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Hosts:
    """`folder` has a folder for each host: etc, lib and run."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("n1", "n2", "n3")) -> None:
        self.folder, self.names = folder, names
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._guardians: dict[str, subprocess.Popen[bytes]] = {}
        self.libs: dict[str, Path] = {}
        nodes = "".join(f"  - {{name: {name}, address: {own_address()}}}\n" for name in names)
        self.file = folder / "cluster.yaml"
        self.file.write_text(f"name: shop\nprofile: fast\nnodes:\n{nodes}")

    def etc(self, name: str) -> Path:
        return self.folder / name / "etc"

    def lib(self, name: str) -> Path:
        return self.libs.get(name, self.folder / name / "lib")

    def run(self, name: str) -> Path:
        return self.folder / name / "run"

    async def vmsg(self, *args: str, on: str = "n1", etc: Path | None = None) -> Said:
        """A command as the operator of that host types it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from cli.main import main; main()", *args, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "VMSG_ETC": str(etc or self.etc(on)),
                 "VMSG_RUN": str(self.run(on)), "VMSG_LIB": str(self.lib(on))},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def done(self, *args: str, on: str = "n1", etc: Path | None = None) -> str:
        """Its output; it must succeed."""
        said = await self.vmsg(*args, on=on, etc=etc)
        assert said.code == 0, said
        return said.out

    async def asked(self, *args: str, on: str = "n1", etc: Path | None = None) -> Any:
        return json.loads(await self.done(*args, "-o", "json", on=on, etc=etc))

    async def found(self, *, first: str | None = None) -> None:
        """Set the cluster up, and put each folder on its host."""
        words = ("--first", first) if first else ()
        await self.done("cluster", "init", str(self.file), "--out", str(self.folder / "made"),
                        *words)
        for name in (first,) if first else self.names:
            self.etc(name).parent.mkdir(parents=True)
            (self.folder / "made" / name).rename(self.etc(name))

    async def join(self, name: str, *, by: str = "n1") -> None:
        said = await self.done("node", "invite", name, on=by)
        line = said.split()[-1]
        await self.done("node", "join", line, "--etc", str(self.etc(name)), on=name)

    def start(self, *names: str, tree: Path = ROOT) -> None:
        """`tree`: where the product is that they run. A host's guardian outlives its daemons."""
        for name in names:
            self.run(name).mkdir(parents=True, exist_ok=True)
            if name not in self._guardians:
                self._guardians[name] = program(
                    self.folder / name / "guardian.log", tree, "cluster.guardian",
                    "--run", self.run(name), "--node", name)
            self.daemons[name] = program(
                self.log(name), tree, "cluster.daemon",
                "--etc", self.etc(name), "--lib", self.lib(name), "--run", self.run(name))

    def log(self, name: str) -> Path:
        return self.folder / name / "log"

    async def end(self, *names: str, by: signal.Signals = signal.SIGTERM) -> None:
        for name in names:
            self.daemons[name].send_signal(by)
        for name in names:
            daemon = self.daemons.pop(name)
            await until(lambda daemon=daemon: daemon.poll() is not None, within_s=WITHIN_S)

    async def status_until(
        self, holds: Callable[[Any], object], *, on: str = "n1", within_s: float = WITHIN_S,
    ) -> Any:
        """The first status, as that host's own daemon tells it, for which this holds."""
        end = asyncio.get_running_loop().time() + within_s
        while True:
            answer = await self.answer(GetStatus(verbose=True), on=on)
            shown = answer.result if isinstance(answer, Reply) else None
            if shown is not None and holds(shown):
                return shown
            assert asyncio.get_running_loop().time() < end, f"in vain; last: {answer}"
            await asyncio.sleep(LOOK_S)

    async def answer(
        self, request: AnyRequest, *, on: str, anybody: bool = False, deadline_s: float = WITHIN_S,
    ) -> Reply | Problem:
        """What that host's own daemon says, or anybody's, asked with the keys as that host has them
        now; for what is asked again and again, where a `vmsg` each time would only keep the
        processor busy."""
        endpoint = None if anybody else f"ipc://{self.run(on)}/api.sock"
        access = find_cluster(endpoint, {
            "VMSG_ETC": str(self.etc(on)), "VMSG_RUN": str(self.run(on))})
        assert isinstance(access, Access), access
        client = Client(access.endpoints, access.keys)
        try:
            return await client.ask(request, deadline_s=deadline_s)
        finally:
            client.close()

    async def until_up(self, *names: str, on: str = "n1") -> Any:
        return await self.status_until(lambda status: all(
            each["status"] == "up" for each in status["nodes"] if each["name"] in names
        ) and status["cluster"]["quorum"] and len(status["nodes"]) >= len(names), on=on)

    def evidence(self) -> str:
        return evidence(
            Place(name, self.etc(name), self.run(name),
                  (self.log(name), self.folder / name / "guardian.log"))
            for name in self.names if self.log(name).exists())

    def close(self) -> None:
        for process in (*self.daemons.values(), *self._guardians.values()):
            process.kill()
            process.wait()


def program(log: Path, tree: Path, module: str, *args: str | Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *args], cwd=tree, stdout=file, stderr=file)


@asynccontextmanager
async def hosts(folder: Path, *names: str) -> AsyncIterator[Hosts]:
    made = Hosts(folder, names or ("n1", "n2", "n3"))
    try:
        with standing(made.evidence):
            yield made
    finally:
        made.close()
