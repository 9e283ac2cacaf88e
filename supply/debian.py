"""Debian packages of the product, by dpkg-deb alone (`make deb`): for each Debian, on any of them.

`vmsg` is a virtual environment at /opt/vmsg/.venv, where the units look: the Python of its Debian
by a link, the wheels of the lock, the product. `vmsg-lab` is what a lab needs beside it: programs,
by its dependencies, and the kernel of Linux guests, unpacked. The scripts that dpkg runs are in
supply/scripts. The same tree gives the same files, bit for bit, whenever they are made.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.lab import linux_guest
from supply import man_pages, pins, placing, sbom, wheels
from supply.pins import PYTHONS, ROOT

PREFIX = Path("opt/vmsg/.venv")
SCRIPTS = ROOT / "supply" / "scripts"

EPOCH_S = "1767225600"
"""The time of every file in it, where SOURCE_DATE_EPOCH does not say another: 2026-01-01."""

ENVIRONMENT = """\
home = /usr/bin
include-system-site-packages = false
version = {python}
executable = /usr/bin/python{python}
"""

ABOUT = {
    "vmsg": """\
Depends: python{python}, qemu-system-x86, iproute2
Recommends: dbus
Suggests: qemu-block-extra, sg3-utils, fence-agents
Description: high availability for whole virtual machines
 Keeps virtual machines running on a few hosts that share LUNs, in the manner
 of Serviceguard: each on exactly one node, moved without a reboot, started
 elsewhere once the old owner is proven dead. This is a node: its daemon, its
 guardian, and the command line.
""",
    "vmsg-lab": """\
Depends: vmsg (= {version}), gcc, libc6-dev, libc6-dev-i386, binutils, busybox-static,
 mount, util-linux
Suggests: nftables, tgt, tcpdump
Description: whole clusters of vmsg on one machine, to try it
 What `vmsg lab` makes its nodes and guests of, among it a kernel for Linux
 guests that is not this machine's to boot. No node needs it.
""",
}

CONTROL = """\
Package: {name}
Version: {version}
Architecture: amd64
Maintainer: vmsg <vmsg@localhost>
Section: admin
Priority: optional
Installed-Size: {size_kib}
{about}"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vmsg

Files: *
Copyright: the authors of vmsg
License: Apache-2.0
 See /usr/share/common-licenses/Apache-2.0.
