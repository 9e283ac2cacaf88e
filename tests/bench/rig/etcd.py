"""Three members of etcd 3.4 on loopback, from Debian's packages, and h2load as their client.

The client is the leanest there is: h2load (nghttp2, C) sends the bytes of one gRPC put again and
again over HTTP/2 and writes down how long each took. What it costs is measured too, by a read that
the member answers from its own memory. What must never happen here: a process left behind.
"""

import asyncio
import json
import os
import shutil
import struct
import time
from pathlib import Path

from packages.core.values import Value
from tests.loopback import own_address

CLIENTS, PEERS = 2379, 2380
NEEDED = ("etcd", "etcdctl", "h2load")
UP_S = 60.0
LOOK_S = 0.02
PROBE_EVERY_S = 0.02
PROBE_S = 5.0
KEY, VALUE = b"bench", b"x" * 256
JSON_PUT = b'{"key": "YmVuY2g=", "value": "eA=="}'


class Load(Value):
    """What h2load saw."""

    took_s: float
    ms: tuple[float, ...]


class Etcd:
    def __init__(self, folder: Path) -> None:
        missing = [each for each in NEEDED if program(each) is None]
        if missing:
            raise SystemExit(f"{', '.join(missing)} not found: make bench installs them")
        self._folder = folder
        folder.mkdir(parents=True)
        self._addresses = {name: own_address() for name in ("e1", "e2", "e3")}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        (folder / "put").write_bytes(grpc(field(1, KEY) + field(2, VALUE)))
        (folder / "read").write_bytes(grpc(field(1, KEY) + b"\x38\x01"))  # serializable: true

    @property
    def names(self) -> list[str]:
        return list(self._addresses)

    async def start(self, *names: str) -> None:
        cluster = ",".join(f"{each}={self._url(each, PEERS)}" for each in self.names)
        for name in names:
            client, peer = self._url(name, CLIENTS), self._url(name, PEERS)
            with open(self._folder / f"{name}.log", "ab") as log:
                self._running[name] = await asyncio.create_subprocess_exec(
                    str(program("etcd")), "--name", name, "--data-dir", str(self._folder / name),
                    "--listen-client-urls", client, "--advertise-client-urls", client,
                    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", cluster, "--log-level", "error", stderr=log, stdout=log,
                )
        await self.until_led()

    async def until_led(self) -> str:
        """Until one leads, all know it, and all have applied the same; its name."""
        async with asyncio.timeout(UP_S):
            while True:
                standings = await self._standings()
                leaders = {each["leader"] for each in standings.values()}
                applied = [int(each["raftAppliedIndex"]) for each in standings.values()]
                if (len(standings) == len(self._running) and len(leaders) == 1
                        and max(applied) - min(applied) < 20):
                    leader = leaders.pop()
                    return next(name for name, each in standings.items()
                                if each["header"]["member_id"] == leader)
                await asyncio.sleep(LOOK_S)

    async def _standings(self) -> dict[str, dict[str, object]]:
        names = {f"{self._addresses[name]}:{CLIENTS}": name for name in self._running}
        asked = await asyncio.create_subprocess_exec(
            str(program("etcdctl")), "--endpoints", ",".join(names),
            "endpoint", "status", "-w", "json", env={**os.environ, "ETCDCTL_API": "3"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )
        said, _ = await asked.communicate()
        found = json.loads(said) if said.strip() else []
        return {
            names[each["Endpoint"]]: each["Status"] for each in found
            if each["Status"].get("leader")
        }

    async def follower(self) -> str:
        leader = await self.until_led()
        return next(name for name in self._running if name != leader)

    async def load(self, name: str, *, count: int, clients: int, what: str = "put") -> Load:
        """`what`: put, or read, which costs what the client and the member's door cost."""
        log = self._folder / "h2load.log"
        log.unlink(missing_ok=True)
        method = "Put" if what == "put" else "Range"
        began_s = time.perf_counter()
        loading = await asyncio.create_subprocess_exec(
            str(program("h2load")), "-n", str(count), "-c", str(clients), "-m", "1",
            "-H", "content-type: application/grpc", "-H", "te: trailers",
            "-d", str(self._folder / what), f"--log-file={log}",
            f"{self._url(name, CLIENTS)}/etcdserverpb.KV/{method}",
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await loading.wait() == 0
        took_s = time.perf_counter() - began_s
        lines = [line.split("\t") for line in log.read_text().splitlines()]
        assert len(lines) == count and all(status == "200" for _, status, _ in lines)
        return Load(took_s=took_s, ms=tuple(int(us) / 1000 for _, _, us in lines))

    async def probe(self) -> float:
        """When something could be put again, on CLOCK_MONOTONIC: every moment a new put to each
        living member, since one that went to the dead leader is lost."""
        tasks: set[asyncio.Task[bool]] = set()
        while not any(each.done() and each.result() for each in tasks):
            tasks |= {asyncio.create_task(self._put(name)) for name in self._running}
            await asyncio.wait(tasks, timeout=PROBE_EVERY_S, return_when="FIRST_COMPLETED")
            tasks = {each for each in tasks if not each.done() or each.result()}
        at_s = time.monotonic()
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
        return at_s

    async def _put(self, name: str) -> bool:
        """One put through the JSON gateway, on a connection of its own."""
        try:
            async with asyncio.timeout(PROBE_S):
                reader, writer = await asyncio.open_connection(self._addresses[name], CLIENTS)
                try:
                    writer.write(
                        b"POST /v3/kv/put HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n%b" % (len(JSON_PUT), JSON_PUT))
                    return (await reader.readline()).startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    def _url(self, name: str, port: int) -> str:
        return f"http://{self._addresses[name]}:{port}"

    def kill(self, name: str) -> None:
        self._running[name].kill()

    async def buried(self, name: str) -> None:
        await self._running.pop(name).wait()

    async def end(self) -> None:
        for name, process in list(self._running.items()):
            if process.returncode is None:
                process.kill()
            await self.buried(name)


def program(name: str) -> str | None:
    """From the folder the Makefile unpacks Debian's packages to, or installed."""
    unpacked = os.environ.get("ETCD_BIN", "")
    return shutil.which(name, path=unpacked) or shutil.which(name)


def field(number: int, raw: bytes) -> bytes:
    """A field of bytes, as Protocol Buffers write it."""
    size, digits = len(raw), b""
    while size > 127:
        digits, size = digits + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + digits + bytes([size]) + raw


def grpc(message: bytes) -> bytes:
    """A message of gRPC: not compressed, and how long it is."""
    return b"\0" + struct.pack(">I", len(message)) + message
