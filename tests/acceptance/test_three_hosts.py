"""README's three real hosts, word by word, and what befalls such hosts afterwards.

One cluster for each Debian, made by README's own commands from its own packages; its tests follow
each other. Three containers share one kernel and one disk of this machine: what only a kernel or a
SAN of their own would show is not shown here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy

import pytest

from supply import debian
from tests.acceptance.rig.hosts import BARE, ROOT, lacking, tree
from tests.acceptance.rig.readme import Reading
from tests.acceptance.rig.site import Site, one, site

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(900),  # a tree is made where there is none yet
]

SUITES = {"12": "bookworm", "13": "trixie"}
EXAMPLES = "/usr/share/doc/vmsg/examples"
LUN, OTHER_LUN = (
    f"/dev/disk/by-id/wwn-0x60014051234567890abcdef01234567{last}" for last in "89")
GUEST = "10.66.0.101"
CHECK = "/usr/local/lib/vmsg/programs/check-orders"

CLUSTER = {
    """    fences:
      - agent: fence_ipmilan
        level: 1                      # the default
        timeout_s: 20                 # the default
        options: {ip: 10.9.0.1, username: vmsg, lanplus: "1"}
        secrets: {password: /etc/vmsg/fence-n1}   # files of mode 0600 on every node
      - agent: fence_apc_snmp
        level: 2
        options: {ip: 10.9.0.100, plug: "1"}
""": "",  # nothing here switches power
}
PACKAGE = {
    "memory_mib: 4096": "memory_mib: 64",
    # A loop device has no WWID.
    "      wwid: naa.60014051234567890abcdef012345678   # checked on every node if given\n": "",
    # QEMU's lock binds all processes of one kernel, which here all hosts have.
    "locking: auto ": 'locking: "off" ',
    # The test guest takes its address from it, and answers on port 7.
    "mac: 52:54:00:42:00:65": "mac: 52:54:0a:42:00:65",
    "port: 22": "port: 7",
}
"""What in the annotated files stands for the reader's own: addresses, devices, services."""

ACCOUNTS = [
    f"useradd --system --user-group --shell /usr/sbin/nologin {each}"
    for each in ("vmsg-guest", "vmsg-check")
]
"""As the cluster file says."""

SECOND = {
    "name: web": "name: app", "dependencies: []": "dependencies: [{package: web}]",
    LUN: OTHER_LUN, "mac: 52:54:0a:42:00:65": "mac: 52:54:0a:42:00:66",
}
GAP_S = 10.0