"""

OTHERS = """
Files: opt/vmsg/.venv/lib/*/site-packages/*
Copyright: the authors of each, as its .dist-info folder says
License: {licences}
 What is there, under which licence: vmsg.cdx.json beside this file. The texts
 are in the .dist-info folders.
"""

KERNEL = """
Files: opt/vmsg/.venv/kernel/*
Copyright: the authors of Linux
License: GPL-2
 Taken unchanged from Debian's package of the same version, whose source is in
 Debian's archive. See /usr/share/common-licenses/GPL-2.
"""


def version(release: str) -> str:
    """Of each Debian its own, and a later Debian's is the newer one: so an upgrade takes it."""
    return f"{pins.version()}+deb{release}"


def node_tree(tree: Path, release: str, found: Sequence[Path]) -> None:
    """All files of `vmsg`, with `found` as the wheels."""
    python = PYTHONS[release]
    site = tree / PREFIX / "lib" / f"python{python}" / "site-packages"
    site.mkdir(parents=True)
    for each in found:
        wheels.unpack(each, site)
    programs = tree / PREFIX / "bin"
    placing.place(site, programs, f"/{PREFIX}/bin/python3")
    (programs / "python3").symlink_to(f"/usr/bin/python{python}")
    write(tree / PREFIX / "pyvenv.cfg", ENVIRONMENT.format(python=python))
    command = tree / "usr/bin/vmsg"
    command.parent.mkdir(parents=True)
    command.symlink_to(f"/{PREFIX}/bin/vmsg")
    shutil.copytree(ROOT / "conf/systemd", tree / "usr/lib/systemd/system")
    write(tree / "usr/share/bash-completion/completions/vmsg", man_pages.completion())
    for name, page in man_pages.pages(pins.version()):
        packed(tree / f"usr/share/man/man{name[-1]}/{name}.gz", page)
    about = tree / "usr/share/doc/vmsg"
    shutil.copytree(ROOT / "docs", about / "docs")
    shutil.copytree(ROOT / "conf", about / "examples", ignore=shutil.ignore_patterns("systemd"))
    shutil.copy(ROOT / "README.md", about)
    packed(about / "changelog.gz", (ROOT / "CHANGELOG.md").read_text())
    write(about / "vmsg.cdx.json", sbom.text(sbom.document(pins.read(), pins.version())))
    licences = sorted({each.licence for each in pins.read()})
    write(about / "copyright", COPYRIGHT + OTHERS.format(licences=", ".join(licences)))


def lab_tree(tree: Path, kernel: Path) -> None:
    """All files of `vmsg-lab`: of the unpacked kernel what a guest of the lab boots and loads."""
    image = linux_guest.newest_kernel((kernel,))
    modules = Path("lib/modules", image.name.removeprefix("vmlinuz-"))
    known = (kernel / modules / "modules.dep").read_text()
    for each in (image.relative_to(kernel), modules / "modules.dep",
                 *(modules / file for file in linux_guest.load_order(known))):
        target = tree / PREFIX / "kernel" / each
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kernel / each, target)
    packed(tree / "usr/share/doc/vmsg-lab/changelog.gz", (ROOT / "CHANGELOG.md").read_text())
    write(tree / "usr/share/doc/vmsg-lab/copyright", COPYRIGHT + KERNEL)


def write(path: Path, words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words)


def packed(path: Path, words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(words.encode(), mtime=0))


def build(tree: Path, name: str, release: str, folder: Path) -> Path:
    """The package file of a tree, in `folder`."""
    files = sorted(each for each in tree.rglob("*") if each.is_file() and not each.is_symlink())
    size_kib = sum(each.stat().st_size + 1023 for each in files) // 1024
    sums = "".join(
        f"{hashlib.md5(each.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{each.relative_to(tree)}\n" for each in files)
    control = tree / "DEBIAN"
    write(control / "control", CONTROL.format(
        name=name, version=version(release), size_kib=size_kib,
        about=ABOUT[name].format(python=PYTHONS[release], version=version(release))))
    write(control / "md5sums", sums)
    for script in sorted(SCRIPTS.glob(f"{name}.*")):
        shutil.copy(script, control / script.suffix[1:])
    epoch_s = os.environ.get("SOURCE_DATE_EPOCH", EPOCH_S)
    for each in (tree, *tree.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() or is_run(each, control) else 0o644)
        os.utime(each, (int(epoch_s), int(epoch_s)), follow_symlinks=False)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{name}_{version(release)}_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", str(tree), str(made)],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": epoch_s})
    return made


def is_run(path: Path, control: Path) -> bool:
    """Who starts it says so by its mode, except dpkg's own scripts, which must be."""
    return bool(path.stat().st_mode & 0o100) or (
        path.parent == control and path.name not in ("control", "md5sums"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Debian packages of vmsg")
    parser.add_argument("--to", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--kernel", type=Path, help="where the guests' kernel is unpacked")
    parser.add_argument("--release", choices=list(PYTHONS), action="append", help="of Debian")
    wanted = parser.parse_args()
    for release in wanted.release or PYTHONS:
        with tempfile.TemporaryDirectory() as folder:
            found = wheels.fetch(Path(folder, "wheels"), PYTHONS[release])
            node_tree(Path(folder, "vmsg"), release, found)
            print(build(Path(folder, "vmsg"), "vmsg", release, wanted.to))
            if wanted.kernel:
                lab_tree(Path(folder, "vmsg-lab"), wanted.kernel)
                print(build(Path(folder, "vmsg-lab"), "vmsg-lab", release, wanted.to))


if __name__ == "__main__":
    main()
