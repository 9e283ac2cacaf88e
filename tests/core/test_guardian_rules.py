"""What the guardian decides, without a process: what guests have to be, whether its host is well,
which word of the daemon it takes, and what its watchdog is good for."""

import os

import pytest

from cluster.clock import HostClock
from cluster.guardian import Garbage, Lease, is_well, told, wanted
from cluster.guardian_host import Watchdog
from cluster.nodes.guardian_link import SOFTWARE, watchdog_called


@pytest.fixture
def now_s() -> float:
    return HostClock().boottime_s()


def test_a_guest_stands_from_the_end_of_the_lease_on() -> None:
    lease = Lease(expiry_s=10.0)
    assert wanted(lease, 9.999) == "thawed"
    assert wanted(lease, 10.0) == "frozen" and wanted(lease, 11.0) == "frozen"
    assert wanted(Lease(), 0.0) == "frozen", "who was told nothing holds a lease that is over"


def test_a_host_on_which_something_runs_without_a_lease_is_not_well() -> None:
    """Nobody pets its watchdog then, and it is reset: whoever takes over counts on that."""
    assert is_well("thawed", ["thawed", "frozen"])
    assert is_well("frozen", ["frozen", "frozen"]) and is_well("frozen", [])
    assert not is_well("frozen", ["frozen", "thawed"])


def test_a_lease_only_grows_unless_it_is_given_back(now_s: float) -> None:
    held = Lease(now_s + 3.0, now_s + 60.0)
    shorter = {"expiry_s": now_s + 2.0, "kill_at_s": now_s + 60.0}
    assert told(held, shorter) == held
    assert told(held, {**shorter, "revoke": True}).expiry_s == now_s + 2.0
    longer = {"expiry_s": now_s + 4.0, "kill_at_s": now_s + 61.0}
    assert told(held, longer) == Lease(now_s + 4.0, now_s + 61.0)


def test_a_lease_that_cannot_be_meant_is_not_taken(now_s: float) -> None:
    for wrong in ({"expiry_s": now_s + 1e6, "kill_at_s": now_s + 2e6},
                  {"expiry_s": "soon", "kill_at_s": 1.0}, {"expiry_s": now_s, "more": 1}, 7):
        with pytest.raises(Garbage):
            told(Lease(), wrong)


def test_a_timer_of_the_kernel_proves_nothing() -> None:
    """It stands still when the kernel does, and so resets nobody."""
    assert watchdog_called(SOFTWARE, 10.0).proves_s == 0.0
    assert watchdog_called("iTCO_wdt", 10.0).proves_s == 10.0


def test_a_device_that_says_no_time_of_its_own_proves_nothing() -> None:
    device = Watchdog(os.devnull, 10.0)
    device.close()
    assert device.timeout_s == 0.0, "what was asked for is not what it took"
