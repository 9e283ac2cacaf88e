"""Monitors over real programs, listeners and time."""

import asyncio
import errno
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cluster.clock import HostClock
from packages.core.model import MonitorSpec, PackageSpec, VmSpec
from packages.core.problem import Problem
from packages.monitors.checks import checks_of, monitors_of
from packages.monitors.http import HttpGet
from packages.monitors.monitor import Check
from packages.monitors.program import Program
from packages.monitors.qemu_state import QemuState, finding
from packages.monitors.routes import against_asking
from packages.monitors.tcp import TcpConnect
from packages.vetting import Vetting
from packages.vm.driver import Exit, Guest, Observation
from tests.live.families import FAMILY, pids_in, runs
from tests.live.waiting import DEADLINE_S, until

pytestmark = pytest.mark.live

CLOCK = HostClock()


def program(*argv: str) -> Program:
    return Program("web", node="n1", epoch=7, argv=argv, clock=CLOCK,
                   vetting=Vetting())


def python(script: str, *words: str) -> Program:
    return program(sys.executable, "-ISc", script, *words)


async def found(check: Check, *, timeout_s: float = DEADLINE_S) -> Problem:
    answer = await check.check(timeout_s=timeout_s)
    assert isinstance(answer, Problem)
    return answer


# The operator's own program.


async def test_a_program_learns_package_node_and_epoch():
    wanted = '[ "$VMSG_PACKAGE $VMSG_NODE $VMSG_EPOCH" = "web n1 7" ]'
    assert await program("/bin/sh", "-c", wanted).check(timeout_s=DEADLINE_S) is None


async def test_words_are_not_given_to_a_shell():
    argv = ("/bin/echo", "$(exit 1)", ";", "exit 1")
    assert await program(*argv).check(timeout_s=DEADLINE_S) is None


async def test_a_failing_program_shows_the_end_of_what_it_printed():
    problem = await found(python(
        "import sys\n"
        "print('x' * 1_000_000)\n"
        "sys.exit('the database said no')\n"
    ))
    assert problem.code == "check-failed"
    assert problem.because.startswith("it exited with 1; it printed: xxx")
    assert problem.because.endswith("the database said no")
    assert len(problem.because) < 4300


async def test_a_program_that_prints_for_ever_ends_at_its_timeout():
    problem = await found(program("/usr/bin/yes"), timeout_s=0.5)
    assert problem.code == "check-timed-out"
    assert len(problem.because) < 4300


async def test_a_program_killed_by_a_signal_failed():
    problem = await found(program("/bin/sh", "-c", "kill -9 $$"))
    assert "signal 9" in problem.because


async def test_a_program_that_is_not_there_is_said_to_be_so(tmp_path):
    assert (await found(program("/nowhere/check"))).code == "check-not-started"
    dull = tmp_path / "dull"
    dull.write_text("exit 0\n", encoding="ascii")
    assert (await found(program(str(dull)))).code == "check-not-started"


async def test_at_its_timeout_a_program_goes_with_all_its_children(tmp_path):
    pids = tmp_path / "pids"
    problem = await found(python(FAMILY, str(pids), "hang"), timeout_s=1.5)
    assert problem.code == "check-timed-out"
    assert len(pids_in(pids)) == 5
    await until(lambda: not any(map(runs, pids_in(pids))))


async def test_called_off_a_program_goes_with_all_its_children(tmp_path):
    pids = tmp_path / "pids"
    asking = asyncio.create_task(python(FAMILY, str(pids), "hang").check(timeout_s=60.0))
    await until(lambda: len(pids_in(pids)) == 5)
    asking.cancel()
    await asyncio.wait({asking}, timeout=DEADLINE_S)
    assert asking.cancelled()
    await until(lambda: not any(map(runs, pids_in(pids))))


async def test_a_program_that_ends_well_leaves_no_children_and_is_not_waited_for(tmp_path):
    pids = tmp_path / "pids"
    began_s = time.monotonic()
    assert await python(FAMILY, str(pids), "end").check(timeout_s=DEADLINE_S) is None
    assert time.monotonic() - began_s < DEADLINE_S
    await until(lambda: not any(map(runs, pids_in(pids))))


async def test_no_descriptors_or_zombies_are_left_behind():
    async def some() -> None:
        for timeout_s in (DEADLINE_S, 0.05):
            for argv in (("/bin/true",), ("/bin/sleep", "60"), ("/nowhere",)):
                await program(*argv).check(timeout_s=min(timeout_s, 0.3))

    await some()
    before, children = len(os.listdir("/proc/self/fd")), own_children()
    await some()
    await until(lambda: own_children() <= children)
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


def own_children() -> set[str]:
    """Those of every thread: a check is run by a thread of its own."""
    found: set[str] = set()
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError):  # the thread has ended meanwhile
            listed = Path("/proc/self/task", task, "children").read_text(encoding="ascii")
            found |= set(listed.split())
    return found


# Listeners.


