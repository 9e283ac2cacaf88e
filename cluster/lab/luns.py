"""The lab's LUNs: loop devices, whole block devices that every node of this machine sees.

A device is found again by the file behind it, whose name stands in the plan before it is made.
"""

import asyncio
import json
import os
from pathlib import Path

from cluster.lab.commands import failed, first_problem, run
from cluster.lab.plan import LabPlan, PackagePlan
from packages.core.problem import Problem

GIVEN_BACK_S, LOOK_S = 10.0, 0.05
"""Whoever looks at new devices (udev, blkid) has one open for milliseconds."""


async def make_luns(plan: LabPlan) -> dict[str, str] | Problem:
    """Loop device by package. The files are sparse: they take the room that guests write."""
    for package in plan.packages:
        make_file(Path(package.lun), plan.options.disk_mib << 20)
    outcomes = await asyncio.gather(*(attach(each) for each in plan.packages))
    failure = first_problem(list(outcomes))
    if failure:
        return failure
    return {
        package.name: str(device)
        for package, device in zip(plan.packages, outcomes, strict=True)
    }


def make_file(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as lun:
        os.truncate(lun.fileno(), size)


async def attach(package: PackagePlan) -> str | Problem:
    outcome = await run("losetup", "--find", "--show", "--nooverlap", package.lun)
    return outcome if isinstance(outcome, Problem) else outcome.strip()


async def attached(plan: LabPlan) -> list[str] | Problem:
    """Loop devices, of all on this machine, whose file is one of the plan's."""
    listed = await run("losetup", "--json", "--list", "--output", "NAME,BACK-FILE")
    if isinstance(listed, Problem):
        return listed
    files = {each.lun for each in plan.packages}
    devices = json.loads(listed)["loopdevices"] if listed.strip() else []
    return [each["name"] for each in devices if each["back-file"] in files]


async def remove_luns(plan: LabPlan) -> Problem | None:
    devices = await attached(plan)
    if isinstance(devices, Problem):
        return devices
    if not devices:
        return None
    outcome = await run("losetup", "--detach", *devices)
    return outcome if isinstance(outcome, Problem) else await given_back(plan)


async def given_back(plan: LabPlan, within_s: float = GIVEN_BACK_S) -> Problem | None:
    """Once the kernel has let go of them, which is when nobody has them open any more."""
    end_s = asyncio.get_running_loop().time() + within_s
    while True:
        left = await attached(plan)
        if isinstance(left, Problem):
            return left
        if not left:
            return None
        if asyncio.get_running_loop().time() > end_s:
            return failed(("losetup", "--detach", *left), "somebody has them open")
        await asyncio.sleep(LOOK_S)
