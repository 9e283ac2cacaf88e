"""The units under a real systemd: what reaches a guest and what does not, and what is said of it.

One host for all of them, of each Debian (tests/acceptance/rig/hosts.py); each leaves it as it found
it, but for the last, which powers it off.
"""

import re
from collections.abc import Iterator

import pytest

from tests.acceptance.rig.hosts import SUITES, lacking
from tests.acceptance.rig.node import GIVE, TAKE, Node, node

pytestmark = pytest.mark.acceptance

REFUSED = "Operation refused"
DATED = re.compile(r"\[\d+\]: \d{4}-\d\d-\d\dT")


@pytest.fixture(scope="module", params=SUITES)
def n1(request: pytest.FixtureRequest) -> Iterator[Node]:
    assert not lacking(), f"this machine lacks {lacking()}: apt-get install systemd-container " \
        "mmdebstrap"
    with node(request.param) as made:
        yield made


def test_they_verify(n1: Node) -> None:
    units = ("vmsgd.service", "vmsg-guard.service", "vmsg.slice")
    said = n1.host.run("systemd-analyze", "verify", *units)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_a_guest_has_a_scope_of_its_own(n1: Node) -> None:
    [pid] = n1.guests()
    assert n1.group(pid) == f"/vmsg.slice/vmsg-web-{pid}.scope"
    shown = n1.host.shown(f"vmsg-web-{pid}.scope", "KillSignal", "Before", "After")
    assert shown["KillSignal"] == "9"
    assert "vmsgd.service" in shown["Before"] and "vmsg-guard.service" in shown["After"]


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_who_kills_the_daemons_unit_kills_no_guest(n1: Node, signal: str) -> None:
    guests, before = n1.guests(), n1.host.shown("vmsgd", "MainPID")
    n1.done("systemctl", "kill", f"--signal={signal}", "vmsgd")
    n1.host.until(lambda: n1.host.shown("vmsgd", "MainPID") not in (before, {"MainPID": "0"}))
    n1.host.until(n1.is_up)
    assert n1.guests() == guests
    assert not n1.said("left-over", tag="systemd")


def test_a_frozen_unit_freezes_no_guest(n1: Node) -> None:
    guests = n1.guests()
    n1.done("systemctl", "freeze", "vmsgd")
    try:
        assert n1.state(guests[0]) in "RS"
    finally:
        n1.done("systemctl", "thaw", "vmsgd")
    n1.host.until(n1.is_up)
    assert n1.guests() == guests


def test_a_guest_without_a_scope_is_started_and_gets_one_later(n1: Node) -> None:
    """The manager cannot be asked: a guest does not wait for it."""
    n1.done("systemctl", "stop", "dbus.socket", "dbus.service")
    try:
        n1.done("vmsg", "package", "halt", "web")
        n1.done("vmsg", "package", "run", "web")
        n1.host.until(n1.is_up)
        [pid] = n1.guests()
        assert n1.group(pid) == "/system.slice/vmsgd.service"
        assert n1.said("web: its guest has no scope of its own", tag="vmsgd") == 1
    finally:
        n1.done("systemctl", "start", "dbus.socket", "dbus.service")
        n1.done("systemctl", "restart", "systemd-logind")  # it does not take up the new bus itself
    n1.done("systemctl", "restart", "vmsgd")
    n1.host.until(lambda: n1.group(pid) == f"/vmsg.slice/vmsg-web-{pid}.scope")
    n1.host.until(n1.is_up)
    assert n1.guests() == [pid]


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_the_guardian_is_not_stopped_by_hand(n1: Node, verb: str) -> None:
    said = n1.host.run("systemctl", verb, "vmsg-guard", within_s=5)
    assert said.returncode != 0 and REFUSED in said.stderr
    assert n1.host.shown("vmsg-guard", "ActiveState") == {"ActiveState": "active"}


def test_the_guardian_is_reloaded_as_the_same_process(n1: Node) -> None:
    guests, before = n1.guests(), n1.host.shown("vmsg-guard", "MainPID", "NRestarts")
    since = n1.said("guarding 1 guests", tag="vmsg-guard")
    n1.done("systemctl", "reload", "vmsg-guard")
    n1.host.until(lambda: n1.said("guarding 1 guests", tag="vmsg-guard") > since)
    assert n1.host.shown("vmsg-guard", "MainPID", "NRestarts") == before
    assert n1.is_up() and n1.guests() == guests


