"""What runs in a lab's packages, and the package files that say so.

`nano` boots from its whole disk: the image is written to the LUN. `linux` boots Debian's kernel
directly, and finds an empty LUN. Both answer ping, echo TCP on port 7, keep the same log of
records on their disk, and take their address from the last four bytes of their MAC.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from subprocess import SubprocessError

from cluster.lab import guest_image, linux_guest
from cluster.lab.plan import ECHO_PORT, VSWITCH, LabPlan, PackagePlan
from packages.core.problem import Problem, problem

IMAGES = "images"
"""Below DIR. Made anew by each lab, in well under a second, so that nothing stays behind."""


async def prepare(plan: LabPlan) -> Path | Problem:
    """Build the guest of this lab: a disk image, or the folder of kernel and initramfs."""
    folder = Path(plan.options.dir, IMAGES)
    folder.mkdir(exist_ok=True)
    build = linux_guest.build if plan.options.guest == "linux" else guest_image.build
    try:
        return await asyncio.to_thread(build, folder)
    except (OSError, SubprocessError) as error:
        return problem(
            "lab-failed", "lab", what=f"the {plan.options.guest} guest cannot be built",
            because=str(error),
            fix="in a checkout: make setup; beside the package vmsg: apt-get install vmsg-lab",
        )


async def install(plan: LabPlan, built: Path, disks: Iterable[str]) -> None:
    """Put the guest on every LUN; a Linux guest wants its LUN empty, as it is."""
    if plan.options.guest == "nano":
        await asyncio.gather(
            *(asyncio.to_thread(guest_image.write, built, Path(each)) for each in disks),
        )


def package_text(plan: LabPlan, package: PackagePlan, disk: str) -> str:
    """The package's file, as an operator would write it."""
    kernel = ""
    if plan.options.guest == "linux":
        folder = Path(plan.options.dir, IMAGES)
        kernel = KERNEL.format(
            image=folder / linux_guest.KERNEL, initrd=folder / linux_guest.INITRD,
            append=linux_guest.APPEND,
        )
    return PACKAGE.format(
        name=package.name, nodes=", ".join(package.nodes), address=package.guest_address,
        memory_mib=plan.options.memory_mib, accel=plan.options.accel, disk=disk,
        vswitch=VSWITCH, mac=package.mac, port=ECHO_PORT, kernel=kernel,
    )


PACKAGE = """\
name: {name}
description: a guest of the lab at {address}
nodes: [{nodes}]
vm:
  memory_mib: {memory_mib}
  accel: {accel}
  disks:
    - path: {disk}
      # QEMU's lock binds all processes of one kernel, as hosts of their own are not bound: a guest
      # that stands frozen on one node of a lab would keep its takeover on another from starting.
      locking: "off"
  networks:
    - vswitch: {vswitch}
      mac: "{mac}"
{kernel}monitors:
  - name: process
    kind: qemu
    interval_s: 1
  - name: echo
    kind: tcp
    host: {address}
    port: {port}
    interval_s: 1
    timeout_s: 2
    retries: 3
"""

KERNEL = """\
  kernel:
    image: {image}
    initrd: {initrd}
    append: {append}
"""
