"""Runs the operator's own check: a program that exits 0 when the guest is healthy.

It gets no shell, an environment that names the package, node and epoch, and a session of its own.
When it is ended, by its timeout or because the check was called off, nothing of it is left: not
the children in its group, nor those that left it. When it ends by itself the same is done, but
those that left the group *and* let go of its output are not looked for: a look through all of
/proc after every good check costs more than it finds. Everything that may wait for a disk, from
its start (the file may lie on storage that hangs) to its burial, happens in a thread of its own;
the check waits for that thread with a deadline.

What must never happen here: the event loop waiting for a program; output that grows without
limit; programs that pile up because none can be ended (another is not begun before that).
"""

import asyncio
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, NamedTuple

from cluster.clock import Clock
from packages.core.problem import Problem, problem
from packages.monitors.descendants import end_descendants
from packages.monitors.means import without_means
from packages.oom_score import as_any_process
from packages.vetting import Vetting

OUTPUT_BYTES = 4096
"""The end of what it printed, for the operator; the reason is there if anywhere."""

BURIAL_S = 2.0
"""How long the check waits for a killed program to be gone; the thread goes on by itself."""

MARK = "VMSG_CHECK"


class Program:
    """One monitor's program; whether it may be, and with whose rights, is asked each time before it
    is started, in its thread: either may hang."""

    def __init__(
        self, package: str, *, node: str, epoch: int, argv: tuple[str, ...], clock: Clock,
        vetting: Vetting,
    ) -> None:
        self._vetting = vetting
        self._package, self._subject = package, f"package:{package}"
        self._argv = argv
        self._clock = clock
        self._run: Run | None = None
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8",
            "VMSG_PACKAGE": package, "VMSG_NODE": node, "VMSG_EPOCH": str(epoch),
        }

    async def check(self, *, timeout_s: float) -> Problem | None:
        # Its thread alone does not count: that ends a moment after it has told of the end.
        before = self._run
        if before is not None and not before.finished.done() and before.is_alive():
            return self._not_started("the one before still hangs and could not be ended")
        try:
            run = self._run = Run(
                self._argv, self._environment, token=self._clock.token(), vetting=self._vetting)
        except OSError as failure:
            return without_means(self._package, failure) or self._not_started(str(failure))
        try:
            await asyncio.wait({run.finished}, timeout=timeout_s)
            is_in_time = run.finished.done()
        finally:
            run.call_off()
            await asyncio.wait({run.finished}, timeout=BURIAL_S)
        end = run.finished.result() if run.finished.done() else End()
        if not is_in_time:
            return self._timed_out(timeout_s, end)
        if end.refused:
            return self._not_allowed(end.refused)
        if end.error is not None:
            return without_means(self._package, end.error) or self._not_started(end.failure)
        if end.status is None:
            return self._not_started(end.failure)
        return None if end.status == 0 else self._failed(end)

    def _timed_out(self, timeout_s: float, end: "End") -> Problem:
        return problem(
            "check-timed-out", self._subject, what=f"{self._argv[0]} did not end in its time",
            because=f"it was ended after {timeout_s:g} s{end.printed()}",
            fix="see what it waits for, or give the monitor a longer timeout",
        )

    def _not_started(self, because: str) -> Problem:
        return problem(
            "check-not-started", self._subject, what=f"{self._argv[0]} could not be started",
            because=because, fix="see that it is on this node, executable, and that it ends",
        )

    def _not_allowed(self, because: str) -> Problem:
        return problem(
            "program-not-allowed", self._subject, what=f"{self._argv[0]} was not started",
            because=because, fix="see the program and its folders on this node: root's, not "
            "writable by others, open to the account of `accounts:`; and `programs:` of the "
            "cluster file (docs/security.md)",
        )

    def _failed(self, end: "End") -> Problem:
        status = end.status or 0
        how = f"it exited with {status}" if status > 0 else f"it died of signal {-status}"
        return problem(
            "check-failed", self._subject, what=f"{self._argv[0]} says that the guest is ill",
            because=how + end.printed(), fix="see the service in the guest",
        )


