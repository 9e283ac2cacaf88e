"""Processes that outlive the daemon, in a daemon that has many descriptors open."""

import os
import resource
from collections.abc import Callable, Iterator

import pytest

from packages.core.values import changed
from packages.vm.driver import Guest
from packages.vm.processes import Process, command_line, find, spawn, start_ticks
from packages.vm.qemu.lives import is_same_life

MANY = 1100
"""More than `select` can take, as on a node with some 320 guests."""


FEW = 200


@pytest.fixture
def no_descriptor() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, FEW), hard))
    held: list[int] = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        yield
    for each in held:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * MANY), hard))
    held = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(MANY)]
    yield
    for each in held:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
async def test_a_process_is_watched_found_and_ended_above_the_thousandth_descriptor() -> None:
    process = spawn(["sleep", "60"], files={})
    assert isinstance(process, Process)
    assert process.is_running
    again = find(process.pid, process.start_ticks)
    assert again is not None and again.is_running
    again.close()
    assert await process.kill(5.0)
    assert not process.is_running and process.exit_code == -9
    assert find(process.pid, process.start_ticks) is None


@pytest.mark.usefixtures("no_descriptor")
@pytest.mark.parametrize("asked", [start_ticks, command_line, lambda pid: find(pid, 1)])
def test_what_cannot_be_looked_at_is_not_gone(asked: Callable[[int], object]) -> None:
    """A guest would be called ended, and started elsewhere."""
    with pytest.raises(OSError):
        asked(os.getpid())


def test_another_process_is_another_life() -> None:
    one = Guest(package="p1", epoch=1, boot_id="b", pid=7, start_ticks=9, accel="tcg",
                machine="q35")
    assert is_same_life(one, changed(one, epoch=2)), "it was moved, or its daemon came back"
    for other in (changed(one, pid=8), changed(one, start_ticks=10), changed(one, package="p2")):
        assert not is_same_life(one, other)
