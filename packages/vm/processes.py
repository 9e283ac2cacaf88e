"""A process that outlives the daemon: started, found again, watched and ended.

A process is known by its id together with its start time (/proc/PID/stat, field 22), and acted
upon through a pidfd alone, so that an id given anew by the kernel is never mistaken for it. It
inherits no file of the daemon's but those it is given; it leads a session of its own, so that
nothing sent to the daemon's group reaches it, and is not spared as the daemon is when memory is
short. Whoever holds it reaps it, so that none is left
behind as a zombie while the daemon runs; afterwards init does.
"""

import asyncio
import errno
import fcntl
import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from packages.core.problem import Problem, problem
from packages.oom_score import as_any_process

KERNEL_NAME_BYTES = 15
"""What /proc/PID/comm keeps of a program's name."""


class Process:
    """Make it with `spawn` or `find`, inside a running event loop."""

    def __init__(self, pid: int, start_ticks: int, pidfd: int) -> None:
        self.pid = pid
        self.start_ticks = start_ticks
        self.exit_code: int | None = None
        """As subprocess gives it (negative: a signal); None if it is not ours to know."""
        self._pidfd = pidfd
        self._ended = asyncio.Event()
        self._watched = True
        asyncio.get_running_loop().add_reader(pidfd, self._on_end)

    @property
    def is_running(self) -> bool:
        """Asked of the kernel, not of what this object has heard so far."""
        if not self._watched:
            return not self._ended.is_set()
        return not _has_ended(self._pidfd)

    @property
    def is_stopped(self) -> bool:
        """By a signal, or by a debugger, who may let it go on; gone counts as well. OSError."""
        return not self._watched or (_stat(self.pid) or "X")[0] in "TtXZ"

    async def wait(self) -> None:
        await self._ended.wait()

    async def ended_within(self, deadline_s: float) -> bool:
        try:
            async with asyncio.timeout(deadline_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def send_signal(self, number: signal.Signals) -> None:
        """Harmless when it is gone."""
        if self._watched:
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                pass

    async def kill(self, deadline_s: float) -> bool:
        """End it at once; true when it has been seen dead."""
        self.send_signal(signal.SIGKILL)
        return await self.ended_within(deadline_s)

    def close(self) -> None:
        """Let go of it; it goes on running."""
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)

    def _on_end(self) -> None:
        self.exit_code = _reaped(self._pidfd)
        self._ended.set()
        self.close()


def spawn(
    argv: Sequence[str], *, files: Mapping[int, int], environment: Mapping[str, str] | None = None,
) -> Process | OSError:
    """Start a program with `files` (number in the program -> descriptor here) and nothing else;
    of 0, 1 and 2 those not given are /dev/null."""
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0)
        for number in (0, 1, 2) if number not in files
    ]
    # A descriptor here may have the number another is to get there: lift all above those numbers.
    free = max(files, default=2) + 1
    lifted: dict[int, int] = {}
    try:
        for number, descriptor in files.items():
            lifted[number] = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, free)
        actions += [
            (os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in lifted.items()
        ]
        actions += [(os.POSIX_SPAWN_CLOSE, each) for each in _inherited(besides=files)]
        pid = os.posix_spawnp(
            argv[0], list(argv), dict(os.environ if environment is None else environment),
            file_actions=actions, setsid=True, setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as failure:
        return failure
    finally:
        for descriptor in lifted.values():
            os.close(descriptor)
    # Not reaped yet, so the id is still its own: what cannot be held is ended.
    as_any_process(pid)
    try:
        return _held(pid)
    except OSError as failure:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return failure


def _held(pid: int, started: int | None = None) -> Process:
    """The descriptor is held before the time is read: what is read belongs to it."""
    pidfd = os.pidfd_open(pid)
    try:
        ticks = start_ticks(pid)
        if ticks is None or _has_ended(pidfd) and started is not None or started not in (
                None, ticks):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return Process(pid, ticks, pidfd)
    except OSError:
        os.close(pidfd)
        raise


def find(pid: int, started: int) -> Process | None:
    """The process with this id and start time; None if it is gone, or a zombie. Raises OSError
    where this cannot be known, as for want of descriptors: that is not the same as gone."""
    try:
        return _held(pid, started)
    except ProcessLookupError:
        return None


async def told(
    process: asyncio.subprocess.Process, said: bytes = b"", *, deadline_s: float | None = None,
    is_group: bool = False,
) -> tuple[bytes, bytes]:
    """What it printed, and what it complained of, once it has ended and was told this. Raises
    TimeoutError. It does not outlive this call, nor does what it left behind where it leads a
    group. One that ends without reading is no error: the loop's own way raises where the pipe is
    closed already."""
    try:
        async with asyncio.timeout(deadline_s):
            if process.stdin is not None:
                with suppress(OSError, RuntimeError):
                    process.stdin.write(said)
                with suppress(OSError, RuntimeError):
                    process.stdin.close()
            return await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            if is_group:
                os.killpg(process.pid, signal.SIGKILL)
            elif process.returncode is None:
                process.kill()
        await process.wait()


def start_ticks(pid: int) -> int | None:
    """None: it is gone. Raises OSError as `find` does."""
    fields = _stat(pid)
    return None if fields is None else int(fields[19])  # field 22


def _stat(pid: int) -> list[str] | None:
    """/proc/PID/stat from field 3 on, behind the name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def command_line(pid: int) -> list[str]:
    """What it was started with; empty when it is gone. Raises OSError as `find` does."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def running(program: str) -> list[int]:
    """The processes on this host that were started as this program, by id. The kernel's name for
    each is looked at first: all command lines would cost ten times as much."""
    ids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [
        pid for pid in ids if _kernel_name(pid) == program[:KERNEL_NAME_BYTES]
        and (command_line(pid) or [""])[0].rpartition("/")[2] == program
    ]


def _kernel_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def not_started(subject: str, program: str, failure: OSError) -> Problem:
    return problem(
        "program-missing", subject, what=f"{program} could not be started", because=str(failure),
        fix=f"install {program}, or make it executable for the daemon",
    )


def _inherited(besides: Mapping[int, int]) -> list[int]:
    """What whoever started this process left open in it for its children too."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if number > 2 and number not in besides and os.get_inheritable(number):
                found.append(number)
        except OSError:
            continue  # the one this list was read through
    return found


def _has_ended(pidfd: int) -> bool:
    """By poll: `select` takes no descriptor above 1023, and a node with some 320 guests has more
    than that."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _reaped(pidfd: int) -> int | None:
    try:
        ended = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
