"""Every check, the fake included: healthy is None, ill is a catalogued Problem, in its time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.clock import HostClock
from packages.core.allowed import Accounts, Allowed
from packages.core.health import Failure
from packages.core.model import MonitorSpec
from packages.core.problem import Problem
from packages.core.problem_catalogue import CATALOGUE
from packages.monitors.fake import FakeCheck, ill
from packages.monitors.http import HttpGet
from packages.monitors.monitor import Check
from packages.monitors.program import Program
from packages.monitors.qemu_state import QemuState
from packages.monitors.runner import MonitorRunner
from packages.monitors.tcp import TcpConnect
from packages.vetting import Vetting
from packages.vm.driver import Guest, Observation, RunState
from tests.live.waiting import DEADLINE_S, until
from tests.shortage import no_descriptor_left

GUEST = Guest(
    package="web", epoch=1, boot_id="life", pid=2, start_ticks=3, accel="tcg", machine="q35",
)


class Observed:
    """The one question of a Driver that this check asks."""

    def __init__(self, state: RunState | None) -> None:
        self.state = state

    async def observe(self, guest: Guest, *, deadline_s: float = 2.0) -> Observation:
        if self.state is None:
            await asyncio.sleep(deadline_s)
        return Observation(state=self.state or "unanswered")


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[int]:
    """A web server that gives this answer; None: it takes the connection and is silent."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readline()
            if answer is not None:
                writer.write(answer)
            else:
                await reader.read()
                await reader.read()
        except ConnectionError:
            pass  # the check hung up
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


