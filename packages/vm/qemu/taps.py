"""A guest's network cards on this host: tap devices, each a port of the bridge the spec names.

They are made in the daemon's own network namespace and are removed with the guest: made by asking
the kernel directly, since a move waits for it and a program would take ten times as long; removed
by `ip`, since the kernel lets one wait until nobody uses the device any more. Names are short (the
kernel takes 15 bytes) and made from the run folder and the package, so that a tap left behind by a
crash is found and replaced, and two nodes on one machine never share one.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from packages.core.means import is_want
from packages.core.model import NetworkSpec
from packages.core.problem import Problem, problem
from packages.vm.processes import told

log = logging.getLogger(__name__)

IP = "/usr/sbin/ip"
TUN = "/dev/net/tun"

# linux/if_tun.h, linux/sockios.h, linux/if.h
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
SIOCBRADDIF, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x89A2, 0x8913, 0x8914
SIOCGIFINDEX, IFNAMSIZ = 0x8933, 16
IFF_UP = 0x1
REQUEST_WITH_INDEX, REQUEST_WITH_FLAGS = "16si20x", "16sH22x"
"""struct ifreq: a name, then what the question is about."""


def tap_names(run_folder: Path, package: str, count: int) -> tuple[str, ...]:
    digest = hashlib.sha256(f"{run_folder}\0{package}".encode()).hexdigest()[:8]
    return tuple(f"vt{digest}.{index}" for index in range(count))


async def make_taps(
    package: str, names: Sequence[str], networks: Sequence[NetworkSpec],
) -> Problem | None:
    """Make each and attach it to its bridge; undone when one cannot be. Raises OSError, with some
    of them made, where the host lacks what that takes."""
    if not names:
        return None
    await remove_taps(names)
    trouble = ""
    for name, network in zip(names, networks, strict=True):
        trouble = trouble or _made(name, network.vswitch)
    if not trouble:
        return None
    await remove_taps(names)
    return problem(
        "vswitch-unusable", f"package:{package}",
        what="the guest's network could not be attached", because=trouble,
        fix="make the bridge on this node under the name the package gives, then try again",
    )


async def remove_taps(names: Sequence[str]) -> None:
    """Harmless for those that are not there; one that stays is replaced by the next life's."""
    present = [name for name in names if _exists(name)]
    refused = await _ip([f"link del dev {name}" for name in present]) if present else ""
    left = [name for name in present if _exists(name)]
    if refused and any([_removed_directly(name) for name in left]):
        log.error("taps of a guest that has ended stay: %s", refused)


def _made(name: str, bridge: str) -> str:
    """What went wrong, or nothing. A tap outlives the descriptor it was made with only when all is
    done: what fails before leaves none."""
    at = name
    try:
        device = _opened(name)
        try:
            at = f"{name} on {bridge}"
            attach(name, bridge)
            fcntl.ioctl(device, TUNSETPERSIST, 1)
        finally:
            os.close(device)
    except OSError as failure:
        if is_want(failure):
            raise
        return f"{at}: {failure.strerror or failure}"
    return ""


def _opened(name: str) -> int:
    device = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    try:
        wanted = struct.pack(REQUEST_WITH_FLAGS, name.encode(), IFF_TAP | IFF_NO_PI)
        fcntl.ioctl(device, TUNSETIFF, wanted)
    except OSError:
        os.close(device)
        raise
    return device


def attach(name: str, bridge: str) -> None:
    """Raises OSError; with EBUSY for one that is a port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        # if_nametoindex(3) takes a descriptor of its own, and does not say what it lacks.
        found = fcntl.ioctl(asking, SIOCGIFINDEX, struct.pack("40s", name.encode()))
        port = struct.pack(
            REQUEST_WITH_INDEX, bridge.encode(), struct.unpack_from("i", found, IFNAMSIZ)[0])
        fcntl.ioctl(asking, SIOCBRADDIF, port)
        now = fcntl.ioctl(asking, SIOCGIFFLAGS, struct.pack("40s", name.encode()))
        flags = struct.unpack(REQUEST_WITH_FLAGS, now)[1] | IFF_UP
        fcntl.ioctl(asking, SIOCSIFFLAGS, struct.pack(REQUEST_WITH_FLAGS, name.encode(), flags))


def _removed_directly(name: str) -> str:
    """Where no program can be started: it takes one descriptor, and waits for the kernel here."""
    try:
        device = _opened(name)
        try:
            fcntl.ioctl(device, TUNSETPERSIST, 0)
        finally:
            os.close(device)
    except OSError as failure:
        return f"{name}: {failure.strerror or failure}"
    return ""


def _exists(name: str) -> bool:
    """Asked of this process's own network namespace; /sys may show another's."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


async def _ip(lines: Sequence[str]) -> str:
    """What went wrong, or nothing."""
    try:
        process = await asyncio.create_subprocess_exec(
            IP, "-batch", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as failure:
        return str(failure)
    _, words = await told(process, "\n".join(lines).encode() + b"\n")
    if process.returncode == 0:
        return ""
    return words.decode(errors="replace").strip() or f"ip ended with {process.returncode}"
