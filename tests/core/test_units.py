"""What the units must say, read as they stand; tests/acceptance/test_units.py sees it done."""

import configparser
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "conf/systemd"
BIN = "/opt/vmsg/.venv/bin"
"""Where README has an operator put the product."""


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    found.optionxform = str  # type: ignore[assignment,method-assign]
    assert found.read(FOLDER / name)
    return found


@pytest.fixture
def daemon() -> configparser.ConfigParser:
    return unit("vmsgd.service")


@pytest.fixture
def guardian() -> configparser.ConfigParser:
    return unit("vmsg-guard.service")


@pytest.mark.parametrize("name", ["vmsgd", "vmsg-guard"])
def test_both_start_what_readme_installs_tell_that_they_live_and_are_started_again(
    name: str,
) -> None:
    made = unit(f"{name}.service")
    service = made["Service"]
    assert service["ExecStart"].split()[0] == f"{BIN}/{name}"
    assert made["Unit"]["AssertFileIsExecutable"] == f"{BIN}/{name}"
    assert service["Type"] == "notify" and service["NotifyAccess"] == "main"
    assert service["Restart"] == "always" and made["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["SyslogIdentifier"] == name and service["SyslogLevel"] == "err"
    assert service["OOMPolicy"] == "continue"


def test_what_befalls_the_daemon_befalls_no_guest(daemon: configparser.ConfigParser) -> None:
    service = daemon["Service"]
    slice_name = service["ExecStart"].split("--slice ")[1]
    assert (FOLDER / slice_name).exists()
    assert service["KillMode"] == "process"
    assert f"exec {BIN}/vmsg node leave --at-shutdown'" in service["ExecStop"]
    assert service["TimeoutStopSec"] == "120s", "longer than that command takes"
    assert service["RuntimeDirectoryPreserve"] == "yes"
    assert service["LimitCORE"] == "0", "a core would hold keys, or a guest's memory"


def test_at_a_shutdown_guests_and_daemon_go_before_what_they_stand_on(
    daemon: configparser.ConfigParser,
) -> None:
    stands_on = {"network.target", "iscsid.service", "open-iscsi.service", "multipathd.service"}
    assert stands_on <= set(unit("vmsg.slice")["Unit"]["After"].split())
    assert stands_on <= set(daemon["Unit"]["After"].split())


def test_a_daemon_that_hangs_is_started_again_and_one_that_is_refused_is_not(
    daemon: configparser.ConfigParser,
) -> None:
    assert daemon["Service"]["WatchdogSec"] == "30s"
    assert daemon["Service"]["RestartPreventExitStatus"] == "3"
    assert not {"Requires", "BindsTo", "PartOf"} & set(daemon["Unit"])


def test_guests_go_first_then_the_daemon_and_the_guardian_never(
    daemon: configparser.ConfigParser, guardian: configparser.ConfigParser,
) -> None:
    spared = [int(each["Service"]["OOMScoreAdjust"]) for each in (daemon, guardian)]
    assert spared == [-900, -1000]


def test_nobody_takes_the_guardian_away_from_its_guests(
    guardian: configparser.ConfigParser,
) -> None:
    service = guardian["Service"]
    assert guardian["Unit"]["RefuseManualStop"] == "yes"
    assert service["SendSIGKILL"] == "no" and service["KillMode"] == "process"
    assert service["ExecReload"] == '/bin/sh -c "kill -HUP $MAINPID"'
    assert service["WatchdogSec"] == "3s" and service["WatchdogSignal"] == "SIGKILL"
    assert service["RestartSec"] == "500ms"
