"""Answers about the death of a node: who is heard, and an operator's word that one is off."""

from cluster.answers.desk import ENTRY_S, Desk, done, late, preview, refusal
from cluster.api.messages import AskDeath, AskPatience, AskSilence, ConfirmDead, Reply
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from cluster.core.beside import Silence
from cluster.core.model import Proof
from cluster.deaths import against_death
from cluster.raft.problems import no_quorum
from packages.core.problem import Problem, problem
from packages.core.values import changed, plain


async def silence(desk: Desk, _: Caller, ask: AskSilence) -> Reply:
    return done(ask, plain(desk.deaths.silence()))


async def patience(desk: Desk, caller: Caller, ask: AskPatience) -> Reply:
    desk.landlord.be_patient(caller.name)
    return done(ask)


async def confirm_dead(desk: Desk, caller: Caller, ask: ConfirmDead) -> Reply:
    """Carried out by the coordinator, whichever node is asked."""
    if ask.node not in desk.ledger.state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    known = await desk.silence()
    if known is None:
        return refusal(ask, no_quorum(desk.node))
    wish = AskDeath(request=ask.request, node=ask.node, by=caller.name, reason=ask.reason)
    if ask.dry_run:
        refused = against_death(desk.ledger.state, known, ask.node, "operator")
        if refused is not None:
            return refusal(ask, refused)
        shown = preview(desk.ledger.state, ask, _entry(desk, wish, known))
        return changed(shown, problems=(*shown.problems, warning(ask.node)))
    leader = desk.ledger.replica.leader()
    if leader is None or leader not in desk.peers:
        answer: Reply | Problem = await death(desk, caller, wish)
    else:
        answer = await desk.peers[leader].ask(wish, deadline_s=ENTRY_S)
    if isinstance(answer, Problem):
        return late(ask, f"node:{ask.node}", f"Nobody has said what became of {ask.node}.")
    if answer.verdict != "done":
        return changed(answer, number=0, request=ask.request)
    return done(ask, {"node": ask.node, "state": "failed"}, [warning(ask.node)])


async def death(desk: Desk, _: Caller, ask: AskDeath) -> Reply:
    known = desk.deaths.silence()
    if known is None:
        return refusal(ask, no_quorum(desk.node))
    if ask.node not in desk.ledger.state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    state = desk.ledger.state
    before = state.outcomes.get(ask.request)  # asked again, because an answer was lost
    refused = before.problem if before is not None else (
        against_death(state, known, ask.node, "operator")
        or await desk.deaths.declare(_entry(desk, ask, known)))
    return refusal(ask, refused) if refused is not None else done(ask, {"node": ask.node})


def _entry(desk: Desk, ask: AskDeath, known: Silence) -> entries.NodeFailed:
    """Good for this coordinator only: it rests on its not having heard the node."""
    said = f"{ask.by} says that it is off: {ask.reason}"
    return entries.NodeFailed(
        id=ask.request or desk.clock.token(), at_ms=desk.clock.wall_ms(), by=ask.by, because=said,
        node=ask.node, incarnation=desk.ledger.state.nodes[ask.node].incarnation,
        proof=Proof(kind="operator", because=said), term=known.term,
    )


def warning(node: str) -> Problem:
    return problem(
        "operator-word", f"node:{node}", what=f"Nothing but your word says that {node} is off.",
        because="If a guest still runs there, it is now started a second time, and its disks are "
                "ruined.",
        fix=f"See with your own eyes that {node} is off, or cut it off its storage.",
        severity="warn",
    )
