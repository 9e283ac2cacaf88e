"""Package files: everything wrong with a file is said at once, with its line; nothing raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.config.load import DEEPEST, LARGEST_BYTES, dump, load
from cluster.config.package_file import packages_from_text
from packages.core.allowed import OF_QEMU
from packages.core.model import (
    DiskSpec, KernelSpec, MonitorSpec, NetworkSpec, PackageSpec, PhaseTimeouts, VmSpec
)
from packages.core.names import RESERVED
from packages.core.problem import Problem

GOOD = """\
name: web
nodes: [n1, n2]
vm:
  memory_mib: 64
  disks:
    - path: /dev/loop1
  networks:
    - {vswitch: vsw0, mac: "52:54:00:42:00:65"}
monitors:
  - {name: process, kind: qemu}
"""

FIVE_FAULTS = """\
name: -web-
nodes: [n1, n1]
vm:
  memroy_mib: 64
  vcpus: two
  disks:
    - path: loop1
  accel: tcg
"""


def faults_of(text: str | bytes) -> list[Problem]:
    specs, problems = packages_from_text(text, source="web.yaml")
    assert bool(specs) != bool(problems)
    return problems


def codes_and_lines(problems: list[Problem]) -> list[tuple[str, int]]:
    lines = []
    for each in problems:
        line = int(each.what.split(" line ")[1].split(":")[0])
        assert each.because.startswith(f"line {line}: ")
        lines.append((each.code, line))
    return lines


def test_a_good_package_is_taken_with_its_defaults() -> None:
    specs, problems = packages_from_text(GOOD)
    assert problems == []
    assert specs == [PackageSpec(
        name="web", nodes=("n1", "n2"),
        vm=VmSpec(
            memory_mib=64, disks=(DiskSpec(path="/dev/loop1"),),
            networks=(NetworkSpec(vswitch="vsw0", mac="52:54:00:42:00:65"),),
        ),
        monitors=(MonitorSpec(name="process", kind="qemu"),),
    )]


def test_all_faults_are_said_at_once_with_their_lines() -> None:
    assert codes_and_lines(faults_of(FIVE_FAULTS)) == [
        ("config-bad-value", 1),        # the name
        ("config-duplicate", 2),        # the node
        ("config-key-unknown", 4),      # memroy_mib
        ("config-wrong-type", 5),       # two
        ("config-bad-value", 7),        # loop1
        ("config-key-missing", 4),      # memory_mib
    ]


def test_an_unknown_key_names_the_nearest_one() -> None:
    unknown = [each for each in faults_of(FIVE_FAULTS) if each.code == "config-key-unknown"]
    assert unknown[0].what == "web.yaml line 4: unknown key 'memroy_mib' in vm"
    assert unknown[0].fix == "did you mean `memory_mib`?"


def test_the_subject_is_the_package_where_its_name_can_be_read() -> None:
    assert {each.subject for each in faults_of(FIVE_FAULTS)} == {"file:web.yaml"}
    assert faults_of("name: web\n")[0].subject == "package:web"


@pytest.mark.parametrize(("change", "code"), [
    (("name: web", "name: " + "w" * 40), "config-bad-value"),
    (("name: web", "name: w..b"), "config-bad-value"),
    (("name: web", "name: [web]"), "config-wrong-type"),
    (("name: web", "name:"), "config-key-missing"),
    (("[n1, n2]", "[]"), "config-bad-value"),
    (("[n1, n2]", "n1"), "config-wrong-type"),
    (("[n1, n2]", "[n1, N1]"), "config-duplicate"),
    (("memory_mib: 64", "memory_mib: 0"), "config-bad-value"),
    (("memory_mib: 64", "memory_mib: 64.5"), "config-wrong-type"),
    (("memory_mib: 64", "memory_mib: '64'"), "config-wrong-type"),
    (("memory_mib: 64", "memory_mib: " + "9" * 5000), "config-wrong-type"),
    (("memory_mib: 64", "memory_mib: 64\n  vcpus: 0"), "config-bad-value"),
    (("memory_mib: 64", "memory_mib: 64\n  accel: xen"), "config-bad-value"),
    (("memory_mib: 64", "memory_mib: 64\n  machine: q35,usb=on"), "config-bad-value"),
    (("memory_mib: 64", "memory_mib: 64\n  kernel: {image: vmlinuz}"), "config-bad-value"),
    (("memory_mib: 64", "memory_mib: 64\n  kernel: {append: x}"), "config-key-missing"),
    (("- path: /dev/loop1", "- path: dev/loop1"), "config-bad-value"),
    (("- path: /dev/loop1", "- path: /dev/"), "config-bad-value"),
    (("- path: /dev/loop1", '- path: "/dev/\\0"'), "config-bad-value"),
    (("- path: /dev/loop1", "- path: /dev/a\n    - path: /dev/../dev/a"), "config-duplicate"),
    (("- path: /dev/loop1", "[]"), "config-bad-value"),
    (("- path: /dev/loop1", "- {path: /dev/a, bus: nvme}"), "config-bad-value"),
    (('"52:54:00:42:00:65"', "52:54:00:42:00"), "config-bad-value"),
    (('"52:54:00:42:00:65"', "53:54:00:42:00:65"), "config-bad-value"),
    (('"52:54:00:42:00:65"', '"00:00:00:00:00:00"'), "config-bad-value"),
    (('"52:54:00:42:00:65"', '"ff:ff:ff:ff:ff:ff"'), "config-bad-value"),
    (('"52:54:00:42:00:65"}', "52:54:00:42:00:AA}\n"
      "    - {vswitch: vsw0, mac: 52:54:00:42:00:aa}"), "config-duplicate"),
    (("vswitch: vsw0", "vswitch: a-name-too-long-here"), "config-bad-value"),
    (("kind: qemu", "kind: ping"), "config-bad-value"),
    (("kind: qemu", "kind: tcp, host: h"), "config-key-missing"),
    (("kind: qemu", "kind: tcp, host: h, port: 65536"), "config-bad-value"),
    (("kind: qemu", "kind: program"), "config-key-missing"),
    (("kind: qemu", "kind: program, argv: []"), "config-bad-value"),
    (("kind: qemu", "kind: program, argv: [check]"), "config-bad-value"),
    (("kind: qemu", "kind: qemu, port: 80"), "config-key-unknown"),
    (("kind: qemu", "kind: qemu, interval_s: 0"), "config-bad-value"),
    (("kind: qemu", "kind: qemu, interval_s: .nan"), "config-wrong-type"),
    (("kind: qemu", "kind: qemu, interval_s: 1e99"), "config-bad-value"),
    (("kind: qemu}", "kind: qemu}\n  - {name: process, kind: qemu}"), "config-duplicate"),
    (("name: web", "name: web\nauto_run: yes"), "config-wrong-type"),
    (("name: web", "name: web\nphase_timeouts: {frozen_s: 0}"), "config-bad-value"),
    (("name: web", "name: web\nphase_timeouts: 3"), "config-wrong-type"),
    (("name: web", "name: web\nfreeze_budget_ms: -1"), "config-bad-value"),
    (("name: web", "name: web\nname: other"), "config-unreadable"),
    (("- path: /dev/loop1", "- path: iscsi://h/iqn.2026-01.lab:web/1"), "config-bad-value"),
    (("- path: /dev/loop1", "- path: iscsi://h/web/1"), "config-bad-value"),
    (("name: web", "name: web\nfence: {}"), "config-key-missing"),
    (("name: web", "name: web\nfence: {kind: watchdog}"), "config-bad-value"),
    (("name: web", "name: web\nfence: {kind: target_access}"), "config-bad-value"),
    (("name: web", "name: web\nfence: {kind: scsi_reservation, tool: lio}"), "config-key-unknown"),
    (("name: web", "name: web\nfence: {kind: target_access, command: [ssh]}"), "config-bad-value"),
], ids=str)
def test_each_fault_alone_is_said_alone(change: tuple[str, str], code: str) -> None:
    assert change[0] in GOOD
    assert [each.code for each in faults_of(GOOD.replace(*change))] == [code]


@pytest.mark.parametrize("change", [
    ("kind: qemu", "kind: tcp, host: 10.0.0.1, port: 7"),
    ("kind: qemu", "kind: http, host: h, port: 80, path: /health"),
    ("kind: qemu", "kind: program, argv: [/bin/true, -x]"),
    ("- path: /dev/loop1", "[]\n  kernel: {image: /vmlinuz}"),
    ("- path: /dev/loop1", "- {path: /dev/a, wwid: 6001, locking: off}"),
    ('"52:54:00:42:00:65"', "52:54:00:42:00:59"),
    ("name: web", "name: 12"),
    ("name: web", "name: web\nfence: {kind: scsi_reservation}"),
    ("name: web", "name: web\ndescription:"),
    ("name: web", "name: web\nphase_timeouts: {copy_s: null}"),
    ("memory_mib: 64", "memory_mib: 64\n  cpu: Haswell-noTSX,+aes,pcid=off"),
], ids=str)
def test_unusual_but_right_is_taken(change: tuple[str, str]) -> None:
    assert change[0] in GOOD
    specs, problems = packages_from_text(GOOD.replace(*change))
    assert problems == []
    assert packages_from_text(dump(specs[0]))[0] == specs


@pytest.mark.parametrize("host", ["10.0.0.9", "10.0.0.9:3261", "[fd00::9]", "san-1.example.org"])
def test_a_lun_that_qemu_opens_itself_is_named_by_its_target(host: str) -> None:
    text = GOOD.replace("/dev/loop1", f"iscsi://{host}/iqn.2026-01.org.example:web.1/0") + (
        "fence: {kind: target_access, tool: lio, command: [/usr/bin/ssh, san]}\n")
    specs, problems = packages_from_text(text)
    assert problems == []
    assert packages_from_text(dump(specs[0]))[0] == specs


def test_a_file_may_describe_several_packages() -> None:
    specs, problems = packages_from_text(GOOD + "---\n" + GOOD.replace("web", "db"))
    assert problems == []
    assert [spec.name for spec in specs] == ["web", "db"]


def test_the_same_package_twice_is_refused() -> None:
    problems = faults_of(GOOD + "---\n" + GOOD)
    assert codes_and_lines(problems) == [("config-duplicate", 12)]


def test_one_bad_package_keeps_the_whole_file_out() -> None:
    specs, problems = packages_from_text(GOOD + "---\nname: db\n")
    assert specs == []
    assert {each.subject for each in problems} == {"package:db"}


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


@pytest.mark.parametrize(("text", "word"), [
    ("", "empty"),
    ("# nothing\n---\n", "empty"),
    ("name: \0web", "binary"),
    (b"\xff\xfe\x00n", "UTF-8"),
    ("name: \ud800", "UTF-8"),
    ("a: " + "x" * LARGEST_BYTES, "too large"),
    ("[" * 100_000, "breaks off"),
    ("{a: " * (DEEPEST + 1), "breaks off"),
    ("- " * 1000, "breaks off"),
    (BOMB, "anchor"),
    ("name: !!python/object/apply:os.system [x]", "tag"),
    ("name: !!int 3", "tag"),
    ("? [a]\n: b\n", "key"),
    ("name: 'web", "breaks off"),
    ("name: web\n\tnodes: x", "breaks off"),
    ("name: \x07", "not YAML"),
    ("%YAML 9.9\n---\na: b", "breaks off"),
], ids=lambda case: repr(case)[:30])
def test_what_is_not_plain_yaml_is_refused(text: str | bytes, word: str) -> None:
    problems = faults_of(text)
    assert problems[0].code == "config-unreadable"
    assert word in problems[0].what


def test_depth_is_taken_up_to_its_limit() -> None:
    assert load("[" * DEEPEST + "]" * DEEPEST)[1] == []


def test_a_wrong_file_is_not_answered_with_a_thousand_problems() -> None:
    many = "\n".join(f"key{number}: x" for number in range(5000))
    assert len(faults_of(many)) == 50
    assert len(faults_of("\n".join(["a: x"] * 5000))) <= 100
    assert len(faults_of("---\na: x\n" * 5000)) <= 100


def test_bytes_with_a_byte_order_mark_are_read() -> None:
    assert packages_from_text(b"\xef\xbb\xbf" + GOOD.encode())[1] == []


NAMES = st.from_regex(r"[A-Za-z0-9][a-z0-9._-]{0,10}[a-z0-9]", fullmatch=True).filter(
    lambda name: ".." not in name and name.lower() not in RESERVED,
)
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=[
    "\u2028", "\u2029", "\ufeff",
]), max_size=30)
PATHS = LINES.map(lambda line: f"/dev/{line.strip().strip('/')}x")
SECONDS = st.floats(1, 3600)
DEVICES = (
    "cdrom:/dev/sr0", "cdrom:/srv/vmsg/a b,c.iso", "usb:1d6b:0002", "pci:0000:03:00.0", *OF_QEMU)
MONITORS = st.one_of(
    st.builds(MonitorSpec, name=NAMES, kind=st.just("qemu"), interval_s=SECONDS),
    st.builds(
        MonitorSpec, name=NAMES, kind=st.just("program"), grace_s=SECONDS,
        argv=st.tuples(PATHS, LINES),
    ),
    st.builds(
        MonitorSpec, name=NAMES, kind=st.just("tcp"), host=st.just("10.0.0.1"),
        port=st.integers(1, 65535), retries=st.integers(0, 9),
    ),
)
SPECS = st.builds(
    PackageSpec, name=NAMES, description=LINES, auto_run=st.booleans(),
    nodes=st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower).map(tuple),
    service_restart=st.integers(0, 9),
    phase_timeouts=st.builds(PhaseTimeouts, copy_s=st.none() | SECONDS, init_s=SECONDS),
    migration_bandwidth_mib_s=st.none() | st.integers(1, 1000),
    monitors=st.lists(MONITORS, max_size=2, unique_by=lambda each: each.name).map(tuple),
    vm=st.builds(
        VmSpec, memory_mib=st.integers(1, 4096),
        disks=PATHS.map(lambda path: (DiskSpec(path=path, bus="virtio-scsi"),)),
        kernel=st.none() | st.builds(KernelSpec, image=PATHS, append=LINES),
        devices=st.lists(st.sampled_from(DEVICES), max_size=2).map(tuple),
    ),
)


@given(SPECS)
@settings(max_examples=100)
def test_what_was_printed_reads_back_the_same(spec: PackageSpec) -> None:
    specs, problems = packages_from_text(dump(spec))
    assert problems == []
    assert specs == [spec]


@given(st.text() | st.binary())
@settings(max_examples=200)
def test_no_text_raises(text: str | bytes) -> None:
    packages_from_text(text)


PIECES = st.sampled_from([*GOOD.splitlines(), "  ", "- ", "[", "]", "{", "}", "&a", "*a", "!!x",
                          ": ", "? ", "|", ">", "---", "'", '"', "#", "null", "\t", "\0", "%"])


@given(st.lists(PIECES, max_size=20), st.sampled_from(["\n", " ", ""]))
@settings(max_examples=300)
def test_no_mixture_of_good_and_bad_raises(pieces: list[str], joint: str) -> None:
    specs, problems = packages_from_text(joint.join(pieces))
    assert bool(specs) != bool(problems)
