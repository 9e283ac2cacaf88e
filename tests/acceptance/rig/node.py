"""A cluster of one node on a host of the rig, as README makes it, with one guest."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

from tests.acceptance.rig.hosts import ROOT, Host, host, tree

ADDRESS = "192.0.2.7"
CLUSTER = f"name: shop\nnodes:\n  - {{name: n1, address: {ADDRESS}}}\n"
PACKAGE = """name: web
nodes: [n1]
vm:
  memory_mib: 32
  accel: tcg
  disks:
    - path: {disk}
halt_timeout_s: 2
"""
GIVE = ("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
TAKE = ("ip", "address", "del", f"{ADDRESS}/32", "dev", "lo")
DISK_BYTES = 32 << 20


class Node:
    """The host with the cluster's node n1, and the package `web`, whose guest boots from an empty
    disk and idles in its firmware."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def done(self, *argv: str) -> str:
        said = self.host.run(*argv)
        assert said.returncode == 0, (argv, said.stdout, said.stderr)
        return said.stdout

    def found(self, disk: str) -> None:
        self.write("/root/cluster.yaml", CLUSTER)
        self.write("/root/web.yaml", PACKAGE.format(disk=disk))
        self.done(*GIVE)
        self.done("vmsg", "cluster", "init", "/root/cluster.yaml", "--out", "/root/made")
        self.done("mv", "/root/made/n1", "/etc/vmsg")
        self.done("systemctl", "enable", "--now", "vmsg-guard", "vmsgd")
        self.host.until(lambda: self.host.run(
            "vmsg", "package", "apply", "/root/web.yaml").returncode == 0)
        self.host.until(self.is_up)

    def write(self, path: str, text: str) -> None:
        self.done("sh", "-c", 'mkdir -p "$(dirname "$1")"; printf %s "$2" >"$1"', "sh", path, text)

    def status(self) -> Any:
        """None while nobody answers."""
        said = self.host.run("vmsg", "status", "-o", "json")
        return json.loads(said.stdout) if said.returncode == 0 and said.stdout else None

    def is_up(self) -> bool:
        """Whether the guest runs, by the record and by the kernel."""
        status = self.status()
        if status is None:
            return False
        states = {each["name"]: each["state"] for each in status["packages"]}
        pids = self.guests()
        return states.get("web") == "running" and len(pids) == 1 and self.state(pids[0]) in "RS"

    def guests(self) -> list[int]:
        """Their processes, as the host numbers them; a QEMU that is only asked what it knows is
        none of them."""
        found = self.host.run("pgrep", "-f", "^qemu-system-x86_64 -name vmsg:").stdout
        return [int(each) for each in found.split()]

    def state(self, pid: int) -> str:
        return self.host.run("ps", "-o", "state=", "-p", str(pid)).stdout.strip()[:1]

    def group(self, pid: int) -> str:
        """The control group of a process there."""
        lines = self.done("cat", f"/proc/{pid}/cgroup").splitlines()
        return next(line for line in lines if line.startswith("0::")).removeprefix("0::")

    def said(self, words: str, *, tag: str) -> int:
        """How many lines of the journal under this tag hold these words."""
        return sum(words in line for line in self.host.journal("-t", tag))


def install_units(root: Path) -> None:
    """As README does, for a checkout."""
    units = root / "usr/local/lib/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    for each in (ROOT / "conf/systemd").iterdir():
        copy(each, units)


@contextmanager
def node(suite: str) -> Iterator[Node]:
    with host("n1") as made, disk(made.folder / "disk") as device:
        made.boot(of=tree(suite), installs=install_units, words=[f"--bind={device}"])
        there = Node(made)
        there.found(device)
        yield there


@contextmanager
def disk(file: Path) -> Iterator[str]:
    with file.open("wb") as made:
        made.truncate(DISK_BYTES)
    device = subprocess.run(
        ["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=True,
    ).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
