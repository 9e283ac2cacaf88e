"""Answers to other nodes: leases, facts, soft numbers, readiness for a move."""

from cluster.answers.desk import Desk, done
from cluster.api.messages import AskFacts, AskLease, AskProgress, AskReady, Reply
from cluster.api.roles import Caller
from packages.core.values import plain


async def lease(desk: Desk, caller: Caller, ask: AskLease) -> Reply:
    remaining_s = desk.landlord.grant(caller.name, ask.incarnation)
    return done(ask, {
        "number": ask.number, "remaining_s": remaining_s,
        "leader": desk.ledger.replica.leader(),
    })


async def facts(desk: Desk, _: Caller, ask: AskFacts) -> Reply:
    return done(ask, plain(await desk.survey.here(ask.disks, ask.package)))


async def progress(desk: Desk, _: Caller, ask: AskProgress) -> Reply:
    return done(ask, desk.soft(ask.package))


async def ready(desk: Desk, _: Caller, ask: AskReady) -> Reply:
    """Whether this node's agent holds a waiting guest for this move."""
    agent = desk.worker.agents.get(ask.package)
    if agent is None or agent.body.guest is None:
        return done(ask, {"ready": False})
    seen = await agent.around.driver.observe(agent.body.guest)
    waits = seen.state in ("incoming", "paused", "prelaunch")
    return done(ask, {"ready": waits})
