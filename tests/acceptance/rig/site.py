"""Three hosts on one switch that see the same LUN: what README calls three real hosts.

The switch is a network namespace with three bridges, so that neither this machine's firewall nor
its networks touch it. Each host has a cable into each of them, and systemd-networkd: `cl0`
(10.1.0.0/24), `mig0` (10.2.0.0/24), and `up0` in its bridge `vsw0` (10.66.0.0/24), where guests
are. LUNs are loop devices of this machine, bound into every host; the names that udev would give
them are systemd-tmpfiles' to make at each boot, because a host here has no udev.

Whatever talks to a guest from outside is a process in the switch's namespace (`caller.py`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

from cluster.lab import guest_image
from cluster.lab.disk_log import check
from tests.acceptance.rig.hosts import ROOT, Host, host
from tests.acceptance.rig.node import Node, disk

BRIDGES = {"clu": "cl0", "mig": "mig0", "lan": "up0"}
"""Bridge of the switch -> the host's end of the cable to it."""

BRIDGE = ("type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
OUTSIDE = "10.66.0.1/24"

NETWORK = {
    "vsw0.netdev": "[NetDev]\nName=vsw0\nKind=bridge\n[Bridge]\nForwardDelaySec=0\nSTP=no\n"
                   "MulticastSnooping=no\n",
    "up0.network": "[Match]\nName=up0\n[Network]\nBridge=vsw0\n",
    "vsw0.network": "[Match]\nName=vsw0\n[Network]\nAddress=10.66.0.1{number}/24\n"
                    "LinkLocalAddressing=no\n",
    "cl0.network": "[Match]\nName=cl0\n[Network]\nAddress=10.1.0.{number}/24\n"
                   "LinkLocalAddressing=no\n",
    "mig0.network": "[Match]\nName=mig0\n[Network]\nAddress=10.2.0.{number}/24\n"
                    "LinkLocalAddressing=no\n",
}
"""Files of systemd-networkd; `number` is the host's."""

WANTED = {
    "multi-user.target.wants/systemd-networkd.service": "systemd-networkd.service",
    "network-online.target.wants/systemd-networkd-wait-online.service":
        "systemd-networkd-wait-online.service",
}
LINKS = "etc/tmpfiles.d/luns.conf"
UP_S = 90.0


class Site:
    """Made by `site`: hosts by name, none of them booted yet."""

    def __init__(self, hosts: dict[str, Host], *, switch: str, luns: dict[str, str]) -> None:
        self.nodes = {name: Node(each) for name, each in hosts.items()}
        self.switch, self.luns = switch, luns
        self._trees: dict[str, Path] = {}

    def boot(
        self, trees: dict[str, Path], *, installs: Callable[[Path], None] = lambda root: None,
    ) -> None:
        """All of these hosts at once, each of its tree. `installs` puts files into each."""
        self._trees |= trees
        for name in trees:
            self._connect(name)
            installs(self._root(name))
        self.again(*trees)

    def _root(self, name: str) -> Path:
        """What the host has written, and was given."""
        return self.nodes[name].host.folder / "up"

    def _connect(self, name: str) -> None:
        """What an operator has set up on a host before: its addresses, its bridge, its LUNs."""
        folder = self._root(name) / "etc/systemd"
        (folder / "network").mkdir(parents=True, exist_ok=True)
        for file, text in NETWORK.items():
            (folder / "network" / file).write_text(text.format(number=name[1:]))
        for file, unit in WANTED.items():
            link = folder / "system" / file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(f"/usr/lib/systemd/system/{unit}")
        links = self._root(name) / LINKS
        links.parent.mkdir(parents=True, exist_ok=True)
        links.write_text("".join(
            f"L {path} - - - - {device}\n" for path, device in self.luns.items()))

    def again(self, *names: str) -> None:
        """Boot those that are off, or all, with what they have written before."""
        self.at_once(self._boot, names)

    def _boot(self, name: str) -> None:
        self.nodes[name].host.boot(
            of=self._trees[name], product=None,
            inside=["nsenter", f"--net=/run/netns/{self.switch}"],
            words=[*(f"--bind={each}" for each in self.luns.values()), *(
                f"--network-veth-extra={bridge}-{name}:{end}" for bridge, end in BRIDGES.items())],
            plugged=lambda: [self.plug(name, each) for each in BRIDGES])

    def anew(
        self, name: str, of: Path, *, keeps: Sequence[str], installs: Callable[[Path], None],
    ) -> None:
        """A host that is off gets another Debian, and boots with these folders of the earlier."""
        root = self._root(name)
        before = root.rename(root.with_name("before"))
        for each in keeps:
            copytree(before / each, root / each, symlinks=True)
        self.boot({name: of}, installs=installs)

    def plug(self, name: str, bridge: str) -> None:
        ip("-n", self.switch, "link", "set", f"{bridge}-{name}", "up", "master", bridge)

    def at_once(
        self, deed: Callable[[str], object], names: Sequence[str] = (),
    ) -> dict[str, Any]:
        """By name; the first failure is raised when all are over."""
        chosen = names or list(self.nodes)
        with ThreadPoolExecutor(len(chosen)) as pool:
            return dict(zip(chosen, pool.map(deed, chosen), strict=True))

    def cut(self) -> None:
        """The site loses its power."""
        self.at_once(lambda name: self.nodes[name].host.cut())

    def hide_luns(self) -> None:
        """From hosts that are off: there are none when they boot."""
        for name in self.nodes:
            (self._root(name) / LINKS).rename(self._root(name) / "root/luns.conf")

    def show_luns(self) -> None:
        """Now, and at each boot."""
        for each in self.nodes.values():
            each.done("mv", "/root/luns.conf", f"/{LINKS}")
            each.done("systemd-tmpfiles", "--create", f"/{LINKS}")

    def status(self) -> Any:
        """As the first host says that can be asked; None where none can."""
        for each in self.nodes.values():
            if each.host.leader and (said := each.status()) is not None:
                return said
        return None

    def until(self, holds: Callable[[Any], object], within_s: float = UP_S) -> Any:
        """The first status that is so."""
        seen: list[Any] = [None]

        def asked() -> object:
            seen[0] = self.status()
            return seen[0] is not None and holds(seen[0])

        running = next(each.host for each in self.nodes.values() if each.host.leader)
        try:
            running.until(asked, within_s)
        except AssertionError as failure:
            failure.add_note(self.evidence(seen[0]))
            raise
        return seen[0]

    def all_run(self, *packages: str) -> Callable[[Any], bool]:
        """Whether every node takes part and the guests run: by the record, and by the processes on
        each host."""
        def holds(status: Any) -> bool:
            states = {each["name"]: each["state"] for each in status["nodes"]}
            records = [one(status["packages"], each) for each in packages]
            return set(states.values()) == {"running"} and (
                {each["state"] for each in records} == {"running"}) and (
                {name: len(each.guests()) for name, each in self.nodes.items()} == {
                    name: sum(each["node"] == name for each in records) for name in self.nodes})
        return holds

    def where(self, package: str) -> str:
        return str(one(self.status()["packages"], package)["node"])

    def events(self, package: str = "") -> list[Any]:
        words = ("--package", package) if package else ()
        asked = next(each for each in self.nodes.values() if each.host.leader)
        told = asked.done("vmsg", "events", "-o", "json", *words)
        return [json.loads(line) for line in told.splitlines()]

    def evidence(self, status: Any) -> str:
        told = [json.dumps(status, indent=1)]
        for name, each in self.nodes.items():
            if each.host.leader:
                told += [f"--- {name}", *each.host.journal("-t", "vmsgd", "-t", "vmsg-guard")[-40:]]
                told.append(each.host.run("vmsg", "events").stdout[-6000:])
        return "\n".join(told)

    def lives(self) -> list[int]:
        """How often each guest has begun, by its LUN's log, which has to be whole and one writer's
        at a time."""
        reports = [
            check(guest_image.read_records(Path(each))) for each in self.luns.values()]
        assert all(each.is_clean for each in reports), reports
        return [len(each.lives) for each in reports]

    def until_begun(self, lives: list[int]) -> None:
        """A guest's first record comes a moment after its start."""
        self.until(lambda status: self.lives() == lives)

    @contextmanager
    def calling(self, address: str) -> Iterator["Call"]:
        """A TCP connection to the guest, from outside of all hosts, held open meanwhile."""
        with subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.switch}", sys.executable, "-m",
             "tests.acceptance.rig.caller", address], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:
            try:
                yield Call(process)
            finally:
                process.kill()


