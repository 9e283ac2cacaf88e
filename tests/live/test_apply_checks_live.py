"""A package that could not run is refused when it is applied, with every reason at once."""

import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.live.live_cluster import LiveCluster, live_cluster
from tests.live.operator_side import vmsg
from tests.live.test_disk_identity_live import run

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

HEAD = "name: nowhere\nnodes: [n1, n2, n3]\nauto_run: false\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveCluster]:
    async with live_cluster(tmp_path_factory.mktemp("checks") / "lab") as made:
        yield made


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "lun.img"
    file.touch()
    os.truncate(file, 16 << 20)
    device = run("losetup", "--find", "--show", str(file))
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


async def test_everything_that_keeps_it_from_running_is_said_at_once(
    cluster: LiveCluster, loop: str, tmp_path: Path,
) -> None:
    file = tmp_path / "nowhere.yaml"
    file.write_text(HEAD + f"""\
vm:
  memory_mib: 12582912
  machine: virt
  cpu: host
  accel: tcg
  vcpus: 500
  kernel: {{image: /boot/absent}}
  disks:
    - {{path: {loop}, locking: "off"}}
  networks:
    - {{vswitch: vmbr0, mac: "52:54:00:aa:bb:09"}}
monitors:
  - {{name: check, kind: program, argv: [/usr/bin/absent]}}
  - {{name: plain, kind: program, argv: [/etc/passwd]}}
""")
    for command in ("check", "apply"):
        code, told = await vmsg(cluster, "package", command, str(file))
        assert code == 3, told
        refused = [each for each in told["problems"] if each["severity"] == "refuse"]
        for node in ("n1", "n2", "n3"):
            mine = [each for each in refused if each["subject"] == f"node:{node}"]
            assert sorted(each["code"] for each in mine) == sorted([
                "memory-short", "machine-type-unknown", "vswitch-missing", "file-absent",
                "file-absent", "file-absent", *3 * ["guest-not-possible"]]), mine
            words = " ".join(each["because"] for each in mine)
            for said in ("requires KVM", "Invalid SMP CPUs 500", "vmbr", "cannot be executed"):
                assert said in words or said == "vmbr" and "bridges are" in words, (said, words)


@pytest.mark.parametrize(("lines", "says"), [
    ("  cpu: host9\n", "host9"), ("  machine: microvm\n", "PCI"), ("  machine: none\n", "ISA"),
    ("  devices: [no-such-device]\n", "no-such-device"),
    ("  cpu: \"qemu64,+nonsense\"\n", "nonsense"),
])
async def test_what_qemu_does_not_take_is_refused_in_its_words(
    cluster: LiveCluster, loop: str, tmp_path: Path, lines: str, says: str,
) -> None:
    file = tmp_path / "nowhere.yaml"
    file.write_text(HEAD + "vm:\n  memory_mib: 64\n  accel: tcg\n" + lines
                    + f"  disks:\n    - {{path: {loop}, locking: \"off\"}}\n")
    code, told = await vmsg(cluster, "package", "apply", str(file))
    assert code == 3, told
    assert says in " ".join(each["because"] for each in told["problems"]), told


async def test_more_disks_than_slots_are_refused(cluster: LiveCluster, tmp_path: Path) -> None:
    """31 of bus virtio-blk; the paths need not be there for it to be said."""
    disks = "".join(f"    - {{path: /dev/absent{n}}}\n" for n in range(31))
    file = tmp_path / "nowhere.yaml"
    file.write_text(HEAD + f"vm:\n  memory_mib: 64\n  accel: tcg\n  disks:\n{disks}")
    code, told = await vmsg(cluster, "package", "check", str(file))
    assert code == 3 and "no slot" in " ".join(
        each["because"] for each in told["problems"]), told


