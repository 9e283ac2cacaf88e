"""The Debian packages: what is in them, what they ask for, what their scripts do.

The wheels are left out here, for they come over the network (tests/supply/test_debian_install.py).
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from supply import debian, pins
from supply.debian import SCRIPTS
from supply.pins import PYTHONS, ROOT

SYSTEM = "usr/lib/systemd/system"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The package for Debian 12. Whose the files of the tree are does not matter."""
    folder = tmp_path_factory.mktemp("deb")
    debian.node_tree(folder / "tree", "12", [])
    os.chown(folder / "tree/usr/share/doc/vmsg/README.md", 12345, 12345)
    return debian.build(folder / "tree", "vmsg", "12", folder)


def told(made: Path, *words: str) -> str:
    return subprocess.run(["dpkg-deb", *words[:1], str(made), *words[1:]], check=True, text=True,
                          capture_output=True, timeout=60).stdout


def test_a_node_needs_its_python_qemu_iproute2_and_nothing_else(made):
    assert told(made, "--field", "Depends") == "python3.11, qemu-system-x86, iproute2\n"
    assert told(made, "--field", "Recommends") == "dbus\n"  # scopes of guests; it runs without
    assert not told(made, "--field", "Pre-Depends").strip()
    assert told(made, "--field", "Version") == f"{pins.version()}+deb12\n"
    assert made.name == f"vmsg_{pins.version()}+deb12_amd64.deb"


def test_a_checkouts_host_needs_the_same():
    found = re.search(r"^HOST := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found and found[1].split() == ["qemu-system-x86", "iproute2", "python3-venv"]


def test_no_package_of_a_kernel_is_installed_by_anything():
    text = (ROOT / "Makefile").read_text() + "".join(debian.ABOUT.values())
    lists = re.findall(r"^(?:[A-Z]+ := |Depends: |Suggests: )((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert lists and not any("linux-image" in each for each in lists)


def test_each_release_has_a_later_version_than_the_one_before():
    versions = [debian.version(each) for each in PYTHONS]
    for older, newer in zip(versions, versions[1:], strict=False):
        subprocess.run(["dpkg", "--compare-versions", newer, "gt", older], check=True)


def test_everything_is_roots_and_writable_by_nobody_else(made):
    for line in told(made, "--contents").splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root" and (mode[0] == "l" or mode[5] == mode[8] == "-"), line


def test_the_units_are_where_mask_works_and_point_at_what_is_there(made, tmp_path):
    told(made, "--extract", str(tmp_path))
    units = sorted((tmp_path / SYSTEM).iterdir())
    assert [each.name for each in units] == sorted(
        each.name for each in (ROOT / "conf/systemd").iterdir())
    named = {path for each in units
             for path in re.findall(r"/opt/vmsg/[\w/.-]+", each.read_text())}
    assert {"/opt/vmsg/.venv/bin/vmsgd", "/opt/vmsg/.venv/bin/vmsg-guard"} <= named
    assert all((tmp_path / each.lstrip("/")).exists() for each in named)
    assert not (tmp_path / "etc").exists()


def test_it_is_a_virtual_environment_of_its_debians_python(made, tmp_path):
    told(made, "--extract", str(tmp_path))
    prefix = tmp_path / "opt/vmsg/.venv"
    assert (prefix / "bin/python3").readlink() == Path("/usr/bin/python3.11")
    assert "home = /usr/bin\n" in (prefix / "pyvenv.cfg").read_text()
    assert (prefix / "bin/vmsgd").read_text().startswith("#!/opt/vmsg/.venv/bin/python3\n")
    assert (prefix / "lib/python3.11/site-packages/cluster/daemon.py").exists()
    assert (tmp_path / "usr/bin/vmsg").readlink() == Path("/opt/vmsg/.venv/bin/vmsg")


def test_what_it_comes_with(made, tmp_path):
    told(made, "--extract", str(tmp_path))
    share = tmp_path / "usr/share"
    for each in ("man/man1/vmsg-move.1.gz", "man/man8/vmsgd.8.gz", "doc/vmsg/copyright",
                 "bash-completion/completions/vmsg", "doc/vmsg/examples/cluster.yaml",
                 "doc/vmsg/examples/packages/web.yaml", "doc/vmsg/vmsg.cdx.json",
                 "doc/vmsg/changelog.gz", "doc/vmsg/docs/upgrade.md"):
        assert (share / each).is_file(), each


def test_the_same_tree_makes_the_same_package(made, tmp_path):
    debian.node_tree(tmp_path / "tree", "12", [])
    again = debian.build(tmp_path / "tree", "vmsg", "12", tmp_path)
    assert again.read_bytes() == made.read_bytes()


def test_a_lab_comes_with_a_kernel_that_no_machine_boots(tmp_path):
    kernel = tmp_path / "kernel"
    release = "6.1.0-1-cloud-amd64"
    (kernel / "boot").mkdir(parents=True)
    (kernel / f"boot/vmlinuz-{release}").touch()
    modules = kernel / "lib/modules" / release
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("virtio_blk.ko: virtio.ko\nvirtio.ko:\nother.ko:\n")
    for each in ("virtio_blk.ko", "virtio.ko", "other.ko"):
        (modules / each).touch()
    debian.lab_tree(tmp_path / "tree", kernel)
    made = debian.build(tmp_path / "tree", "vmsg-lab", "13", tmp_path)
    names = {line.split()[5] for line in told(made, "--contents").splitlines()}
    assert f"./opt/vmsg/.venv/kernel/boot/vmlinuz-{release}" in names
    assert {Path(each).name for each in names if each.endswith(".ko")} == {
        "virtio_blk.ko", "virtio.ko"}
    assert not {each for each in names if each.startswith("./boot")}
    wanted = told(made, "--field", "Depends")
    assert wanted.startswith(f"vmsg (= {pins.version()}+deb13), gcc,")


@pytest.mark.parametrize("script", sorted(SCRIPTS.iterdir()), ids=lambda path: path.name)
def test_a_script_stops_at_its_first_failure_and_does_nothing_unasked(script):
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n#") and "\nset -e\n" in text
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=60)
    subprocess.run(["sh", str(script), "abort-upgrade", "0.1"], check=True, timeout=60)
