"""Bad input of every kind on a cluster that works: a Problem or a dropped packet, nothing else.

The guest runs on through all of it, and what the cluster has agreed upon stays as it was.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cluster.api.messages import ApplyPackages, GetPackages, MovePackage, NamedText
from cluster.config.keys import init_cluster, load_node_folder
from cluster.lab import guests
from cluster.lab.plan import cluster_config
from cluster.sockets import make_keys
from packages.core.problem import Problem
from tests.live.guest_side import held_connection
from tests.live.hosts import ROOT
from tests.live.live_cluster import LiveCluster, live_cluster, token
from tests.partitions import add_partition, delete_partition

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

SLOW = {"migration_bandwidth_mib_s": 1}
BUSY, IDLE = "d3000,2", "d0"
"""Dirtying faster than that: a copy that lasts until the guest is told to be idle."""
LISTENING = "0A"
"""A TCP socket's state in /proc/net/tcp."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path_factory.mktemp("bad") / "lab") as made:
        yield made


async def agreed(cluster: LiveCluster) -> dict[str, Any]:
    """What must not change: the packages as described and as they run, and their history."""
    return {
        "packages": (await cluster.done(GetPackages()))["packages"],
        "shown": {key: value for key, value in (await cluster.shown()).items()
                  if key in ("state", "node", "epoch", "boot_id", "move")},
        "events": [each["seq"] for each in await cluster.events()],
    }


# disks


class Disks:
    """Things that are not a package's own whole LUN."""

    def __init__(self, folder: Path, undo: contextlib.ExitStack) -> None:
        self._folder, self._undo = folder, undo

    def file(self) -> str:
        path = self._folder / f"disk{len(list(self._folder.iterdir()))}.img"
        path.touch()
        os.truncate(path, 16 << 20)
        return str(path)

    def loop(self) -> str:
        device = run("losetup", "--find", "--show", self.file())
        self._undo.callback(run, "losetup", "--detach", device)
        return device

    def partition(self) -> str:
        device = self.loop()
        partition = add_partition(device, start=2048, sectors=8192)
        self._undo.callback(delete_partition, device)
        return partition

    def mounted(self) -> str:
        device, where = self.loop(), self._folder / "mounted"
        where.mkdir()
        run("mkfs.ext4", "-q", device)
        run("mount", device, str(where))
        self._undo.callback(run, "umount", str(where))
        return device

    def alias(self, device: str) -> str:
        path = self._folder / "by-another-name"
        path.symlink_to(device)
        return str(path)


def run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Disks]:
    with contextlib.ExitStack() as undo:
        yield Disks(tmp_path, undo)


async def test_a_disk_that_is_not_a_lun_of_its_own_is_refused(
    cluster: LiveCluster, disks: Disks,
) -> None:
    own = cluster.record.disks["p1"]
    before = await agreed(cluster)
    for path, *codes in (
        (disks.file(), "disk-is-file"), (disks.partition(), "disk-not-whole"),
        (disks.mounted(), "disk-in-use"), ("/dev/absent", "disk-not-visible"),
        (own, "disk-in-use", "disk-claimed"), (disks.alias(own), "disk-in-use"),
    ):
        text = guests.package_text(cluster.plan, cluster.package(), path).replace(
            "name: p1", "name: p2", 1)
        text = re.sub(r"(52:54:\S+:)65", r"\g<1>fe", text)  # a network card of its own
        file = NamedText(name="p2.yaml", text=text)
        refused = await cluster.ask(ApplyPackages(request=token(), files=(file,)))
        assert refused.verdict == "refused", path
        refusals = [each for each in refused.problems if each.severity == "refuse"]
        assert {each.code for each in refusals} == {*codes}, refused.problems
        assert all(each.fix and path in each.what + each.because for each in refusals)
    assert await agreed(cluster) == before


# texts


@pytest.mark.parametrize("content", [
    b"", b"\x7fELF\0\xff\xfe" * 100, b"name: " + b"x" * (2 << 20), b"[" * 200_000,
    b"a: " + b"{a: " * 40 + b"1" + b"}" * 40,
], ids=["empty", "binary", "huge", "deep", "nested"])
async def test_a_text_that_is_no_package_is_refused(
    cluster: LiveCluster, tmp_path: Path, content: bytes,
) -> None:
    file = tmp_path / "package.yaml"
    file.write_bytes(content)
    before = await agreed(cluster)
    code, printed = await vmsg(cluster, "package", "apply", str(file), "-o", "json")
    assert code == 3, printed
    found = json.loads(printed)["problems"]
    assert {each["code"] for each in found} == {"config-unreadable"}, found
    # And past the command line, which reads files itself: the daemons' own door.
    text = NamedText(name="package.yaml", text=content.decode(errors="replace"))
    refused = await cluster.ask(ApplyPackages(request=token(), files=(text,)))
    assert refused.verdict == "refused"
    assert {each.code for each in refused.problems} == {
        "bad-request" if len(content) > 1 << 20 else "config-unreadable"}
    assert await agreed(cluster) == before