async def test_what_is_wrong_with_some_nodes_alone_is_a_warning(
    cluster: LiveCluster, loop: str, tmp_path: Path,
) -> None:
    """A bridge that n3 does not have any more."""
    switch = "alone0"
    netns = [each.netns for each in cluster.plan.nodes]
    for each in netns[:2]:
        run("ip", "netns", "exec", each, "ip", "link", "add", switch, "type", "bridge")
        run("ip", "netns", "exec", each, "ip", "link", "set", switch, "up")
    file = tmp_path / "some.yaml"
    file.write_text(HEAD.replace("nowhere", "some") + f"""\
vm:
  memory_mib: 64
  accel: tcg
  disks:
    - {{path: {loop}, locking: "off"}}
  networks:
    - {{vswitch: {switch}, mac: "52:54:00:aa:bb:0a"}}
""")
    try:
        code, told = await vmsg(cluster, "package", "apply", str(file))
        assert code == 0, [each for each in told["problems"] if each["severity"] == "refuse"]
        warned = json.dumps(told)  # inside the document, or beside it
        assert f"n3 has no virtual switch {switch}" in warned
        assert f"n1 has no virtual switch {switch}" not in warned
        await vmsg(cluster, "package", "delete", "some")
    finally:
        for each in netns[:2]:
            run("ip", "netns", "exec", each, "ip", "link", "delete", switch)


async def test_one_mac_in_two_packages_is_refused(
    cluster: LiveCluster, loop: str, tmp_path: Path,
) -> None:
    switch = await switch_of(cluster)
    text = "".join(f"""\
---
name: dup{name}
nodes: [n1, n2]
auto_run: false
vm:
  memory_mib: 64
  accel: tcg
  kernel: {{image: /etc/hostname}}
  disks: []
  networks:
    - {{vswitch: {switch}, mac: "{mac}"}}
""" for name, mac in (("a", "52:54:00:aa:bb:01"), ("b", "52:54:00:AA:BB:01")))
    file = tmp_path / "dup.yaml"
    file.write_text(text)
    for command in ("check", "apply"):
        code, told = await vmsg(cluster, "package", command, str(file))
        assert code == 3 and "mac-in-use" in {each["code"] for each in told["problems"]}, told
    file.write_text(text.split("---\n")[1])
    assert (await vmsg(cluster, "package", "apply", str(file)))[0] == 0
    file.write_text(text.split("---\n")[2])
    code, told = await vmsg(cluster, "package", "apply", str(file))
    assert code == 3 and "mac-in-use" in {each["code"] for each in told["problems"]}, told
    assert (await vmsg(cluster, "package", "delete", "dupa"))[0] == 0


async def test_one_lun_in_two_packages_of_a_file_is_refused(
    cluster: LiveCluster, loop: str, tmp_path: Path,
) -> None:
    file = tmp_path / "both.yaml"
    file.write_text("---\n".join(f"""\
name: {name}
nodes: [n1, n2]
auto_run: false
vm:
  memory_mib: 64
  accel: tcg
  disks:
    - {{path: {loop}, locking: "off"}}
""" for name in ("ya", "yb")))
    for command in ("check", "apply"):
        code, told = await vmsg(cluster, "package", command, str(file))
        assert code == 3 and "disk-claimed" in {each["code"] for each in told["problems"]}, told
    _, told = await vmsg(cluster, "package", "get")
    assert [each["name"] for each in told["packages"]] == ["p1"]


async def switch_of(cluster: LiveCluster) -> str:
    """The virtual switch that every node of the lab has."""
    _, told = await vmsg(cluster, "package", "get", "p1")
    return str(told["packages"][0]["vm"]["networks"][0]["vswitch"])


async def test_hundreds_of_packages_are_one_survey(
    cluster: LiveCluster, tmp_path: Path,
) -> None:
    file = tmp_path / "many.yaml"
    file.write_text("---\n".join(
        f"name: b{number}\nnodes: [n1, n2, n3]\nauto_run: false\nvm:\n  memory_mib: 16\n"
        "  accel: tcg\n  disks: []\n  kernel: {image: /etc/hostname}\n" for number in range(220)))
    began = time.monotonic()
    code, told = await vmsg(cluster, "package", "check", str(file))
    checked_s = time.monotonic() - began
    assert code == 0, told
    assert checked_s < 12, "36 s were seen with a survey for each"
    code, told = await vmsg(cluster, "package", "apply", str(file))
    assert code == 0 and len(told["applied"]) == 220


