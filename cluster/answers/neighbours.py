"""Answers to other nodes: leases, facts, soft numbers, readiness for a move."""

import asyncio
from contextlib import suppress

from cluster.answers.desk import Desk, done
from cluster.api.messages import AskEcho, AskFacts, AskLease, AskProgress, AskReady, AskRoom, Reply
from cluster.api.roles import Caller
from cluster.nodes.skew import stamped
from packages.arrival import arrived_as
from packages.core.standing import FIT_TO_RUN
from packages.core.values import plain

GUEST_S = 0.3
"""For a guest that is being made: less than whoever asks waits for the answer."""


async def lease(desk: Desk, caller: Caller, ask: AskLease) -> Reply:
    replica = desk.ledger.replica
    leader = replica.leader()
    if ask.relay and leader is not None and leader in desk.peers and leader != caller.name:
        passed_on = AskLease(
            number=ask.number, incarnation=ask.incarnation, for_node=caller.name,
            hears=tuple(sorted(replica.present())), narrow=ask.narrow,
            is_guarded=ask.is_guarded)
        answer = await desk.peers[leader].ask(
            passed_on, deadline_s=desk.landlord.numbers.suspect_s)
        # As it came; nothing that this node knows may make it longer.
        return answer if isinstance(answer, Reply) else done(ask, {"number": ask.number})
    if ask.for_node:
        desk.landlord.links.relayed(ask.for_node, caller.name, ask.hears)
    else:
        desk.landlord.links.heard_itself(caller.name)
    desk.landlord.links.narrow[ask.for_node or caller.name] = ask.narrow
    remaining_s = desk.landlord.grant(
        ask.for_node or caller.name, ask.incarnation, is_guarded=ask.is_guarded)
    return done(ask, {
        "number": ask.number, "remaining_s": remaining_s,
        "leader": desk.ledger.replica.leader(), "numbers": plain(desk.landlord.numbers),
    })


async def echo(_: Desk, __: Caller, ask: AskEcho) -> Reply:
    """It has arrived: that is all there is to say."""
    return done(ask)


async def facts(desk: Desk, _: Caller, ask: AskFacts) -> Reply:
    answer = await desk.survey.here(ask.disks, ask.package, ask.fences, ask.packages, ask.wanted)
    return done(ask, plain(answer))


async def room(desk: Desk, _: Caller, ask: AskRoom) -> Reply:
    return done(ask, [plain(each) for each in desk.rooms.own()])


async def progress(desk: Desk, _: Caller, ask: AskProgress) -> Reply:
    return stamped(done(ask, desk.soft(ask.package)), desk.clock)


async def ready(desk: Desk, _: Caller, ask: AskReady) -> Reply:
    """Whether this node's agent holds a waiting guest for this move. Its hypervisor is asked only
    when it must have loaded: before that it may be loading, inside the freeze, and the source hears
    of its end by itself."""
    agent = desk.worker.agents.get(ask.package)
    if agent is None:
        return done(ask, {"ready": False})
    with suppress(TimeoutError):
        async with asyncio.timeout(GUEST_S):
            await agent.body.waits.wait()
    ready = agent.body.waits.is_set() and agent.body.guest is not None
    if not ready or not ask.loaded:
        return done(ask, {"ready": ready})
    state = await arrived_as(agent.around, agent.body, patience_s=GUEST_S)
    return done(ask, {"ready": state in FIT_TO_RUN, "state": state})
