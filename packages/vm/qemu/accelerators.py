"""Which accelerator `auto` is on this host: KVM if a guest really runs under it, else TCG.

A device node proves nothing: there are hosts with /dev/kvm on which every guest hangs in its first
instruction. So the smallest of guests is started for real, one without a disk, and must get as
far as its firmware's first words. The answer is kept until the host is booted anew.

What must never happen here: a trial for everybody who asks. Many at once would each be beaten by
the others, and what they say then would be kept.
"""

import asyncio
import os
from pathlib import Path

from packages.core.means import is_want
from packages.core.model import Accelerator
from packages.core.values import Undecodable, Value, from_json, to_json
from packages.vm.processes import spawn
from packages.vm.qemu.command_line import BINARY, SANDBOX

KVM = Path("/dev/kvm")
HOST_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

FIRST_WORDS_S = 3.0
"""The firmware speaks after some 30 ms where KVM works; a busy host gets a hundred times that."""
END_S = 5.0

_FIRMWARE_CONSOLE_PORT = "0x402"  # SeaBIOS writes its progress there


class KvmTrial(Value):
    """What a trial found, for one boot of the host."""

    host_boot_id: str
    works: bool
    because: str


async def accelerator(wanted: Accelerator, run_folder: Path) -> str:
    """What to give QEMU's -accel."""
    if wanted != "auto":
        return wanted
    return "kvm" if (await kvm_trial(run_folder)).works else "tcg"


_under_way: dict[Path, "asyncio.Task[KvmTrial]"] = {}
"""By run folder: the trial whose answer all who ask meanwhile are given."""


async def kvm_trial(
    run_folder: Path, *, binary: str = BINARY, kvm: Path = KVM,
) -> KvmTrial:
    """The kept answer, or a new trial's."""
    trial = _under_way.get(run_folder)
    if trial is None or trial.get_loop() is not asyncio.get_running_loop():
        trial = _under_way[run_folder] = asyncio.ensure_future(
            _kept_or_tried(run_folder, binary, kvm))
        trial.add_done_callback(lambda _: _under_way.pop(run_folder, None))
    return await asyncio.shield(trial)  # who gives up ends it for nobody else


async def _kept_or_tried(run_folder: Path, binary: str, kvm: Path) -> KvmTrial:
    kept = run_folder / "kvm-trial.json"
    host_boot_id = HOST_BOOT_ID.read_text().strip()
    known = _read(kept)
    if known is not None and known.host_boot_id == host_boot_id:
        return known
    trouble = await _trouble_with_kvm(binary, kvm)
    trial = KvmTrial(
        host_boot_id=host_boot_id, works=not trouble, because=trouble or "a guest ran under it",
    )
    run_folder.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(to_json(trial))
    return trial


async def _trouble_with_kvm(binary: str, kvm: Path) -> str:
    """Why KVM does not work here; empty if it does."""
    if not os.access(kvm, os.R_OK | os.W_OK):
        return f"{kvm} is missing, or not ours to use"
    reading, writing = os.pipe()
    try:
        started = spawn(
            [binary, "-nodefaults", "-no-user-config", "-display", "none", *SANDBOX,
             "-accel", "kvm", "-m", "8M", "-chardev", "stdio,id=words,signal=off",
             "-device", f"isa-debugcon,iobase={_FIRMWARE_CONSOLE_PORT},chardev=words"],
            files={1: writing},
        )
    finally:
        os.close(writing)
    if isinstance(started, OSError):
        os.close(reading)
        if is_want(started):
            raise started  # it says nothing of KVM, and the answer is kept until the next boot
        return str(started)
    try:
        return await _trouble_hearing(reading)
    finally:
        await started.kill(END_S)
        started.close()


async def _trouble_hearing(reading: int) -> str:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb"),
    )
    try:
        async with asyncio.timeout(FIRST_WORDS_S):
            if await stream.read(1):
                return ""
            return "QEMU would not start a guest under it"
    except TimeoutError:
        return f"a guest under it did nothing for {FIRST_WORDS_S:g} s"
    finally:
        transport.close()


def _read(path: Path) -> KvmTrial | None:
    try:
        return from_json(path.read_bytes(), KvmTrial)
    except (OSError, *Undecodable):
        return None
