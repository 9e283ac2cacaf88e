"""Linux's user-space iSCSI target, run for real: in a network namespace of its own, or in one that
is there already. Everything ends with it."""

import asyncio
import os
import subprocess
import time
from pathlib import Path

TARGET = "iqn.2026-01.lab:web"
ADDRESS = "127.0.0.1"
LUN_BYTES = 16 * 1024 * 1024
STARTED_S = 30.0


class TgtTarget:
    """`folder` holds its control socket, whose path may have at most 100 characters; `backing` is
    the file or device behind the LUN, by default a file there."""

    def __init__(
        self, folder: Path, netns: str, *, portal: str = f"{ADDRESS}:3260",
        backing: Path | None = None,
    ) -> None:
        self.netns, self.portal = netns, portal
        self.backing = backing or self._file(folder / "lun")
        self._socket = folder / "tgtd"
        self._tgtd: subprocess.Popen[bytes] | None = None

    @staticmethod
    def _file(path: Path) -> Path:
        path.touch()
        os.truncate(path, LUN_BYTES)
        return path

    @property
    def command(self) -> tuple[str, ...]:
        """Before tgtadm, to reach this tgtd."""
        return ("/usr/bin/env", f"TGT_IPC_SOCKET={self._socket}")

    def path(self, number: int = 1) -> str:
        return f"iscsi://{self.portal}/{TARGET}/{number}"

    def start(self) -> None:
        self._tgtd = subprocess.Popen(
            ["ip", "netns", "exec", self.netns, *self.command, "tgtd", "-f", "--iscsi",
             f"portal={self.portal}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        end_s = time.monotonic() + STARTED_S
        while self.admin("--mode", "target", "--op", "new", "--tid", "1", "-T", TARGET) != 0:
            assert time.monotonic() < end_s, "tgtd does not answer"
        done = self.admin("--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1",
                          "-b", str(self.backing))
        assert done == 0

    def listing(self) -> str:
        """What tgtadm shows of everything."""
        return subprocess.run(
            [*self.command, "tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show"],
            check=True, stdout=subprocess.PIPE, text=True, timeout=STARTED_S,
        ).stdout

    def admin(self, *words: str) -> int:
        return subprocess.run(
            [*self.command, "tgtadm", "--lld", "iscsi", *words], check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=STARTED_S,
        ).returncode

    def end(self) -> None:
        if self._tgtd is not None:
            self._tgtd.kill()
            self._tgtd.wait(STARTED_S)


def own_netns(name: str) -> str:
    """A network namespace with nothing in it but itself."""
    netns = f"{name}-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", netns], check=True, timeout=STARTED_S)
    subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True, timeout=STARTED_S)
    return netns


def end_netns(netns: str) -> None:
    subprocess.run(["ip", "netns", "del", netns], check=True, timeout=STARTED_S)


def in_netns(netns: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", netns)


class QemuWriter:
    """QEMU's own iSCSI initiator, held open as a guest's QEMU holds it, writing when told to.
    `enter` is put before its command."""

    ANSWER_S = 30.0
    """A write takes milliseconds, and an initiator a moment to start; a starved host takes long."""
    SHUT_OUT_S = 1.5
    """One that was cut off waits for its reconnection for ever, without a word."""

    def __init__(self, portal: str, initiator: str, *, enter: tuple[str, ...] = ()) -> None:
        self._portal, self._initiator, self._enter = portal, initiator, enter
        self._process: asyncio.subprocess.Process | None = None

    async def open(self) -> bool:
        """Whether the target let it in; one that did not says so."""
        image = (
            f"driver=iscsi,transport=tcp,portal={self._portal},target={TARGET},lun=1,"
            f"initiator-name={self._initiator}"
        )
        self._process = await asyncio.create_subprocess_exec(
            *self._enter, "qemu-io", "--image-opts", image, "-t", "none",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return await self.writes()

    async def is_shut_out(self) -> bool:
        """Whether a write fails, or comes to no end."""
        return not await self.writes(within_s=self.SHUT_OUT_S)

    async def writes(self, *, within_s: float = ANSWER_S) -> bool:
        """Whether a write came to its end, well."""
        assert self._process is not None and self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(b"write -f -P 0x5a 0 512\n")
            await self._process.stdin.drain()
            async with asyncio.timeout(within_s):
                while line := await self._process.stdout.readline():
                    if b"wrote 512/512" in line:
                        return True
                    if b"failed" in line or b"error" in line.lower():
                        return False
        except (TimeoutError, ConnectionError):
            return False
        return False

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
