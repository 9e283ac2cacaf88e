"""From daemons that were just started to guests that answer: what `up` waits for.

Every wait is for a condition, asked again and again until its deadline; the deadlines are for
starved machines, a healthy one takes three seconds for everything.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cluster.api.client import Client
from cluster.api.messages import ApplyPackages, GetStatus, NamedText, Reply
from cluster.api.peer import Endpoint
from cluster.clock import Clock, HostClock
from cluster.config.keys import OPERATOR, NodeFolder, load_node_folder
from cluster.lab import guests
from cluster.lab.plan import ECHO_PORT, LabPlan, NodePlan, PackagePlan
from cluster.lab.record import LabRecord
from cluster.sockets import keys_of
from packages.core.problem import Problem, problem

CLUSTER_DEADLINE_S = 60.0
GUESTS_DEADLINE_S = 120.0
ANSWER_DEADLINE_S = 30.0
ECHO_DEADLINE_S = 1.0
POLL_S = 0.05

PACKAGES = "packages"
"""Below DIR: the package files, to read, change and apply again."""


async def bring_up(
    record: LabRecord, progress: Callable[[str], None], clock: Clock | None = None,
) -> Problem | None:
    """Wait for the cluster, apply the packages, wait for the guests."""
    client = await api_client(record.plan)
    if isinstance(client, Problem):
        return client
    try:
        progress("waiting for the cluster")
        failure = await wait_until_up(client, record.plan)
        if failure is None and record.plan.packages:
            progress("applying the packages")
            failure = await apply_packages(client, record, clock or HostClock())
        if failure is None:
            progress("waiting for the guests")
            failure = await wait_for_guests(record.plan)
        return failure
    finally:
        client.close()


async def api_client(plan: LabPlan) -> Client | Problem:
    """A client with the operator's key of the first node, to all nodes through their sockets."""
    folder = load_node_folder(Path(plan.nodes[0].folder, "etc"))
    if isinstance(folder, Problem):
        return folder
    keys = keys_of(folder.operator_secret)
    assert keys is not None, f"load_node_folder let a broken key of {OPERATOR} pass"
    return Client([endpoint(each, folder) for each in plan.nodes], keys)


def endpoint(node: NodePlan, folder: NodeFolder) -> Endpoint:
    return Endpoint(
        address=f"ipc://{node.run}/api.sock", server_key=folder.keys.nodes[node.name],
        node=node.name,
    )


async def wait_until_up(client: Client, plan: LabPlan) -> Problem | None:
    """Until the cluster has a leader and every node is up."""
    status: Any = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLUSTER_DEADLINE_S):
            while True:
                answer = await client.ask(GetStatus(), deadline_s=ANSWER_DEADLINE_S)
                status = answer.result if isinstance(answer, Reply) else answer.because
                if is_up(status, plan):
                    return None
                await asyncio.sleep(POLL_S)
    return late("the cluster did not come up", CLUSTER_DEADLINE_S, f"last heard: {status}")


def is_up(status: Any, plan: LabPlan) -> bool:
    if not isinstance(status, dict) or not status["cluster"]["leader"]:
        return False
    states = {each["name"]: each["status"] for each in status["nodes"]}
    return all(states.get(each.name) == "up" for each in plan.nodes)


async def apply_packages(client: Client, record: LabRecord, clock: Clock) -> Problem | None:
    """Write the package files and apply them as an operator would."""
    folder = record.dir / PACKAGES
    folder.mkdir(exist_ok=True)
    files = []
    for package in record.plan.packages:
        path = folder / f"{package.name}.yaml"
        path.write_text(guests.package_text(record.plan, package, record.disks[package.name]))
        files.append(NamedText(name=str(path), text=path.read_text()))
    request = ApplyPackages(request=clock.token(), files=tuple(files), reason="vmsg lab up")
    answer = await client.ask(request, deadline_s=CLUSTER_DEADLINE_S)
    if isinstance(answer, Problem):
        return answer
    if answer.verdict == "done":
        return None
    return answer.problems[0] if answer.problems else late(
        "the packages were not applied", CLUSTER_DEADLINE_S, f"verdict: {answer.verdict}",
    )


async def wait_for_guests(plan: LabPlan) -> Problem | None:
    """Until every guest returns what it is sent."""
    outcomes = await asyncio.gather(*(wait_for_guest(each) for each in plan.packages))
    return next((each for each in outcomes if each is not None), None)


async def wait_for_guest(package: PackagePlan) -> Problem | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GUESTS_DEADLINE_S):
            while not await answered(echoes(package.guest_address)):
                await asyncio.sleep(POLL_S)
            return None
    return late(f"the guest of {package.name} does not answer", GUESTS_DEADLINE_S,
                f"nothing comes back from {package.guest_address} port {ECHO_PORT}")


async def answered(question: Awaitable[bool]) -> bool:
    """Whether a question was answered with yes, in time."""
    try:
        async with asyncio.timeout(ECHO_DEADLINE_S):
            return await question
    except (OSError, TimeoutError):
        return False


async def echoes(address: str) -> bool:
    sent = b"vmsg\n"
    reader, writer = await asyncio.open_connection(address, ECHO_PORT)
    try:
        writer.write(sent)
        return await reader.readexactly(len(sent)) == sent
    except asyncio.IncompleteReadError:
        return False
    finally:
        writer.close()


def late(what: str, deadline_s: float, because: str) -> Problem:
    return problem(
        "lab-failed", "lab", what=what, because=f"{because}, after {deadline_s:g} s",
        fix="look at the load of this machine, then vmsg lab up again",
    )