ATTACK = """\
fence:
  kind: target_access
  command: [/bin/sh, -c, 'id > {proof}', x]
"""


async def test_a_text_that_is_looked_at_starts_nothing(
    cluster: LiveCluster, tmp_path: Path,
) -> None:
    """Whoever asks: here somebody who may do everything."""
    proof, file = tmp_path / "proof", tmp_path / "evil.yaml"
    file.write_text(HEAD.replace("nowhere", "evil") + """\
vm:
  memory_mib: 16
  disks:
    - path: iscsi://127.0.0.1/iqn.2026-01.org.example:x/1
""" + ATTACK.format(proof=proof))
    for command in (("check",), ("apply", "--dry-run"), ("apply",)):
        code, told = await vmsg(cluster, "package", *command, str(file))
        assert code == 3, told
        assert "program-not-allowed" in {each["code"] for each in told["problems"]}
    assert not proof.exists()


@pytest.mark.parametrize(("lines", "code"), [
    ("  kernel: {image: /etc/hostname, initrd: /etc/shadow}\n", "image-not-allowed"),
    ("  kernel: {image: /dev/mem}\n", "file-absent"),
    ("  devices: ['loader,file=/etc/shadow,addr=0x2000000,force-raw=on']\n", "config-bad-value"),
    ("  devices: ['cdrom:/dev/loop0']\n", "config-bad-value"),
    ("  devices: ['cdrom:/etc/shadow']\n", "device-not-allowed"),
])
async def test_a_guest_gets_nothing_of_the_host(
    cluster: LiveCluster, loop: str, tmp_path: Path, lines: str, code: str,
) -> None:
    file = tmp_path / "evil.yaml"
    file.write_text(HEAD.replace("nowhere", "evil") + "vm:\n  memory_mib: 64\n  accel: tcg\n"
                    + lines + f"  disks:\n    - {{path: {loop}, locking: \"off\"}}\n")
    refused, told = await vmsg(cluster, "package", "apply", str(file))
    assert refused == 3 and code in {each["code"] for each in told["problems"]}, told


async def test_a_program_is_looked_at_each_time_before_it_runs(
    cluster: LiveCluster, tmp_path: Path,
) -> None:
    """It runs while it is root's; once others can change it, it does not, and no guest pays."""
    life = await cluster.until_running()
    program, ran = tmp_path / "check", tmp_path / "ran"
    program.write_text(f"#!/bin/sh\necho >> {ran}\n")
    program.chmod(0o755)
    await cluster.set_policy(monitor=(
        f"{{name: own, kind: program, argv: [{program}], interval_s: 0.1, retries: 0, "
        "grace_s: 0}"))
    await cluster.until(lambda _: ran.exists())
    program.chmod(0o777)
    times = [ran.stat().st_size]

    def has_stopped(_: object) -> bool:
        """Five intervals without another run."""
        times.append(ran.stat().st_size)
        return len(times) > 10 and len(set(times[-10:])) == 1

    await cluster.until(has_stopped)
    program.chmod(0o755)
    await cluster.until(lambda _: ran.stat().st_size > times[-1])
    shown = await cluster.shown()
    assert (shown["boot_id"], shown["epoch"]) == (life["boot_id"], life["epoch"])
    # The kernel's word for the hypervisor's sandbox: 2 is a filter.
    pid = next(iter(cluster.copies())).pid
    assert "\nSeccomp:\t2\n" in Path(f"/proc/{pid}/status").read_text()
    assert (await cluster.moved("n2" if shown["node"] != "n2" else "n1"))["result"] == "completed"