async def vmsg(cluster: LiveCluster, *args: str) -> tuple[int, str]:
    """The command line as it is installed; no traceback may reach a person."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cli.main import main; main()", *args, cwd=ROOT,
        env={**os.environ, "VMSG_ENDPOINT": cluster.record.dir.as_posix()},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, complained = await process.communicate()
    assert b"Traceback" not in printed + complained
    assert process.returncode is not None
    return process.returncode, printed.decode()


# moves; those to a node that is down, and a second one while one runs: test_moves_live.py


async def test_a_move_that_makes_no_sense_is_refused_in_words(cluster: LiveCluster) -> None:
    before = await agreed(cluster)
    for target, code in (
        ("n9", "unknown-node"), ("", "unknown-node"), ("n1\n\0", "unknown-node"),
        ("x" * 100_000, "request-too-large"), ("x" * 254, "bad-request"),
        (before["shown"]["node"], "package-already-there"),
    ):
        refused = await cluster.ask(MovePackage(request=token(), package="p1", node=target))
        assert refused.verdict == "refused"
        assert code in [each.code for each in refused.problems]
    assert await agreed(cluster) == before


# sockets


async def test_strangers_at_every_door_change_nothing(
    cluster: LiveCluster, tmp_path: Path,
) -> None:
    await cluster.set_policy(**SLOW)
    before, status = await cluster.one_copy(), await cluster.status()
    life = (await cluster.said(BUSY)).boot_id
    target = next(name for name in cluster.names if name != before["node"])
    async with held_connection(cluster.package().guest_address) as caller:
        move = await cluster.open_move(target)
        await cluster.step(before["node"], move, "copy")
        let_in = await strangers(cluster, doors(cluster, target, move, tmp_path))
        assert let_in == []
        during = await cluster.status()
        assert (await cluster.move())["result"] is None, "nobody was at the landing port"
        await cluster.said(IDLE)
        assert (await cluster.end_of_move())["result"] == "completed"
        await caller.goes_on()
    for key in ("leader", "term"):
        assert during["cluster"][key] == status["cluster"][key]
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (target, before["boot_id"])
    assert (await cluster.said()).boot_id == life
    for name in cluster.names:
        log = Path(cluster.node(name).folder, "log", "daemon.log").read_text()
        assert "Traceback" not in log, log


def doors(cluster: LiveCluster, target: str, move: str, folder: Path) -> list[dict[str, Any]]:
    """Every socket of every node. The strangers' keys are good ones, of another cluster."""
    assert init_cluster(cluster_config(cluster.plan), folder / "other", make_keys) is None
    found: list[dict[str, Any]] = []
    for node in cluster.plan.nodes:
        ours = load_node_folder(Path(node.folder, "etc"))
        other = load_node_folder(folder / "other" / node.name)
        assert not isinstance(ours, Problem) and not isinstance(other, Problem)
        listener = next(each for each in ours.config.nodes if each.name == node.name)
        for address, secret in (
            (f"tcp://{node.address}:{listener.raft_port}", other.curve_secret),
            (f"tcp://{node.address}:{listener.api_port}", other.operator_secret),
            (f"ipc://{node.run}/api.sock", make_keys().secret),
        ):
            found.append({"address": address, "kind": "zmq", "key": secret,
                          "listener_key": ours.keys.nodes[node.name]})
        found.append({"address": f"ipc://{node.run}/guardian.sock", "kind": "lines"})
    port = landing_port(cluster.relay(target, move))
    place = cluster.node(target).migration_address
    return [*found, {"address": f"tcp://{place}:{port}", "kind": "tls"}]


def landing_port(pid: int) -> int:
    """Where this process listens, from its own files and its network namespace's sockets."""
    own = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            own.add(os.readlink(file))
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, = fields = line.split()
        if state == LISTENING and f"socket:[{fields[9]}]" in own:
            return int(local.split(":")[1], 16)
    raise AssertionError(f"process {pid} does not listen")


async def strangers(cluster: LiveCluster, at: list[dict[str, Any]]) -> list[str]:
    """What they report, from a node's place in the network, where all doors can be reached."""
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", cluster.plan.nodes[0].netns, sys.executable, "-m",
        "tests.live.stranger", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        told, complained = await process.communicate(json.dumps(at).encode())
    assert process.returncode == 0, complained.decode()
    return list(json.loads(told))
