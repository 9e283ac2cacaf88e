"""Answers about the death of a node: who is heard, and an operator's word that one is off."""

from cluster.answers.consent import unconfirmed, with_consequences
from cluster.answers.desk import ENTRY_S, Desk, done, late, preview, refusal
from cluster.api.messages import AskDeath, AskPatience, AskSilence, ConfirmDead, Reply
from cluster.api.roles import Caller
from cluster.core import entries, refusals, words
from cluster.core.beside import Silence
from cluster.core.membership import is_left_alone
from cluster.core.model import Proof, State, may_be_lost, packages_of
from cluster.deaths import against_death
from cluster.raft.problems import no_quorum
from packages.core.problem import Problem
from packages.core.values import changed, plain

WAIT_S = 60.0
"""Longer than the longest lease and its margin, twice over: the coordinator may change meanwhile.
The word waits on when its asker has gone."""


async def silence(desk: Desk, _: Caller, ask: AskSilence) -> Reply:
    return done(ask, plain(desk.deaths.silence()))


async def patience(desk: Desk, caller: Caller, ask: AskPatience) -> Reply:
    desk.landlord.be_patient(caller.name)
    return done(ask)


async def confirm_dead(desk: Desk, caller: Caller, ask: ConfirmDead) -> Reply:
    """Recorded at once, and carried out by the coordinator when the node's lease is over."""
    state = desk.ledger.state
    if ask.node not in state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    before = state.outcomes.get(ask.request)
    if before is not None and not ask.now:  # asked again, to wait for it or for a lost answer
        return refusal(ask, before.problem) if before.problem is not None else (
            await _carried_out(desk, ask))
    known = await desk.silence()
    if known is None:
        return refusal(ask, no_quorum(desk.node))
    refused = against_death(state, known, ask.node, "operator") if before is None else None
    if refused is not None:
        return refusal(ask, refused)
    left_s = known.lease_left_ms.get(ask.node, 0) / 1000
    wish = AskDeath(request=ask.request, node=ask.node, by=caller.name, reason=ask.reason)
    said = desk.entry(
        entries.DeathSaid, caller, ask, node=ask.node,
        incarnation=state.nodes[ask.node].incarnation)
    follows = _follows(state, ask, left_s)
    if ask.dry_run:
        death = _entry(desk, wish, known)
        shown = _preview(desk, ask, *((death,) if ask.now else (said, death)), left_s=left_s)
        return with_consequences(shown, follows) if follows else shown
    stopped = unconfirmed(ask, follows)
    if ask.now:
        return stopped or await _at_once(desk, caller, ask, wish)
    stopped = stopped or await desk.change(ask, said)
    return stopped or await _carried_out(desk, ask, words.warning(ask.node), left_s=left_s)


def _follows(state: State, ask: ConfirmDead, left_s: float) -> list[Problem]:
    """For which the asker has to consent: guests that may run on in spite of every lease."""
    alone = [each.name for each in packages_of(state, ask.node) if is_left_alone(each)]
    return [
        *([words.left_alone(ask.node, alone)] if alone else []),
        *([words.at_once(ask.node, left_s)] if ask.now else []),
    ]


def _preview(desk: Desk, ask: ConfirmDead, *found: entries.Entry, left_s: float) -> Reply:
    shown = preview(desk.ledger.state, ask, *found)
    if shown.verdict != "done":
        return shown
    if ask.now:
        return shown
    first, *rest = shown.result["would"]
    waits = [f"node:{ask.node}: its lease is over in {left_s:.1f} s at the latest; then:"]
    return changed(
        shown, problems=(*shown.problems, words.warning(ask.node)),
        result={"would": [first, *(waits if left_s > 0 else []), *rest], "waits_s": left_s})


async def _carried_out(
    desk: Desk, ask: ConfirmDead, *warnings: Problem, left_s: float | None = None,
) -> Reply:
    """The word is in the record; now, or once it has been carried out or taken back."""

    def is_over(state: State) -> bool:
        return ask.node not in state.nodes or state.nodes[ask.node].word is None

    if not await desk.ledger.until(is_over, deadline_s=WAIT_S if ask.wait else 0.0) and ask.wait:
        return late(ask, f"node:{ask.node}", f"{ask.node} is not called dead yet.")
    state = desk.ledger.state
    node = state.nodes.get(ask.node)
    if node is not None and node.word is None and may_be_lost(state, node, "operator"):
        return refusal(ask, words.taken_back(ask.node))
    if left_s is None and not is_over(state):
        known = await desk.silence()
        left_s = known.lease_left_ms.get(ask.node, 0) / 1000 if known is not None else 0.0
    return done(ask, {
        "node": ask.node, "state": node.state if node is not None else "removed",
        "waits_s": 0.0 if is_over(state) else left_s,
    }, list(warnings))


async def _at_once(desk: Desk, caller: Caller, ask: ConfirmDead, wish: AskDeath) -> Reply:
    """By the coordinator, whichever node is asked."""
    leader = desk.ledger.replica.leader()
    if leader is None or leader not in desk.peers:
        answer: Reply | Problem = await death(desk, caller, wish)
    else:
        answer = await desk.peers[leader].ask(wish, deadline_s=ENTRY_S)
    if isinstance(answer, Problem):
        return late(ask, f"node:{ask.node}", f"Nobody has said what became of {ask.node}.")
    if answer.verdict != "done":
        return changed(answer, number=0, request=ask.request)
    return done(ask, {"node": ask.node, "state": "failed", "waits_s": 0.0})


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
    """At once. Good for this coordinator only: it rests on its not having heard the node."""
    said = f"{ask.by} says that it is off: {ask.reason}"
    return entries.NodeFailed(
        id=ask.request or desk.clock.token(), at_ms=desk.clock.wall_ms(), by=ask.by, because=said,
        node=ask.node, incarnation=desk.ledger.state.nodes[ask.node].incarnation,
        proof=Proof(kind="operator", because=said), term=known.term,
    )
