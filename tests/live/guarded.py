"""The guardian as a process of its own, and children that tick and so show when they stand."""

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from packages.vm.driver import Guest
from tests.live.waiting import until

ROOT = Path(__file__).parents[2]
TICKER = """
import os, sys, time
ticks = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
while True:
    os.pwrite(ticks, f"{time.clock_gettime(time.CLOCK_BOOTTIME):020.6f}".encode(), 0)
    time.sleep(0.005)
"""
LONG_S = 60.0
LIBC = ctypes.CDLL(None)
PR_CAPBSET_DROP, CAP_KILL = 24, 5


def now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Ticker:
    """A child that stands for a guest."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.ticks"
        # Named as a guest is, and with a path of the run folder among its words.
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", TICKER, str(self.path), f"vmsg:{name}:1:life"])
        self.guest = Guest(
            package=name, epoch=1, boot_id="life", pid=self.process.pid,
            start_ticks=int(self.stat()[19]), accel="tcg", machine="q35",
        )

    def stat(self) -> list[str]:
        raw = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        return raw.rpartition(")")[2].split()

    def last_tick_s(self) -> float:
        return float(self.path.read_text(encoding="ascii") or 0) if self.path.exists() else 0.0

    def stopped(self) -> bool:
        return self.stat()[0] == "T"

    async def ticks(self) -> None:
        since = now_s()
        await until(lambda: self.last_tick_s() > since)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Guard:
    """The guardian's process on one folder."""

    def __init__(
        self, folder: Path, *arguments: str, descriptors: int = 0, may_kill: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Without `may_kill` it can signal nobody of another user's, root or not."""
        self.folder, self.arguments, self._descriptors = folder, arguments, descriptors
        self._may_kill, self._environment = may_kill, dict(environment or {})
        self.log = folder / "guard.log"
        self.process = self.start()

    @property
    def socket_path(self) -> str:
        return str(self.folder / "guardian.sock")

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "cluster.guardian", "--run", str(self.folder),
                 *self.arguments],
                cwd=ROOT, stderr=log, env={**os.environ, **self._environment},
                preexec_fn=self._limit if self._descriptors or not self._may_kill else None,
            )

    def _limit(self) -> None:
        if self._descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self._descriptors, self._descriptors))
        if not self._may_kill:
            LIBC.prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0)

    def restart(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self.start()

    def says(self, text: str) -> bool:
        return text in self.log.read_text(encoding="utf-8")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