@pytest.mark.parametrize("unit", ["vmsg-guard", "vmsgd"])
def test_one_that_hangs_is_started_again(n1: Node, unit: str) -> None:
    guests, before = n1.guests(), n1.host.shown(unit, "MainPID")
    n1.done("systemctl", "kill", "--kill-whom=main", "--signal=STOP", unit)
    n1.host.until(lambda: n1.host.shown(unit, "MainPID") not in (before, {"MainPID": "0"}),
                  within_s=90)
    n1.host.until(n1.is_up)
    assert n1.guests() == guests
    assert n1.said(f"{unit}.service: Watchdog timeout", tag="systemd") == 1


def test_a_daemon_that_hung_leaves_where_it_stood(n1: Node) -> None:
    """After the test before: its traceback, as an error."""
    assert any("Fatal Python error: Aborted" in line
               for line in n1.host.journal("-t", "vmsgd", "-p", "err"))


def test_the_status_says_what_each_is_about(n1: Node) -> None:
    n1.host.until(lambda: n1.host.shown("vmsgd", "StatusText") == {
        "StatusText": "n1 of shop takes part; 1 guests"})
    n1.host.until(lambda: "guards 1 guests; the lease is good" in n1.host.shown(
        "vmsg-guard", "StatusText")["StatusText"])


def test_an_address_that_comes_late_is_waited_for(n1: Node) -> None:
    n1.done(*TAKE)
    try:
        n1.done("systemctl", "restart", "vmsgd")  # and it does not hold up a boot
        n1.host.until(lambda: n1.host.shown("vmsgd", "StatusText")["StatusText"].startswith(
            "waits for this host to have the address 192.0.2.7"))
    finally:
        n1.done(*GIVE)
    n1.host.until(n1.is_up)
    assert n1.host.shown("vmsgd", "NRestarts", "ActiveState")["ActiveState"] == "active"


def test_a_watchdog_is_used_once_it_is_there(n1: Node) -> None:
    """A pipe that is read, where the device would be."""
    assert n1.said("no watchdog", tag="vmsg-guard")
    n1.done("sh", "-c", "mkfifo /dev/watchdog; sleep 600 <>/dev/watchdog >/dev/null 2>&1 &")
    n1.host.until(lambda: "watchdog: watchdog" in n1.host.shown(
        "vmsg-guard", "StatusText")["StatusText"])


def test_warnings_are_found_by_priority_and_tag_and_dated_once(n1: Node) -> None:
    warnings = n1.host.journal("-p", "warning", "-t", "vmsg-guard")
    assert any("no watchdog" in line for line in warnings)
    assert not any("guarding" in line for line in warnings)
    assert any("its guest has no scope" in line
               for line in n1.host.journal("-p", "warning", "-t", "vmsgd"))
    lines = n1.host.journal("-t", "vmsgd", "-t", "vmsg-guard")
    assert lines and not any(DATED.search(line) for line in lines)


def test_a_wrong_path_is_said_at_once_and_once(n1: Node) -> None:
    n1.done("systemctl", "stop", "vmsgd")
    n1.done("mv", "/opt/vmsg", "/opt/elsewhere")
    try:
        said = n1.host.run("systemctl", "start", "vmsgd")
        assert said.returncode != 0 and "Assertion failed" in said.stderr
        assert n1.host.shown("vmsgd", "NRestarts", "ActiveState")["ActiveState"] == "inactive"
    finally:
        n1.done("mv", "/opt/elsewhere", "/opt/vmsg")
    n1.done("systemctl", "start", "vmsgd")
    n1.host.until(n1.is_up)


def test_both_can_be_masked(n1: Node) -> None:
    units = ("vmsgd", "vmsg-guard")
    n1.done("systemctl", "mask", *units)
    assert n1.host.shown("vmsgd", "LoadState") == {"LoadState": "masked"}
    n1.done("systemctl", "unmask", *units)


def test_a_poweroff_ends_the_guest_then_the_daemon_then_the_guardian(n1: Node) -> None:
    """The guest by its node's own order (vmsg node leave). Nobody is waited for in vain."""
    [pid] = n1.guests()
    took_s = n1.host.poweroff(within_s=60)
    lines = n1.host.journal_of_before("-t", "systemd", "--boot=-0")
    ended = [max((at for at, line in enumerate(lines) if words in line), default=-1) for words in (
        f"vmsg-web-{pid}.scope: Deactivated", "Stopped vmsgd.service",
        "Stopped vmsg-guard.service")]
    assert -1 not in ended and ended == sorted(ended), lines[-60:]
    assert took_s < 15.0, lines[-60:]
