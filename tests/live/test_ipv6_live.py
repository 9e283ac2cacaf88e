"""A cluster whose addresses are IPv6: every socket of it, in a network of its own."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from cluster.clock import HostClock
from packages.vm.carrier import Landing
from packages.vm.relay_carrier import RelayCarrier
from tests.contracts.driver_worlds import CLONE_NEWNET
from tests.live.certificates import make_authority, make_node
from tests.live.hosts import hosts
from tests.live.test_relay import MOVE, SECRET, Hypervisor, echoed

pytestmark = pytest.mark.live

ADDRESSES = {"n1": "fd00::1", "n2": "fd00::2", "n3": "fd00::3"}


@pytest.fixture
def network() -> Iterator[None]:
    """This thread's, and with it that of all it starts; but ZeroMQ's own thread, which others use
    later, begins outside."""
    zmq.Context.instance().socket(zmq.DEALER).close()
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    library = ctypes.CDLL(None, use_errno=True)
    assert library.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for each in ADDRESSES.values():
            subprocess.run(["ip", "addr", "add", f"{each}/128", "dev", "lo"], check=True)
        yield
    finally:
        assert library.setns(home, CLONE_NEWNET) == 0
        os.close(home)


async def test_three_nodes_form_a_cluster_and_outlive_one(network: None, tmp_path: Path) -> None:
    async with hosts(tmp_path, *ADDRESSES) as farm:
        nodes = "".join(f"  - {{name: {name}, address: '{address}'}}\n"
                        for name, address in ADDRESSES.items())
        farm.file.write_text(f"name: six\nprofile: fast\nnodes:\n{nodes}")
        await farm.found(first="n1")
        farm.start("n1")
        await farm.status_until(lambda status: not status["cluster"]["quorum"])
        for name in ("n2", "n3"):
            await farm.join(name)  # the line names doors by address
        farm.start("n2", "n3")
        await farm.until_up(*ADDRESSES)
        for door in ("[fd00::2]:5471", "fd00::2", "tcp://[fd00::2]:5471"):
            shown = await farm.asked("status", "--endpoint", door)
            assert {each["name"] for each in shown["nodes"]} == set(ADDRESSES)
        leader = shown["cluster"]["leader"]
        farm.daemons[leader].kill()
        farm.daemons.pop(leader).wait()
        other = next(name for name in ADDRESSES if name != leader)
        await farm.status_until(
            lambda status: status["cluster"]["leader"] not in (None, leader), on=other)


async def test_a_guests_memory_passes(network: None, tmp_path: Path) -> None:
    """And the landing knows its source by its address."""
    authority, there = make_authority(tmp_path / "authority"), Hypervisor(tmp_path / "qemu")
    server = await there.serve()
    ends = {
        name: RelayCarrier(
            make_node(authority, tmp_path / f"etc-{name}", name), tmp_path / f"run-{name}",
            ADDRESSES[name], HostClock(), address_of=ADDRESSES.__getitem__)
        for name in ("n1", "n2")
    }
    landing = await ends["n2"].land(MOVE, socket_path=there.path, source="n1")
    assert isinstance(landing, Landing), landing
    path = await ends["n1"].launch(MOVE, landing=landing, target="n2")
    assert isinstance(path, str), path
    assert await echoed(path, SECRET) == SECRET
    for each in ends.values():
        await each.close()
    server.close()