def own(text: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        assert text.count(old) == 1, f"the annotated file has not one {old!r}"
        text = text.replace(old, new)
    return text


def package(debs: Path, release: str) -> Callable[[Path], None]:
    """Its Debian's package, in root's folder."""
    def installs(root: Path) -> None:
        (root / "root").mkdir(exist_ok=True)
        copy(debs / f"vmsg_{debian.version(release)}_amd64.deb", root / "root")

    return installs


@pytest.fixture(scope="module", params=SUITES)
def cluster(
    request: pytest.FixtureRequest, debs: Path, tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Three hosts with addresses, a bridge, and their Debian's package in root's folder."""
    assert not lacking(), f"this machine lacks {lacking()}: make setup"
    release = request.param

    with site(tmp_path_factory.mktemp("site"), [LUN, OTHER_LUN]) as there:
        there.boot(
            dict.fromkeys(there.nodes, tree(SUITES[release], BARE)),
            installs=package(debs, release))
        yield there


def typed(there: Site, name: str, line: str) -> str:
    """A line as root types it in root's folder; fails where it does."""
    said = there.nodes[name].host.run(
        "sh", "-c", 'cd /root; eval "$1"', "sh", line, within_s=120)
    assert said.returncode == 0, (name, line, said.stdout, said.stderr)
    return said.stdout


def everywhere(there: Site, line: str) -> None:
    there.at_once(lambda name: typed(there, name, line))


def checks_itself(there: Site, name: str) -> None:
    """The reader's own program is there, and finds nothing."""
    there.nodes[name].write(CHECK, "#!/bin/sh\nexit 0\n")
    there.nodes[name].done("chmod", "755", CHECK)


def test_readme_leads_to_three_nodes(cluster: Site) -> None:
    reading = Reading(since="Three real hosts", until="A first package, a first move")
    reading.next("make deb")
    everywhere(cluster, reading.next("apt-get install --no-install-recommends ./vmsg_*.deb"))
    reading.passes_over("make host", because="a checkout in place of the package: it would fetch "
                        "Debian's and PyPI's files onto each host")
    text = typed(cluster, "n1", f"cat {EXAMPLES}/cluster.yaml")
    assert text == (ROOT / "conf/cluster.yaml").read_text()
    cluster.nodes["n1"].write("/root/cluster.yaml", own(text, CLUSTER))
    for line in ACCOUNTS:
        everywhere(cluster, line)
    for line in reading.block(
        "vmsg cluster check cluster.yaml", "vmsg cluster init cluster.yaml --first n1 --out made",
        "mv made/n1 /etc/vmsg", "systemctl enable --now vmsg-guard vmsgd",
    ):
        typed(cluster, "n1", line)
    invite, join, enable = reading.block(
        "vmsg node invite n2", "vmsg node join", "systemctl enable --now vmsg-guard vmsgd")
    for name in ("n2", "n3"):  # for each other node
        invitation = typed(cluster, "n1", invite.replace("n2", name))
        code, said = cluster.nodes[name].host.answered(
            join, question="The line", answer=invitation)
        assert code == 0, said
        typed(cluster, name, enable)
    line = reading.next("vmsg status")
    cluster.until(lambda status: [each["state"] for each in status["nodes"]] == ["running"] * 3)
    assert all(cluster.at_once(lambda name: "n3" in typed(cluster, name, line)).values())
    typed(cluster, "n1", reading.next("vmsg cluster apply cluster.yaml"))
    for order in ("vmsg node add", "vmsg node remove"):
        reading.passes_over(order, because="a command's name; docs/membership.md has the lines")
    reading.ends()


def test_readme_leads_to_a_first_move(cluster: Site) -> None:
    reading = Reading(since="A first package, a first move", until="Beside Serviceguard")
    text = typed(cluster, "n1", f"cat {EXAMPLES}/packages/web.yaml")
    cluster.nodes["n1"].write("/root/web.yaml", own(text, PACKAGE))
    cluster.at_once(lambda name: checks_itself(cluster, name))
    for line in reading.block("vmsg package check web.yaml", "vmsg package apply web.yaml"):
        typed(cluster, "n1", line)
    cluster.until(cluster.all_run("web"))
    assert "running" in typed(cluster, "n1", reading.next("vmsg status"))
    typed(cluster, "n1", reading.next("vmsg preflight web"))
    with cluster.calling(GUEST) as call:
        typed(cluster, "n1", reading.next("vmsg move web n2"))
        assert one(cluster.until(cluster.all_run("web"))["packages"], "web")["node"] == "n2"
        for line in reading.block("vmsg node drain n1", "vmsg node resume n1 --return"):
            typed(cluster, "n1", line)
        cluster.until(cluster.all_run("web"))
        call.goes_on()
    for line in reading.block(
        "vmsg preflight PKG NODE", "vmsg move PKG --status", "vmsg events --package PKG",
    ):
        typed(cluster, "n1", line.replace("PKG", "web").replace("NODE", "n3"))
    abort = reading.next("vmsg move PKG --abort").replace("PKG", "web")
    said = cluster.nodes["n1"].host.run("sh", "-c", abort)
    assert said.returncode != 0 and "package-not-moving" in said.stderr, said
    reading.ends()
    assert cluster.lives() == [1, 0]


def latest(there: Site) -> int:
    return int(there.events()[-1]["seq"])


def told(there: Site, since: int, package: str = "") -> list[str]:
    """The history's words since then."""
    return [each["what"] for each in there.events(package) if each["seq"] > since]


def nothing_failed(there: Site, since: int) -> bool:
    """Whether nobody was counted as failed since then, nor is anything held against anybody."""
    said = set(told(there, since)) & {
        "package failing", "package failed", "node failed", "node quarantined",
        "switching disabled"}
    assert not said, said
    return all(each["auto_run"] and not each["holds"] for each in there.status()["packages"])


def test_a_reboot_costs_no_connection_and_the_host_comes_back_by_itself(
    cluster: Site, record_property: Callable[[str, object], None],
) -> None:
    here, before, since = cluster.where("web"), cluster.lives(), latest(cluster)
    with cluster.calling(GUEST) as call:
        cluster.nodes[here].host.poweroff(within_s=120, by="reboot")
        call.goes_on()
        cluster.again(here)
        cluster.until(cluster.all_run("web"))
        longest_s = call.goes_on()
    record_property("longest_gap_s", longest_s)
    print(f"longest silence {longest_s:.3f} s")
    assert longest_s < GAP_S
    assert cluster.where("web") != here and cluster.lives() == before
    said = told(cluster, since)
    assert "leaves with its host" in said and "leaves no more" in said, said
    assert nothing_failed(cluster, since)


def test_a_second_package_waits_for_the_first(cluster: Site) -> None:
    text = typed(cluster, "n1", "cat web.yaml").replace(GUEST, "10.66.0.102")
    cluster.nodes["n1"].write("/root/app.yaml", own(text, SECOND))
    typed(cluster, "n1", "vmsg package apply app.yaml")
    cluster.until(cluster.all_run("web", "app"))
    cluster.until_begun([1, 1])


def test_three_losses_of_the_site_need_nobody(cluster: Site) -> None:
    since, nodes = latest(cluster), [cluster.where(each) for each in ("web", "app")]
    for _ in range(3):
        before = cluster.lives()
        cluster.cut()
        cluster.again()
        cluster.until(cluster.all_run("web", "app"))
        cluster.until_begun([each + 1 for each in before])
    assert nothing_failed(cluster, since)
    assert [cluster.where(each) for each in ("web", "app")] == nodes


def test_a_site_that_is_switched_off_ends_its_guests_and_starts_them_again(cluster: Site) -> None:
    """The dependent one first, and the other way round at the return."""
    since, before = latest(cluster), cluster.lives()
    took_s = cluster.at_once(lambda name: cluster.nodes[name].host.poweroff(within_s=150))
    print(f"off after {took_s}")
    cluster.again()
    cluster.until(cluster.all_run("web", "app"))
    cluster.until_begun([each + 1 for each in before])
    assert nothing_failed(cluster, since)
    steps = [
        (each["subject"], each["what"]) for each in cluster.events() if each["seq"] > since
        and each["what"] in ("package halting", "package starting")]
    assert steps == [
        ("package:app", "package halting"), ("package:web", "package halting"),
        ("package:web", "package starting"), ("package:app", "package starting")]


@pytest.mark.parametrize("cluster", ["13"], indirect=True)
def test_luns_that_come_later_than_the_hosts_are_waited_for(cluster: Site) -> None:
    """Of one cluster alone: nothing of it is Debian's, and it waits for half a minute."""
    since, before = latest(cluster), cluster.lives()
    cluster.cut()
    cluster.hide_luns()
    cluster.again()
    cluster.until(lambda status: {"no-node-available"} == {
        each["code"] for each in status["problems"] if each["subject"] == "package:web"})
    cluster.until(lambda status: told(cluster, since, "web").count("package starting") > 3)
    cluster.show_luns()
    cluster.until(cluster.all_run("web", "app"))
    cluster.until_begun([each + 1 for each in before])
    assert not {"package failed", "switching disabled"} & set(told(cluster, since))


@pytest.mark.parametrize("cluster", ["12"], indirect=True)
def test_a_host_gets_the_next_debian_and_guests_go_both_ways(cluster: Site, debs: Path) -> None:
    """Of the older cluster alone: QEMU 7.2 on two hosts, 10.0 on the third, as the same node."""
    typed(cluster, "n1", "vmsg node drain n3")
    cluster.nodes["n3"].host.poweroff()
    cluster.anew("n3", tree(SUITES["13"], BARE), keeps=("etc/vmsg", "var/lib/vmsg"),
                 installs=package(debs, "13"))
    checks_itself(cluster, "n3")
    for line in ("apt-get install --no-install-recommends ./vmsg_*.deb", *ACCOUNTS,
                 "systemctl enable --now vmsg-guard vmsgd"):
        typed(cluster, "n3", line)
    cluster.until(lambda status: one(status["nodes"], "n3")["status"] == "up")
    typed(cluster, "n1", "vmsg node resume n3")
    cluster.until(cluster.all_run("web", "app"))
    before, away = cluster.lives(), "n2" if cluster.where("web") == "n1" else "n1"
    with cluster.calling(GUEST) as call:
        for target in ("n3", away):
            typed(cluster, "n1", f"vmsg move web {target}")
        call.goes_on()
    assert cluster.lives() == before
    for line in ("vmsg package halt app", "vmsg package run app --node n3"):
        typed(cluster, "n1", line)
    cluster.until(lambda status: cluster.all_run("web", "app")(status)
                  and one(status["packages"], "app")["node"] == "n3")
    begun = cluster.nodes["n3"].done("pgrep", "-af", "^qemu-system-x86_64 -name vmsg:")
    assert "pc-q35-7.2" in begun  # the newest that all know
    typed(cluster, "n1", "vmsg move app n1")
    cluster.until(cluster.all_run("web", "app"))
    cluster.until_begun([before[0], before[1] + 1])