@asynccontextmanager
async def listener(answer: bytes) -> AsyncIterator[int]:
    """Says that and then nothing, with the connection left open."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(answer)
            while await reader.read(1 << 16):
                pass
        except ConnectionError:
            pass  # the check has heard enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_listener_that_accepts_and_hangs_is_well_for_tcp_and_ill_for_http():
    async with listener(b"") as port:
        tcp = TcpConnect("web", host="127.0.0.1", port=port)
        http = HttpGet("web", host="127.0.0.1", port=port, path="/")
        assert await tcp.check(timeout_s=DEADLINE_S) is None
        assert (await found(http, timeout_s=0.3)).code == "check-no-answer"


@pytest.mark.parametrize(("answer", "code"), [
    (b"HTTP/1.1 200 OK\r\n", None),
    (b"HTTP/1.0 302 Found\r\n", None),
    (b"HTTP/1.1 404 Not Found\r\n", "check-bad-status"),
    (b"HTTP/1.1 503 Service Unavailable\r\n", "check-bad-status"),
    (b"SSH-2.0-OpenSSH\r\n", "check-no-answer"),
    (b"x" * 1_000_000, "check-no-answer"),
])
async def test_http_answers(answer, code):
    async with listener(answer) as port:
        http = HttpGet("web", host="127.0.0.1", port=port, path="/health")
        problem = await http.check(timeout_s=DEADLINE_S)
    assert (problem.code if problem else None) == code


async def test_nobody_listening_is_no_connection():
    async with listener(b"") as port:
        pass
    assert (await found(HttpGet("web", host="127.0.0.1", port=port, path="/"))).code == (
        "check-no-connection"
    )


# The hypervisor's word.

GUEST = Guest(
    package="web", epoch=7, boot_id="life", pid=2, start_ticks=3, accel="tcg", machine="q35",
)


@pytest.mark.parametrize(("seen", "code"), [
    (Observation(state="io-error"), "guest-io-error"),
    (Observation(state="panicked"), "guest-panicked"),
    (Observation(state="watchdog"), "guest-watchdog"),
    (Observation(state="unanswered"), "guest-unanswered"),
    (Observation(state="paused"), "guest-not-running"),
    (Observation(state="shutdown"), "guest-powered-off"),
    (Observation(state="gone"), "guest-gone"),
    (Observation(state="gone", exit=Exit(powered_off=False, because="signal 9")), "guest-gone"),
    (
        Observation(state="gone", exit=Exit(powered_off=True, because="guest-shutdown")),
        "guest-powered-off",
    ),
])
def test_each_state_that_is_not_running_is_a_failure_of_its_own(seen, code):
    problem = finding("web", seen)
    assert problem.code == code
    assert seen.exit is None or seen.exit.because in problem.because


# What a package asks for.


def package(*monitors: MonitorSpec) -> PackageSpec:
    return PackageSpec(
        name="web", nodes=("n1",), vm=VmSpec(memory_mib=64, disks=()), monitors=monitors,
    )


def made(spec: PackageSpec, *, default_host: str | None) -> tuple[list[Any], list[Any]]:
    nobody: Any = None
    return checks_of(
        spec, driver=nobody, guest=GUEST, node="n1", default_host=default_host, clock=CLOCK,
        vetting=Vetting(),
    )


def test_the_process_is_watched_whatever_a_package_names():
    assert [each.kind for each in monitors_of(package())] == ["qemu"]
    own = MonitorSpec(name="state", kind="qemu")
    assert monitors_of(package(own)) == (own,)


def test_every_kind_of_monitor_is_made():
    checks, problems = made(package(
        MonitorSpec(name="t", kind="tcp", port=22), MonitorSpec(name="h", kind="http"),
        MonitorSpec(name="p", kind="program", argv=("/bin/true",)),
    ), default_host="10.0.0.7")
    assert [type(check) for _, check in checks] == [QemuState, TcpConnect, HttpGet, Program]
    assert problems == []


def test_a_monitor_without_any_address_is_refused_and_the_others_are_made():
    without = MonitorSpec(name="t", kind="tcp", port=22)
    [(only, _)], [problem] = made(package(without), default_host=None)
    assert problem.code == "check-without-host"
    assert only.kind == "qemu"


# Where the way to the guest ends.

IN_A_NAMESPACE = """
import asyncio, subprocess, sys
from packages.monitors.http import HttpGet
from packages.monitors.routes import against_asking
from packages.monitors.tcp import TcpConnect
for line in sys.argv[1].split(";"):
    subprocess.run(["ip", *line.split()], check=True)
for check in (TcpConnect("web", host=sys.argv[2], port=80),
              HttpGet("web", host=sys.argv[2], port=80, path="/")):
    print(asyncio.run(check.check(timeout_s=20.0)).code)
"""
BRIDGE = "link add vsw0 type bridge;link set vsw0 up"


@pytest.mark.parametrize("made,host,code", [
    (BRIDGE, "10.66.0.9", "check-not-made"), (BRIDGE, "fd00::9", "check-not-made"),
    (f"{BRIDGE};route add unreachable 10.66.0.0/24", "10.66.0.9", "check-not-made"),
    # Nobody there answers: that is the guest's silence, or looks like it.
    (f"{BRIDGE};addr add 10.66.0.1/24 dev vsw0", "10.66.0.9", "check-no-connection"),
    (f"{BRIDGE};addr add fd00::1/64 dev vsw0 nodad", "fd00::9", "check-no-connection"),
])
def test_a_host_without_a_route_to_the_guest_has_not_asked_it(made, host, code):
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", IN_A_NAMESPACE, made, host],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [code, code], done.stderr


def test_a_guest_that_is_silent_behind_a_route_was_asked():
    failure = OSError(errno.EHOSTUNREACH, "No route to host")
    assert against_asking("web", "127.0.0.1:80", failure) is None
    assert against_asking("web", "guest.example:80", failure) is None, "a name was looked up"
