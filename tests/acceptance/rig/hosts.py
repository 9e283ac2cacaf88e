"""Hosts with a systemd of their own, for what a lab cannot show: units, journals, shutdowns.

Each host is a systemd-nspawn container that boots Debian as a machine does, in 1 to 2 s. How it is
made, so that others can make theirs:

* `tree` is Debian itself, made once by mmdebstrap (in `TREES`, some 75 s) and never written to:
  every host has an overlay over it, in a mount namespace of its own, which is gone with the host.
  It is `volatile`: nothing waits for this machine's disk, because no power of this machine is cut,
  and what a host has written is there at its next boot all the same.
* A host is put into a control group of its own before it starts, in each hierarchy there is.
  Without that all containers share the caller's, and `systemctl kill` fails (EIO).
* The product is this checkout, read-only, under its own path (a virtual environment knows it), and
  /opt/vmsg is a link to it: the units start what README has an operator put there. Python is the
  one of this virtual environment, so the tree must be of the Debian that the tests run on.
* A host has no network but its own `lo`; give `words` for systemd-nspawn (`--network-bridge=...`,
  `--bind=/dev/loop3`) for more, and `inside` for what it is to be started in (`nsenter
  --net=...`).
* `Host.run` is a command typed there; `Host.cut` is its power going; `Host.poweroff` an orderly
  end.

What a container cannot show: an OOM killer of its own with cgroup v1 around it, a watchdog device,
CAP_SYS_RESOURCE on some machines.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[3]
TREES = Path(os.environ.get("VMSG_RIG_TREES", "/var/tmp/vmsg-rig"))
"""Not in the checkout: a tree is of the machine, and has 1 GB."""

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "iproute2", "procps", "kmod", "python3", "qemu-system-x86")
BARE = ("systemd", "systemd-sysv", "dbus", "procps", "iproute2", "qemu-system-x86", "python3")
"""What the package `vmsg` asks for, and what makes a tree a host; procps is for the rig, which
looks."""

NEEDED = ("systemd-nspawn", "mmdebstrap", "busctl", "nsenter", "unshare")
SUITES = ("bookworm", "trixie")
BOOTED_S = 60.0
ENDED_S = 60.0
LOOK_S = 0.05
GROUPS = Path("/sys/fs/cgroup")
TYPED = {"PATH": "/opt/vmsg/.venv/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

BOOT = """
for group in $GROUPS; do mkdir -p "$group" && echo 0 >"$group/cgroup.procs"; done
rm -rf "$FOLDER/work"
mkdir -p "$FOLDER/up" "$FOLDER/work" "$FOLDER/root"
mount -t overlay overlay "$FOLDER/root" \\
    -o "lowerdir=$TREE,upperdir=$FOLDER/up,workdir=$FOLDER/work,volatile"
if [ -n "$PRODUCT" ]; then
    mkdir -p "$FOLDER/root/opt" && ln -sfn "$PRODUCT" "$FOLDER/root/opt/vmsg"
