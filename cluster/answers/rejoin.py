"""The others' side of `vmsg node rejoin`: whether they can do without what the node has lost."""

from cluster.answers.desk import Desk, done, refusal
from cluster.api.messages import RejoinNode, Reply
from cluster.api.roles import Caller
from cluster.core import entries, refusals
from packages.core.problem import Problem, problem

BOOTS_A_SECOND = 1 << 22
"""The count of boots goes on from the clock, far above any a node counted by itself, also where
those who knew the count are down."""


async def rejoin(desk: Desk, caller: Caller, ask: RejoinNode) -> Reply:
    """The entry that is agreed upon without the node is the proof, and what the node waits for
    (cluster/raft/amnesia.py); its asker holds the lock of the node's folder."""
    if ask.node not in desk.ledger.state.nodes:
        return refusal(ask, refusals.unknown_node(ask.node))
    if ask.node == desk.node:
        return refusal(ask, _unsafe(ask.node, "Its own daemon answered: it runs."))
    entry = desk.entry(entries.NodeRejoining, caller, ask, node=ask.node)
    stopped = await desk.change(ask, entry)
    if stopped is not None:
        if stopped.verdict not in ("no-quorum", "timed-out"):
            return stopped
        # It may yet be agreed upon, which does no harm: nobody waits for it.
        return refusal(ask, _unsafe(
            ask.node, "The others have no majority without it, and agreed upon nothing."))
    boot = max(
        desk.ledger.replica.known_boot(ask.node) + 1,
        desk.clock.wall_ms() // 1000 * BOOTS_A_SECOND,
    )
    return done(ask, {
        "node": ask.node, "index": desk.ledger.state.outcomes[entry.id].index, "boot": boot})


def _unsafe(node: str, because: str) -> Problem:
    return problem(
        "rejoin-unsafe", f"node:{node}", what=f"Node {node} must not begin again now.",
        because=f"{because} What {node} has lost may be the last copy but one.",
        fix="Start more of the other nodes, until vmsg status on them shows a quorum; then try "
            "again.",
    )
