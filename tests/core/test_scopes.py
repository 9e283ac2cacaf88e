"""What is asked of systemd for a guest, and that a guest does not wait for an answer."""

import logging
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.oom_score import as_any_process
from packages.vm.scopes import NoScopes, SystemdScopes, request, scope_name


@pytest.fixture
def guest() -> Iterator[subprocess.Popen[bytes]]:
    guest = subprocess.Popen(["sleep", "600"])
    yield guest
    guest.kill()
    guest.wait()


@pytest.fixture
def busctl(tmp_path: Path) -> Callable[[str], str]:
    """A program in its place."""
    def made(does: str) -> str:
        path = tmp_path / "busctl"
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)
    return made


def test_it_is_a_scope_below_the_slice_that_ends_between_daemon_and_guardian_and_at_once() -> None:
    words = request(scope_name("web", 42), "vmsg.slice", 42, "web")
    told = " ".join(words)
    assert words[6:9] == ["StartTransientUnit", "ssa(sv)a(sa(sv))", "vmsg-web-42.scope"]
    assert "PIDs au 1 42" in told and "Slice s vmsg.slice" in told
    assert "Before as 1 vmsgd.service" in told and "After as 1 vmsg-guard.service" in told
    # Any other signal would be followed by one that lets a frozen guest go on.
    assert "KillSignal i 9" in told
    assert words[10] == "7" and words[-1] == "0"


@pytest.mark.parametrize(("does", "because"), [
    ("echo Access denied >&2; exit 1", "Access denied"),
    ("exit 0", "it was not moved within 2 s"),
    ("exec sleep 60", "no answer within 3 s"),
])
async def test_what_is_not_done_is_said_and_stops_nobody(
    guest: subprocess.Popen[bytes], busctl: Callable[[str], str], does: str, because: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await SystemdScopes("vmsg.slice", busctl=busctl(does)).take(guest.pid, "web")
    [said] = caplog.records
    assert said.levelno == logging.WARNING and because in said.getMessage()
    assert guest.poll() is None


async def test_without_systemd_it_is_said_too(
    guest: subprocess.Popen[bytes], caplog: pytest.LogCaptureFixture,
) -> None:
    await SystemdScopes("vmsg.slice", busctl="/nowhere/busctl").take(guest.pid, "web")
    assert "web: its guest has no scope of its own" in caplog.text


async def test_of_a_guest_that_is_gone_nothing_is_said(
    guest: subprocess.Popen[bytes], busctl: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    guest.kill()
    guest.wait()
    await SystemdScopes("vmsg.slice", busctl=busctl("exit 1")).take(guest.pid, "web")
    await NoScopes().take(guest.pid, "web")
    assert not caplog.records


@pytest.mark.parametrize(("own", "childs"), [("-900", "0"), ("0", "7"), ("200", "7")])
def test_only_what_a_spared_daemon_starts_is_spared_no_more(
    tmp_path: Path, own: str, childs: str,
) -> None:
    for pid, score in (("self", own), ("42", "7")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "oom_score_adj").write_text(score)
    as_any_process(42, proc=tmp_path)
    assert (tmp_path / "42/oom_score_adj").read_text() == childs
    as_any_process(43, proc=tmp_path)  # gone
