"""Processes that outlive the daemon, in a daemon that has many descriptors open."""

import os
import resource
from collections.abc import Iterator

import pytest

from packages.vm.processes import Process, find, spawn

MANY = 1100
"""More than `select` can take, as on a node with some 320 guests."""


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
