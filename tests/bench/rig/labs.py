"""A lab of a bench's own, up and taken down again, and what is asked of its cluster."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cluster.api.client import Client
from cluster.api.messages import AnyRequest, GetMove, MovePackage, Reply
from cluster.clock import HostClock
from cluster.config.schema import Profile
from cluster.lab import lab, ready
from cluster.lab.plan import LabOptions
from cluster.lab.record import LabRecord

ANSWER_S = 60.0
LOOK_S = 0.1


@asynccontextmanager
async def standing_lab(
    *, packages: int = 1, profile: Profile = "lan",
) -> AsyncIterator[tuple[LabRecord, Client]]:
    with tempfile.TemporaryDirectory(prefix="vmsg-bench-") as folder:
        options = LabOptions(dir=f"{folder}/lab", packages=packages, profile=profile)
        record = await lab.up(options)
        if not isinstance(record, LabRecord):
            raise SystemExit(f"{record.what} {record.because} {record.fix}")
        client = await ready.api_client(record.plan)
        assert isinstance(client, Client)
        try:
            yield record, client
        finally:
            client.close()
            failure = await lab.down(record.dir)
            assert failure is None, failure


async def ask(client: Client, request: AnyRequest) -> Any:
    """The result of a request that must be done."""
    reply = await client.ask(request, deadline_s=ANSWER_S)
    assert isinstance(reply, Reply) and reply.verdict == "done", reply
    return reply.result


async def moved(client: Client, package: str, node: str) -> dict[str, Any]:
    """The move's figures, once it has ended well."""
    await ask(client, MovePackage(
        package=package, node=node, request=HostClock().token(), reason="bench"))
    while True:
        move: dict[str, Any] = await ask(client, GetMove(package=package))
        if move["result"] is not None:
            assert move["result"] == "completed", move
            return move
        await asyncio.sleep(LOOK_S)