class Call:
    """What `caller.py` says when it is asked."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.goes_on()

    def goes_on(self) -> float:
        """The longest silence so far, in seconds, once something said from now on is answered.
        Raises AssertionError where the connection is lost."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print("still there?", file=self._process.stdin, flush=True)
        said = json.loads(self._process.stdout.readline())
        assert not said["broken"], said
        return float(said["longest_gap_s"])


def one(listed: Sequence[Any], name: str) -> Any:
    return next(each for each in listed if each["name"] == name)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=20)


@contextmanager
def switch() -> Iterator[str]:
    """A network namespace with the bridges, and with an address where guests are."""
    name = f"vmsg-rig-{os.getpid()}"
    ip("netns", "add", name)
    try:
        for bridge in BRIDGES:
            ip("-n", name, "link", "add", bridge, *BRIDGE)
            ip("-n", name, "link", "set", bridge, "up")
        ip("-n", name, "address", "add", OUTSIDE, "dev", "lan")
        yield name
    finally:
        ip("netns", "delete", name)


@contextmanager
def site(
    folder: Path, luns: Sequence[str], names: Sequence[str] = ("n1", "n2", "n3"),
) -> Iterator[Site]:
    """Its LUNs, seen under these paths, hold the test guest, whose log is empty; nothing is left
    of it."""
    image = guest_image.build(folder)
    with ExitStack() as stack:
        devices = {
            path: stack.enter_context(disk(folder / f"lun{number}"))
            for number, path in enumerate(luns)}
        for each in devices.values():
            guest_image.write(image, Path(each))
        name = stack.enter_context(switch())
        hosts = {each: stack.enter_context(host(each)) for each in names}
        made = Site(hosts, switch=name, luns=devices)
        stack.callback(made.cut)
        yield made
