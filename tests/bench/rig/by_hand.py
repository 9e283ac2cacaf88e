"""A migration driven by hand over QMP: what the product's move is measured against.

The same QEMU command line, namespaces, taps, disk kind, migration parameters and relays as the
product uses, and MOVES.md's sequence of commands, from one script that blocks on each answer. It
knows no agreement, no leases, no monitors, no preflight and no way back: the least that moves a
guest correctly. What does not depend on one another is started side by side, as in the product.
"""

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cluster.lab.plan import NodePlan
from packages.core.model import PackageSpec
from packages.vm.qemu.command_line import Launch, command_line, console_path
from packages.vm.qemu.migration import (
    GENTLE, SOURCE_CAPABILITIES, TARGET_CAPABILITIES, UNLIMITED_BYTES_S
)
from packages.vm.relay_carrier import RELAY

CLONE_NEWNET = 0x40000000
ANSWER_S = 30.0
TOKEN = "0123456789abcdef0123456789abcdef"

Json = dict[str, Any]


@contextlib.contextmanager
def inside(netns: str) -> Iterator[None]:
    """What is started in here is started on that node. This process has one thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{netns}") as there:
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


class Monitor:
    """One QMP connection, blocking."""

    def __init__(self, path: str) -> None:
        self.events: list[Json] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, arguments: Json | None = None) -> Any:
        asked = {"execute": command, "arguments": arguments or {}}
        self._socket.sendall(json.dumps(asked).encode())
        while True:
            said = self._read()
            if "return" in said:
                return said["return"]
            assert "error" not in said, f"{command}: {said}"

    def wait(self, wanted: Callable[[Json], bool]) -> float:
        """When such an event happened, by QEMU's own wall clock, in milliseconds."""
        while True:
            for event in self.events:
                if wanted(event):
                    stamp = event["timestamp"]
                    return float(stamp["seconds"] * 1000 + stamp["microseconds"] / 1000)
            self._read()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _read(self) -> Json:
        said: Json = json.loads(self._lines.readline())
        if "event" in said:
            self.events.append(said)
        return said


def named(name: str) -> Callable[[Json], bool]:
    return lambda event: bool(event["event"] == name)


def migration(status: str) -> Callable[[Json], bool]:
    return lambda event: event["event"] == "MIGRATION" and event["data"]["status"] == status


class HandGuest:
    """A QEMU of the product's own command line on one node."""

    def __init__(self, spec: PackageSpec, node: NodePlan, machine: str, *, incoming: bool) -> None:
        self.node, self.machine = node, machine
        self.folder = Path(node.run, "by-hand")
        self.folder.mkdir(exist_ok=True)
        self.incoming_path = str(self.folder / "in")
        Path(console_path(str(self.folder))).touch()
        self._tap = "byhand.0"
        self._ip(f"tuntap add dev {self._tap} mode tap",
                 f"link set dev {self._tap} master {spec.vm.networks[0].vswitch} up")
        with self._listener("qmp") as work, self._listener("yank") as emergency:
            launch = Launch(
                epoch=1, boot_id="by-hand", machine=machine, accel=spec.vm.accel,
                folder=str(self.folder), taps=(self._tap,), incoming=incoming,
                work_fd=work.fileno(), emergency_fd=emergency.fileno(),
            )
            with inside(node.netns):
                self._process = subprocess.Popen(
                    command_line(spec, launch), pass_fds=(work.fileno(), emergency.fileno()))

    def connect(self) -> None:
        self.monitor = Monitor(str(self.folder / "qmp"))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self.monitor.close()
        self._ip(f"link del dev {self._tap}")
        for each in self.folder.iterdir():
            each.unlink()

    def _listener(self, name: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / name))
        listener.listen()
        return listener

    def _ip(self, *lines: str) -> None:
        with inside(self.node.netns):
            subprocess.run(["/usr/sbin/ip", "-batch", "-"], check=True, text=True,
                           input="\n".join(lines) + "\n")


class HandRelay:
    """The product's relay program, given its orders by hand."""

    def __init__(self, node: NodePlan) -> None:
        self._node = node
        with inside(node.netns):
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(RELAY)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )

    def order(self, **orders: str) -> None:
        orders |= {"transport": "tls", "etc": f"{self._node.folder}/etc", "token": TOKEN}
        assert self._process.stdin is not None
        self._process.stdin.write(
            "".join(f"{key}={value}\n" for key, value in orders.items()).encode())
        self._process.stdin.close()

    def report(self) -> str:
        """The port, once it is ready."""
        assert self._process.stdout is not None
        word, _, rest = self._process.stdout.readline().decode().strip().partition(" ")
        assert word == "ready", rest
        return rest

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def first_guest(spec: PackageSpec, node: NodePlan) -> HandGuest:
    """One that runs, to be moved."""
    guest = HandGuest(spec, node, spec.vm.machine, incoming=False)
    guest.connect()
    kind = guest.monitor.ask("qom-get", {"path": "/machine", "property": "type"})
    guest.machine = str(kind).removesuffix("-machine")
    guest.monitor.ask("cont")
    return guest


def moved_by_hand(
    spec: PackageSpec, source: HandGuest, node: NodePlan, *, limit_ms: int, through_relays: bool,
) -> tuple[HandGuest, float, float]:
    """The guest on its new node; milliseconds in all, and those in which it stood."""
    source.monitor.events.clear()
    began_ms = time.time() * 1000
    relays: list[HandRelay] = []
    target = HandGuest(spec, node, source.machine, incoming=True)
    path = target.incoming_path
    if through_relays:
        # Both programs start while QEMU does; neither needs it until memory flows.
        landing, launching = relays = [HandRelay(node), HandRelay(source.node)]
        landing.order(role="land", address=node.migration_address, peer=source.node.name,
                      socket_path=path, ended_path=str(target.folder / "ended"))
    target.connect()
    _set_capabilities(target, TARGET_CAPABILITIES)
    target.monitor.ask("migrate-incoming", {"uri": f"unix:{target.incoming_path}"})
    if through_relays:
        path = str(source.folder / "out")
        launching.order(
            role="launch", address=node.migration_address, port=landing.report(), peer=node.name,
            socket_path=path)
        launching.report()
    _set_capabilities(source, SOURCE_CAPABILITIES)
    source.monitor.ask("migrate-set-parameters", {
        "downtime-limit": limit_ms, "max-bandwidth": UNLIMITED_BYTES_S, **GENTLE})
    source.monitor.ask("migrate", {"uri": f"unix:{path}"})
    stopped_ms = source.monitor.wait(named("STOP"))
    source.monitor.wait(migration("pre-switchover"))
    source.monitor.ask("migrate-continue", {"state": "pre-switchover"})
    source.monitor.wait(migration("completed"))
    while source.monitor.ask("query-status")["status"] != "postmigrate":
        continue
    target.monitor.wait(migration("completed"))
    target.monitor.ask("cont")
    resumed_ms = target.monitor.wait(named("RESUME"))
    for relay in relays:
        relay.end()
    source.end()
    return target, resumed_ms - began_ms, resumed_ms - stopped_ms


def _set_capabilities(guest: HandGuest, names: tuple[str, ...]) -> None:
    guest.monitor.ask("migrate-set-capabilities", {
        "capabilities": [{"capability": each, "state": True} for each in names]})
