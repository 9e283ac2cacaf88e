"""The kernel of the lab's Linux guests: unpacked is enough, and the newest is taken."""

import pytest

from cluster.lab.linux_guest import modules, newest_kernel


def unpacked(root, *releases):
    for each in releases:
        (root / "boot").mkdir(parents=True, exist_ok=True)
        (root / "boot" / f"vmlinuz-{each}").touch()
        folder = root / "lib" / "modules" / each
        folder.mkdir(parents=True)
        (folder / "modules.dep").write_text("kernel/virtio_blk.ko:\n")
        (folder / "kernel").mkdir()
        (folder / "kernel" / "virtio_blk.ko").write_bytes(each.encode())
    return root


def test_what_is_unpacked_comes_before_what_the_machine_boots(tmp_path):
    own, system = tmp_path / "own", tmp_path / "system"
    unpacked(own, "6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64")
    unpacked(system, "6.12.0-1-cloud-amd64")
    kernel = newest_kernel((own, system))
    assert kernel == own / "boot/vmlinuz-6.1.0-10-cloud-amd64"
    assert list(modules(kernel, ("virtio_blk",))) == [b"6.1.0-10-cloud-amd64"]


def test_a_machine_that_has_one_installed_needs_no_other(tmp_path):
    unpacked(tmp_path / "system", "6.1.0-9-amd64", "6.1.0-9-cloud-amd64")
    kernel = newest_kernel((tmp_path / "own", tmp_path / "system"))
    assert kernel.name == "vmlinuz-6.1.0-9-cloud-amd64"


def test_where_there_is_none_both_places_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="own/boot.* or .*system/boot"):
        newest_kernel((tmp_path / "own", tmp_path / "system"))