@contextmanager
def crowded() -> Iterator[int]:
    """The port of a listener whose queue is full: the next caller is neither let in nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, socket.socket() as first:
        first.connect(listening.getsockname())
        yield listening.getsockname()[1]


def program(script: str) -> Program:
    return Program(
        "web", node="n1", epoch=1, argv=("/bin/sh", "-c", script), clock=HostClock(),
        vetting=Vetting(),
    )


@asynccontextmanager
async def check_of(kind: str, story: str) -> AsyncIterator[Check]:
    """A check of the kind on a guest that is well, ill or hanging."""
    if kind == "fake":
        fake = FakeCheck()
        fake.verdict = ill() if story == "ill" else None
        fake.is_hanging = story == "hanging"
        yield fake
    elif kind == "qemu":
        states: dict[str, Any] = {"well": "running", "ill": "io-error", "hanging": None}
        driver: Any = Observed(states[story])
        yield QemuState(driver, GUEST)
    elif kind == "program":
        yield program({"well": "exit 0", "ill": "exit 1", "hanging": "sleep 60"}[story])
    elif kind == "http":
        answers = {"well": b"HTTP/1.0 200 OK\r\n\r\n", "ill": b"HTTP/1.1 503 No\r\n\r\n"}
        async with server(answers.get(story)) as port:
            yield HttpGet("web", host="127.0.0.1", port=port, path="/")
    elif story == "hanging":
        with crowded() as port:
            yield TcpConnect("web", host="127.0.0.1", port=port)
    else:
        async with server(b"") as port:  # nobody listens on port 1
            yield TcpConnect("web", host="127.0.0.1", port=port if story == "well" else 1)


KINDS = pytest.mark.parametrize("kind", ["fake", "qemu", "tcp", "http", "program"])


@KINDS
async def test_a_healthy_guest_is_none(kind):
    async with check_of(kind, "well") as check:
        assert await check.check(timeout_s=10.0) is None
        assert await check.check(timeout_s=10.0) is None, "a check may be asked again"


@KINDS
async def test_an_ill_guest_is_a_problem_of_the_catalogue(kind):
    async with check_of(kind, "ill") as check:
        found = await check.check(timeout_s=10.0)
    assert isinstance(found, Problem)
    assert found.code in CATALOGUE
    assert found.because and found.fix


@KINDS
async def test_a_guest_that_hangs_is_a_problem_after_the_timeout(kind):
    async with check_of(kind, "hanging") as check, asyncio.timeout(DEADLINE_S):
        found = await check.check(timeout_s=0.3)
    assert isinstance(found, Problem)
    assert found.code in CATALOGUE


@KINDS
async def test_called_off_it_ends_at_once(kind):
    async with check_of(kind, "hanging") as check:
        asking = asyncio.create_task(check.check(timeout_s=60.0))
        await asyncio.wait({asking}, timeout=0.2)
        asking.cancel()
        done, _ = await asyncio.wait({asking}, timeout=DEADLINE_S)
        assert done and asking.cancelled()


async def test_a_program_that_is_refused_is_not_started(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    words = ("/bin/sh", "-c", f"touch {ran}")
    asked: list[tuple[str, ...]] = []

    class No(Vetting):
        def against_program(self, words: tuple[str, ...]) -> str:
            asked.append(words)
            return "it is not root's"

    check = Program("web", node="n1", epoch=1, argv=words, clock=HostClock(), vetting=No())
    for _ in range(2):
        found = await check.check(timeout_s=DEADLINE_S)
        assert found is not None and found.code == "program-not-allowed"
        assert "not root's" in found.because
    assert asked == [words, words] and not ran.exists(), "each time before it would be started"


async def test_a_program_has_the_rights_of_its_account_and_no_others() -> None:
    """`id` is everybody's to start; what it says is the kernel's word."""
    as_checks = Vetting(Allowed(accounts=Accounts(checks="64124:64125")))
    said = "test $(id -u):$(id -g):$(id -G) = 64124:64125:64125 && ! test -r /etc/shadow"
    check = Program("web", node="n1", epoch=1, argv=("/bin/sh", "-c", said), clock=HostClock(),
                    vetting=as_checks)
    assert await check.check(timeout_s=DEADLINE_S) is None
    for missing in ("nobody-of-that-name", "root"):
        none = Vetting(Allowed(accounts=Accounts(checks=missing)))
        check = Program("web", node="n1", epoch=1, argv=("/bin/true",), clock=HostClock(),
                        vetting=none)
        found = await check.check(timeout_s=DEADLINE_S)
        assert found is not None and found.code == "check-not-started"
        assert missing in found.because


async def test_a_program_that_its_account_may_not_start_says_nothing_of_the_guest(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "check"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    for checks, code in (("64124:64125", "program-not-allowed"), (None, "check-failed")):
        check = Program(
            "web", node="n1", epoch=1, argv=(str(program),), clock=HostClock(),
            vetting=Vetting(Allowed(accounts=Accounts(checks=checks or ""))))
        found = await check.check(timeout_s=DEADLINE_S)
        assert found is not None and found.code == code, found


@pytest.mark.parametrize("unasked", ["program-not-allowed", "check-not-made"])
async def test_no_guest_pays_for_a_check_that_was_not_made(unasked: str) -> None:
    spec = MonitorSpec(name="own", kind="program", interval_s=0.1, retries=0, grace_s=0.0)
    check = FakeCheck()
    check.verdict = ill(unasked)
    failures: list[Failure] = []
    runner = MonitorRunner("web", [(spec, check)], clock=HostClock(), heard=failures.append)
    runner.start()
    try:
        await until(lambda: check.begun > 3)
        [monitor] = runner.status().monitors
        assert failures == [] and monitor.failures == 0
        assert monitor.last_problem is not None and monitor.state == "uninitialized"
        check.verdict = ill()
        await until(lambda: failures)
    finally:
        await runner.stop()


@pytest.mark.parametrize("kind", ["tcp", "http", "program"])
async def test_a_check_that_there_is_no_descriptor_for_says_nothing_of_the_guest(kind):
    async with check_of(kind, "well") as check:
        with no_descriptor_left():
            found = await check.check(timeout_s=DEADLINE_S)
        assert found is not None and found.code == "check-not-made"
        assert "Too many open files" in found.because
        assert await check.check(timeout_s=DEADLINE_S) is None
