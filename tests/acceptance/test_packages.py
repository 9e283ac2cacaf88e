"""The Debian packages on hosts with a real systemd: what installing, upgrading and removing reach.

One host for each Debian; its tests follow each other, from the first installation to the purge.
"""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest

from supply import debian, pins
from tests.acceptance.rig.hosts import BARE, host, lacking, tree
from tests.acceptance.rig.node import Node, disk

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(900),  # a tree is made where there is none yet
]

SUITES = {"12": "bookworm", "13": "trixie"}
INSTALL = ("sh", "-c", "exec dpkg --install /root/vmsg_*.deb")
UNITS = ("vmsgd.service", "vmsg-guard.service")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with disk(tmp_path_factory.mktemp("disk") / "lun") as made:
        yield made


@pytest.fixture(scope="module", params=SUITES)
def n1(request: pytest.FixtureRequest, device: str, debs: Path) -> Iterator[Node]:
    assert not lacking(), f"this machine lacks {lacking()}: make setup"
    release = request.param

    def installs(root: Path) -> None:
        (root / "root").mkdir(exist_ok=True)
        copy(debs / f"vmsg_{debian.version(release)}_amd64.deb", root / "root")

    with host("n1") as there:
        there.boot(of=tree(SUITES[release], BARE), product=None, installs=installs,
                   words=[f"--bind={device}"])
        yield Node(there)


def active(n1: Node) -> list[str]:
    return [n1.host.shown(each, "ActiveState")["ActiveState"] for each in UNITS]


def test_it_is_installed_and_starts_nothing(n1: Node) -> None:
    n1.done(*INSTALL)
    assert n1.done("/usr/bin/vmsg", "--version") == f"vmsg, version {pins.version()}\n"
    assert n1.done("dpkg", "--verify", "vmsg") == ""
    assert active(n1) == ["inactive"] * 2
    assert n1.host.run("systemctl", "is-enabled", *UNITS).stdout.split() == ["disabled"] * 2
    said = n1.host.run("systemd-analyze", "verify", *UNITS)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_its_units_can_be_masked(n1: Node) -> None:
    n1.done("systemctl", "mask", *UNITS)
    assert n1.host.shown("vmsgd", "LoadState") == {"LoadState": "masked"}
    n1.done("systemctl", "unmask", *UNITS)


def test_a_cluster_runs_a_guest_from_it(n1: Node, device: str) -> None:
    n1.found(device)
    [pid] = n1.guests()
    assert n1.group(pid) == f"/vmsg.slice/vmsg-web-{pid}.scope"


def test_an_upgrade_leaves_guests_alone(n1: Node) -> None:
    """Both are the new ones afterwards: the guardian as the same process, the daemon as another."""
    guests, before = n1.guests(), [n1.host.shown(each, "MainPID") for each in UNITS]
    since = n1.said("begins anew", tag="vmsg-guard")
    n1.done(*INSTALL)
    n1.host.until(lambda: n1.said("begins anew", tag="vmsg-guard") == since + 1)
    after = [n1.host.shown(each, "MainPID") for each in UNITS]
    assert after[0] != before[0] and after[1] == before[1]
    n1.host.until(n1.is_up)
    assert n1.guests() == guests and active(n1) == ["active"] * 2


def test_it_is_not_removed_while_a_guest_is_there(n1: Node) -> None:
    guests = n1.guests()
    said = n1.host.run("dpkg", "--remove", "vmsg")
    assert said.returncode != 0 and "Guests are on this node: web" in said.stderr
    assert "vmsg node drain n1" in said.stderr
    assert n1.is_up() and n1.guests() == guests and active(n1) == ["active"] * 2


def test_it_is_removed_with_what_runs_of_it_and_keys_and_record_stay(n1: Node) -> None:
    n1.done("vmsg", "package", "halt", "web")
    n1.host.until(lambda: not n1.guests())
    n1.done("dpkg", "--remove", "vmsg")
    assert active(n1) == ["inactive"] * 2
    assert not n1.host.run("pgrep", "-f", "/opt/vmsg").stdout
    n1.done("sh", "-c", "test ! -e /opt/vmsg && test -e /etc/vmsg/node && ls /var/lib/vmsg/*")


def test_the_node_comes_back_as_itself(n1: Node) -> None:
    n1.done(*INSTALL)
    n1.done("systemctl", "enable", "--now", "vmsg-guard", "vmsgd")
    n1.host.until(lambda: n1.host.run("vmsg", "package", "run", "web").returncode == 0)
    n1.host.until(n1.is_up)


def test_a_checkout_is_not_written_over(n1: Node) -> None:
    n1.done("touch", "/opt/vmsg/setup.cfg")
    said = n1.host.run(*INSTALL)
    assert said.returncode != 0 and "/opt/vmsg is a checkout" in said.stderr
    n1.done("rm", "/opt/vmsg/setup.cfg")
    assert n1.is_up() and n1.done("dpkg", "--verify", "vmsg") == ""


def test_a_purge_takes_keys_and_record_together(n1: Node) -> None:
    n1.done("vmsg", "package", "halt", "web")
    n1.host.until(lambda: not n1.guests())
    n1.done("dpkg", "--purge", "vmsg")
    n1.done("sh", "-c", "for each in /opt/vmsg /etc/vmsg /var/lib/vmsg; do test ! -e $each; done")