class End(NamedTuple):
    """How it ended: `status` as subprocess gives it, None if it never began (or still hangs)."""

    status: int | None = None
    output: bytes = b""
    failure: str = ""
    refused: str = ""
    """Why it was not to be started."""
    error: Exception | None = None
    """Why it could not be."""

    def printed(self) -> str:
        text = self.output.decode(errors="replace").strip()
        return f"; it printed: {text}" if text else ""


class Run(threading.Thread):
    """One run of the program, from its start to its burial."""

    def __init__(
        self, argv: tuple[str, ...], environment: Mapping[str, str], *, token: str,
        vetting: Vetting,
    ) -> None:
        super().__init__(name=f"check {argv[0]}", daemon=True)
        self._argv, self._vetting = argv, vetting
        self._environment = {**environment, MARK: token}
        self._mark = f"{MARK}={token}".encode()
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[End] = self._loop.create_future()
        # The thread polls the one end; closing the other calls the program off.
        self._called_off, self._held = os.pipe2(os.O_CLOEXEC)
        self.start()

    def call_off(self) -> None:
        """To be called once, in the end, whatever the end was."""
        os.close(self._held)

    def run(self) -> None:
        try:
            end = self._whole_run()
        finally:
            os.close(self._called_off)
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._settle, end)

    def _settle(self, end: End) -> None:
        if not self.finished.done():
            self.finished.set_result(end)

    def _whole_run(self) -> End:
        refused = self._vetting.against_program(self._argv)
        if refused is not None:
            return End(refused=refused)
        account = self._vetting.checks_account()
        if isinstance(account, Problem):
            return End(failure=f"{account.what} {account.because}")
        rights: dict[str, Any] = {} if account is None else {
            "user": account.uid, "group": account.gid, "extra_groups": []}
        try:
            process = subprocess.Popen(
                self._argv, env=self._environment, cwd="/", start_new_session=True, bufsize=0,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                **rights)
        except PermissionError as failure:
            # Of root's own program: its account is kept from it by a folder on the way, say.
            if account is not None:
                return End(refused=f"uid {account.uid} of `accounts:` may not start it: {failure}")
            return End(failure=str(failure), error=failure)
        except (OSError, ValueError, subprocess.SubprocessError) as failure:
            return End(failure=str(failure), error=failure)
        as_any_process(process.pid)
        assert process.stdout is not None
        with process.stdout as pipe:
            os.set_blocking(pipe.fileno(), False)
            return self._followed(process, Output(pipe))

    def _followed(self, process: subprocess.Popen[bytes], output: "Output") -> End:
        """Until its end or ours. It is reaped last of all: until then its number, which is also
        its group's and its session's, cannot become another's."""
        pidfd = os.pidfd_open(process.pid)
        try:
            is_called_off = self._wait(pidfd, output)
        finally:
            os.close(pidfd)
        os.killpg(process.pid, signal.SIGKILL)
        output.drain()
        # Whoever still holds the pipe has left the group.
        if is_called_off or output.is_open:
            end_descendants(process.pid, self._mark)
        return End(status=process.wait(), output=output.last)

    def _wait(self, pidfd: int, output: "Output") -> bool:
        """True: called off. False: it ended by itself."""
        poll = select.poll()
        for source in (pidfd, self._called_off, output.fileno()):
            poll.register(source, select.POLLIN)
        while True:
            ready = {source for source, _ in poll.poll()}
            if self._called_off in ready:
                return True
            if pidfd in ready:
                return False
            output.take()
            if not output.is_open:
                poll.unregister(output.fileno())


class Output:
    """The end of what comes through a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self.last = b""
        self.is_open = True

    def fileno(self) -> int:
        return self._pipe.fileno()

    def take(self) -> bool:
        """What has come; False: nothing, for now or for ever."""
        try:
            arrived = os.read(self._pipe.fileno(), 1 << 16)
        except BlockingIOError:
            return False
        self.is_open = bool(arrived)
        self.last = (self.last + arrived)[-OUTPUT_BYTES:]
        return self.is_open

    def drain(self) -> None:
        """What the pipe holds (1 MiB at the most), and no more: others may go on writing."""
        for _ in range(16):
            if not self.take():
                return
