"""What is kept on disk about each guest of this node, so that a new daemon finds it again.

One folder per package in the run folder: guest.json while its process is thought to live, and
exit.json, how the last one ended. Both are replaced in one step; a file that cannot be read counts
as absent, since the process itself is the truth and the record only the way to it. The run folder
lies on a tmpfs: what it tells does not outlive the processes it tells of.
"""

import logging
import os
import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from packages.accounts import Account, open_way, own_folder
from packages.core.values import Undecodable, Value, from_json, to_json
from packages.vm.driver import Exit, Guest
from packages.vm.processes import command_line as running_command_line
from packages.vm.processes import start_ticks
from packages.vm.qemu.command_line import IDENTITY_PREFIX, console_path

T = TypeVar("T")

log = logging.getLogger(__name__)

NAME = re.compile(rf"{IDENTITY_PREFIX}:([^:]+):(\d+):([^:]*)")
CONSOLE = re.compile(rf"path=(\S*){console_path('')},append=on")
TAP = re.compile(r"tap,id=net\d+,ifname=([^,]+),")

STDERR_TAIL_BYTES = 2000
"""QEMU's last words are one or two lines; more would not help an operator."""


class GuestRecord(Value):
    """A guest and what its end has to clean up."""

    guest: Guest
    name: str
    """What its monitor and its command line call it: of its birth, whatever epoch it is in now."""
    taps: tuple[str, ...]
    bridges: tuple[str, ...] = ()
    """Of each tap; empty: of a daemon that did not write it down."""


class ExitRecord(Value):
    guest: Guest
    exit: Exit


class GuestFolder:
    """The files of one package on this node."""

    def __init__(self, run_folder: Path, package: str) -> None:
        self.path = run_folder / package
        self.work_socket = self.path / "qmp"
        self.emergency_socket = self.path / "yank"
        self.arrival = self.path / "arrival"
        """What QEMU makes by itself: its end of a migration to here."""
        self.incoming_socket = self.arrival / "in"
        self.errors = self.path / "qemu.log"
        self._guest = self.path / "guest.json"
        self._exit = self.path / "exit.json"

    def make(self, account: Account | None = None, *, top: Path | None = None) -> None:
        """`account`: whose QEMU reaches its end of a migration below `top`. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if account is None:
            self.arrival.mkdir(exist_ok=True, mode=0o700)
        else:
            open_way(self.path, account, top=top or self.path)
            own_folder(self.arrival, account)

    def write_guest(self, record: GuestRecord) -> None:
        """Raises OSError. The folder may have been lost while the guest lives."""
        self.make()
        _write(self._guest, record)

    def read_guest(self) -> GuestRecord | None:
        return _read(self._guest, GuestRecord)

    def write_exit(self, record: ExitRecord) -> None:
        """For a daemon that comes later; the one that saw the end knows it anyway."""
        try:
            self.make()
            _write(self._exit, record)
        except OSError as failure:
            log.error("%s: how it ended is not kept: %s", record.guest.package, failure)

    def read_exit(self) -> ExitRecord | None:
        return _read(self._exit, ExitRecord)

    def clear_record(self) -> None:
        self._guest.unlink(missing_ok=True)

    def clear(self) -> None:
        """After the process's end: what it said and how it ended stays, the rest goes. What cannot
        be removed is replaced by the next life."""
        for path in (
            self._guest, self.work_socket, self.emergency_socket, self.incoming_socket,
        ):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def last_words(self) -> str:
        try:
            with self.errors.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - STDERR_TAIL_BYTES))
                said = file.read().decode(errors="replace")
        except OSError:
            return ""
        return said.strip().removeprefix("qemu-system-x86_64: ")


def recorded_packages(run_folder: Path) -> list[str]:
    """Those a guest may still run for, by name."""
    return sorted(path.parent.name for path in run_folder.glob("*/guest.json"))


def _write(path: Path, record: Value) -> None:
    fresh = path.with_suffix(".new")
    try:
        fresh.write_bytes(to_json(record))
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return from_json(path.read_bytes(), kind)
    except (OSError, *Undecodable):
        return None


def told_by(pid: int) -> tuple[GuestRecord, Path] | None:
    """The record of a process of ours, put together from its command line, and its run folder."""
    argv = running_command_line(pid)
    options = dict(pairwise(argv))
    taps = tuple(TAP.findall(" ".join(argv)))
    named = NAME.fullmatch(options.get("-name", ""))
    started = start_ticks(pid)
    if named is None or started is None:
        return None
    package, epoch, boot_id = named.groups()
    console = CONSOLE.search(" ".join(argv))
    if console is None or Path(console[1]).name != package:
        return None
    guest = Guest(
        package=package, epoch=int(epoch), boot_id=boot_id, pid=pid, start_ticks=started,
        accel=options.get("-accel", ""), machine=options.get("-machine", ""),
        incoming="-incoming" in argv,
    )
    record = GuestRecord(guest=guest, name=options["-name"], taps=taps)
    return record, Path(console[1].replace(",,", ",")).parent
