"""A guest's network cards on this host: tap devices, each a port of the bridge the spec names.

They are made in the daemon's own network namespace and are removed with the guest. Names are
short (the kernel takes 15 bytes) and made from the run folder and the package, so that a tap left
behind by a crash is found and replaced, and two nodes on one machine never share one.
"""

import asyncio
import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path

from packages.core.model import NetworkSpec
from packages.core.problem import Problem, problem

IP = "/usr/sbin/ip"


def tap_names(run_folder: Path, package: str, count: int) -> tuple[str, ...]:
    digest = hashlib.sha256(f"{run_folder}\0{package}".encode()).hexdigest()[:8]
    return tuple(f"vt{digest}.{index}" for index in range(count))


async def make_taps(
    package: str, names: Sequence[str], networks: Sequence[NetworkSpec],
) -> Problem | None:
    """Make each and attach it to its bridge, all in one call; undone when one cannot be."""
    if not names:
        return None
    await remove_taps(names)
    lines = []
    for name, network in zip(names, networks, strict=True):
        lines += [
            f"tuntap add dev {name} mode tap",
            f"link set dev {name} master {network.vswitch} up",
        ]
    trouble = await _ip(lines)
    if not trouble:
        return None
    await remove_taps(names)
    return problem(
        "vswitch-unusable", f"package:{package}",
        what="the guest's network could not be attached", because=trouble,
        fix="make the bridge on this node under the name the package gives, then try again",
    )


async def remove_taps(names: Sequence[str]) -> None:
    """Harmless for those that are not there."""
    present = [name for name in names if _exists(name)]
    if present:
        await _ip([f"link del dev {name}" for name in present])


def _exists(name: str) -> bool:
    """Asked of this process's own network namespace; /sys may show another's."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


async def _ip(lines: Sequence[str]) -> str:
    """What went wrong, or nothing."""
    process = await asyncio.create_subprocess_exec(
        IP, "-batch", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, words = await process.communicate("\n".join(lines).encode() + b"\n")
    if process.returncode == 0:
        return ""
    return words.decode(errors="replace").strip() or f"ip ended with {process.returncode}"