fi
exec "$@"
"""


def lacking() -> list[str]:
    """The programs that this machine would have to have, and has not."""
    return [each for each in NEEDED if shutil.which(each) is None]


def tree(suite: str, packages: Sequence[str] = PACKAGES) -> Path:
    """Debian as a folder, with these packages; made where it is not there yet, by one of those who
    ask."""
    TREES.mkdir(parents=True, exist_ok=True)
    listed = ",".join(packages)
    name = f"{suite}-{hashlib.sha256(listed.encode()).hexdigest()[:8]}"
    made = TREES / name
    with (TREES / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            new = TREES / f"{name}.new"
            shutil.rmtree(new, ignore_errors=True)
            subprocess.run(
                ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={listed}", suite,
                 str(new)], check=True, timeout=600)
            new.rename(made)
    return made


class Host:
    """Made by `host`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._log = folder / "console"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self.leader = 0

    @property
    def _groups(self) -> list[Path]:
        hierarchies = [GROUPS] if (GROUPS / "cgroup.procs").exists() else [
            each for each in (GROUPS / "systemd", GROUPS / "unified") if each.exists()]
        return [each / f"vmsg-rig-{self.name}-{os.getpid()}" for each in hierarchies]

    def boot(
        self, *, of: Path, words: Sequence[str] = (), inside: Sequence[str] = (),
        installs: Callable[[Path], None] = lambda root: None, product: Path | None = ROOT,
        plugged: Callable[[], object] = lambda: None,
    ) -> None:
        """`installs` puts files into the host before it boots; it is given the overlay's upper
        folder. What an earlier boot of the same host has written is still there. With None as the
        product there is none in /opt/vmsg: it comes as a package. `plugged` is called when the
        host has begun and its interfaces are there."""
        (self.folder / "up").mkdir(exist_ok=True)
        (self.folder / "up/var/log/journal").mkdir(parents=True, exist_ok=True)
        installs(self.folder / "up")
        python = [] if sys.base_prefix == "/usr" else [f"--bind-ro={sys.base_prefix}"]
        argv = [
            *inside, "unshare", "--mount", "sh", "-ec", BOOT, "sh",
            "systemd-nspawn", "--quiet", "-D", str(self.folder / "root"), "--boot",
            "--register=no", "--keep-unit", "--capability=all", "--private-network",
            # The machine's name is what MAC addresses are made of.
            "--console=pipe", f"--machine=vmsg-rig-{self.name}-{os.getpid()}",
            f"--hostname={self.name}", f"--bind-ro={ROOT}", *python, *words]
        environment = {
            **os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "TREE": str(of),
            "GROUPS": " ".join(map(str, self._groups)), "FOLDER": str(self.folder),
            "PRODUCT": str(product or "")}
        with self._log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self._until(self._found_leader, BOOTED_S)
        plugged()
        self._until(lambda: self.run("systemctl", "is-system-running").stdout.strip() in (
            "running", "degraded"), BOOTED_S)

    def _found_leader(self) -> bool:
        """systemd's process, the only child of nspawn's."""
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self.console()
        pid = self._nspawn.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for child in children:
            with suppress(FileNotFoundError):
                if Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip() == "systemd":
                    self.leader = int(child)
        return self.leader > 0

    def _until(self, holds: Callable[[], object], within_s: float) -> None:
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, f"{self.name}: waited {within_s:g} s\n{self.console()}"
            self._pause()

    def _pause(self) -> None:
        assert self._nspawn is not None
        try:
            self._nspawn.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            return

    def until(self, holds: Callable[[], object], within_s: float = 30.0) -> None:
        self._until(holds, within_s)

    def run(
        self, *argv: str, within_s: float = 60.0, check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """A command typed there, as root."""
        return subprocess.run(
            self._there(argv), capture_output=True, text=True, timeout=within_s, check=check,
            env=TYPED)

    def _there(self, argv: Sequence[str]) -> list[str]:
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w",
                "--", *argv]

    def answered(self, line: str, *, question: str, answer: str) -> tuple[int, str]:
        """A line typed at a terminal there, which asks something; its exit code and its words."""
        with subprocess.Popen(
            self._there(["script", "--quiet", "--return", "--command", line, "/dev/null"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=TYPED,
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            said = ""
            while question not in said and (more := process.stdout.read(1)):
                said += more
            process.stdin.write(answer)
            process.stdin.flush()
            said += process.stdout.read()
            return process.wait(), said

    def shown(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        out = self.run("systemctl", "show", unit, f"--property={','.join(names)}").stdout
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def journal(self, *words: str) -> list[str]:
        return self.run("journalctl", "--no-pager", "-q", "-o", "short", *words).stdout.splitlines()

    def journal_of_before(self, *words: str) -> list[str]:
        """Of a host that is off."""
        folder = self.folder / "up/var/log/journal"
        return subprocess.run(
            ["journalctl", "-D", str(folder), "--no-pager", "-q", "-o", "short", *words],
            capture_output=True, text=True, check=True).stdout.splitlines()

    def console(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return text[-4000:]

    def poweroff(self, within_s: float = ENDED_S, *, by: str = "poweroff") -> float:
        """An orderly end; how long it took. By `reboot`, too: the host is off then, and the next
        `boot` is what its firmware would have done (nspawn's own second start fails inside of
        `unshare --mount`)."""
        began = time.monotonic()
        self.run("systemctl", by, "--no-block")
        assert self._nspawn is not None
        self._nspawn.wait(within_s)
        self._clear()
        return time.monotonic() - began

    def cut(self) -> None:
        """Its power goes: everything at once."""
        if self._nspawn is None:
            return
        with suppress(ProcessLookupError):
            if self.leader:
                os.kill(self.leader, signal.SIGKILL)
            else:
                os.killpg(self._nspawn.pid, signal.SIGKILL)
        self._nspawn.wait(ENDED_S)
        self._clear()

    def _clear(self) -> None:
        """The kernel takes a moment to forget who was in a group."""
        self._nspawn, self.leader = None, 0
        end = time.monotonic() + ENDED_S
        for group in self._groups:
            while group.exists():
                for each, _, _ in os.walk(group, topdown=False):
                    with suppress(OSError):
                        os.rmdir(each)
                assert time.monotonic() < end, f"{group} is not empty"


@contextmanager
def host(name: str = "n1") -> Iterator[Host]:
    """One that is not booted yet; nothing is left of it."""
    TREES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=TREES))
    made = Host(folder, name)
    try:
        yield made
    finally:
        made.cut()
        shutil.rmtree(folder)
