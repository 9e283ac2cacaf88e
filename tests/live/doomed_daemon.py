"""A daemon that brings a move as far as the switch and is then killed by its test.

    python -m tests.live.doomed_daemon FOLDER DEVICE      prints `ready` when it is that far
"""

import asyncio
import sys
from pathlib import Path

from cluster.clock import HostClock
from packages.core.model import DiskSpec, PackageSpec, VmSpec
from packages.core.problem import Problem
from packages.vm.driver import Guest
from packages.vm.qemu.driver import QemuDriver
from packages.vm.relay_carrier import RelayCarrier
from tests.contracts.driver_worlds import DEADLINE_S, Events

LIFE = "00000000000000aa"


def spec_on(device: str) -> PackageSpec:
    vm = VmSpec(memory_mib=32, disks=(DiskSpec(path=device),), accel="tcg")
    return PackageSpec(name="web", nodes=("alpha", "beta"), vm=vm)


def carrier(folder: Path, node: str) -> RelayCarrier:
    return RelayCarrier(folder / f"etc-{node}", folder / node, "127.0.0.1", HostClock())


async def main(folder: Path, device: str) -> None:
    alpha, beta = (QemuDriver(folder / node, HostClock()) for node in ("alpha", "beta"))
    source = await alpha.start(spec_on(device), epoch=1, boot_id=LIFE, deadline_s=DEADLINE_S)
    assert isinstance(source, Guest), source
    made = await beta.receive(
        spec_on(device), epoch=2, boot_id=LIFE, machine=source.machine, deadline_s=DEADLINE_S,
    )
    assert not isinstance(made, Problem), made
    landing = await carrier(folder, "beta").land("m", socket_path=made[1], source="alpha")
    assert not isinstance(landing, Problem), landing
    path = await carrier(folder, "alpha").launch("m", landing=landing, target="beta")
    assert isinstance(path, str), path
    told = Events(alpha, source)
    await alpha.send(source, socket_path=path, downtime_limit_ms=100, bandwidth_bytes_s=None)
    await told.until("pre-switchover")
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
