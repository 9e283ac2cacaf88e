"""What came of an entry, for proposers that never heard it: applied twice is applied once. PURE.

Outcomes are kept for a time and not for a number of entries: a proposer's patience is a time. Were
more entries to come within it than can be kept, the oldest go early, and an entry that was made
before the newest forgotten one is refused: nobody can know any more whether it was applied.

What must never happen here: an entry applied a second time; one id standing for two orders.
"""

import hashlib

from cluster.core.entry import Entry
from cluster.core.model import Outcome, State
from packages.core.problem import Problem, problem
from packages.core.values import changed, to_msgpack

KEPT_MS = 300_000
"""Of the cluster's time: ten times what the API waits, and more than any command retries for."""
KEPT_BEFORE = 4096
"""By number, as all were before 0.2.0: of entries without the cluster's time, which are all while a
node of before takes part (floor.py)."""
MOST = 131_072
"""About 15 MB of snapshot; 437 entries a second for the whole time."""
FORGET = 4
"""At most, with each entry: its work stays the same however many are due."""
SAID = (
    "package", "node", "enabled", "on", "target", "move", "force", "detach", "epoch", "spec",
    "name", "key",
)
"""What makes an order another one. The rest is drawn or reckoned anew when it is asked for again:
times, the name of a life, where placement puts it."""
DRAWN = {"package-assigned": ("node",), "operator-added": ("key",)}


def said(entry: Entry) -> str:
    """What the entry orders, in a few characters."""
    kind = str(type(entry).__struct_config__.tag)
    fields = [
        getattr(entry, name, None) for name in SAID if name not in DRAWN.get(kind, ())]
    return hashlib.sha256(to_msgpack([kind, *fields])).hexdigest()[:16]


def against(state: State, entry: Entry) -> Problem | None:
    """Why the entry is neither applied nor the one that was applied under its id."""
    before = state.outcomes.get(entry.id)
    if before is not None:
        is_same = not before.said or before.said == said(entry)
        return None if is_same else _differs(entry)
    return _forgotten(entry) if 0 < entry.seen < state.forgotten else None


def record_outcome(
    state: State, index: int, entry: Entry, refused: Problem | None, *, most: int = MOST,
) -> State:
    """Remember what came of an entry; what is older than anybody's patience is forgotten."""
    outcomes = state.outcomes.set(entry.id, Outcome(
        entry=entry.id, index=index, problem=refused,
        at_ms=state.time_ms if entry.time_ms else 0, said=said(entry)))
    outcome_at = state.outcome_at.set(index, entry.id)
    forgotten = state.forgotten or min(outcome_at) - 1
    for _ in range(FORGET):
        old = outcome_at.get(forgotten + 1)
        if old is None:
            if forgotten + 1 >= index:
                break
        elif len(outcome_at) <= most and _is_wanted(outcomes[old], state, index):
            break
        else:
            outcome_at, outcomes = outcome_at.delete(forgotten + 1), outcomes.delete(old)
        forgotten += 1
    return changed(
        state, applied=index, outcomes=outcomes, outcome_at=outcome_at, forgotten=forgotten)


def _is_wanted(outcome: Outcome, state: State, index: int) -> bool:
    if not outcome.at_ms:
        return outcome.index > index - KEPT_BEFORE
    return outcome.at_ms + KEPT_MS >= state.time_ms


def _differs(entry: Entry) -> Problem:
    return problem(
        "request-differs", f"request:{entry.id}", what="The order is not carried out.",
        because="Another order was carried out, or refused, under the same id.",
        fix="Give each order an id of its own; vmsg does so by itself where none is given.",
    )


def _forgotten(entry: Entry) -> Problem:
    return problem(
        "request-forgotten", f"request:{entry.id}", what="The order came too late.",
        because="It was made so long ago that nobody knows any more whether it was carried out.",
        fix="See what is so now (vmsg status), then order what is still wanted.",
    )
