"""The events that the record keeps: the newest, by number and by what they weigh. PURE.

Whatever is in the record travels in its snapshot, to every node that fell behind, and `vmsg events`
prints it. So the history is bounded by what matters there, which is bytes, and what goes into it is
cut before it is agreed upon. A record that grows all the same is said to, long before the largest
snapshot that can be sent.

What must never happen here: a history that differs from node to node.
"""

from collections.abc import Iterable

from cluster.core.entry import Entry
from cluster.core.floor import V0_2, floor_allows
from cluster.core.model import Event, State
from packages.core.problem import Problem, problem
from packages.core.values import changed

EVENTS_KEPT, EVENTS_WEIGHT = 5000, 4 << 20
"""At the most, and characters that they may have together: three times what is usual for so many.
Older history is in the daemon's log."""

LONGEST = 1000
"""Characters of a reason, whoever gives it: an operator's words have 500 (cluster/api/bounds.py),
what a program said of its failure has a few lines."""

LARGE_STATE_BYTES, LARGEST_STATE_BYTES = 24 << 20, 1 << 30
"""From where on an operator hears of it, and what can be sent even where it cannot be deflated
(cluster/raft/snapshot.py). 5,000 packages with a full history have 8 MB."""


def weight(event: Event) -> int:
    """Its characters, and a bit for the rest."""
    texts = (event.subject, event.what, event.before, event.after, event.because, event.by,
             event.request, event.via, event.proof.because if event.proof is not None else "")
    return 64 + sum(map(len, texts))


def with_events(state: State, told: Iterable[Event]) -> State:
    """The oldest go. By weight only where every node weighs them."""
    events, number, size = state.events, state.next_event, state.events_weight
    for event in told:
        events, size = events.set(number, event), size + weight(event)
        number += 1
    most = EVENTS_WEIGHT if floor_allows(state, V0_2) else None
    oldest = number - len(events)
    while len(events) > EVENTS_KEPT or most is not None and size > most and len(events) > 1:
        size -= weight(events[oldest])
        events, oldest = events.delete(oldest), oldest + 1
    return changed(state, events=events, next_event=number, events_weight=size)


def shortened(entry: Entry) -> Entry:
    """As it is proposed: with reasons of a length that anybody reads."""
    cut: dict[str, object] = {}
    if len(entry.because) > LONGEST:
        cut["because"] = _cut(entry.because)
    for name in entry.__struct_fields__:
        held = getattr(entry, name)
        if isinstance(held, Problem):
            cut[name] = _shorter(held)
    return changed(entry, **cut) if cut else entry


def _shorter(told: Problem) -> Problem:
    return changed(told, what=_cut(told.what), because=_cut(told.because), fix=_cut(told.fix))


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST - 3]}..."


def against_growth(size: int) -> Problem | None:
    """What an operator hears of a record of so many bytes."""
    if size < LARGE_STATE_BYTES:
        return None
    return problem(
        "record-large", "cluster", severity="warn",
        what=f"The record has grown to {size >> 20} MiB.",
        because="Every node holds it in memory, writes it to disk now and then, and is sent all of "
                "it when it was down for long; beyond "
                f"{LARGEST_STATE_BYTES >> 20} MiB that is no longer possible.",
        fix="Delete packages that are not needed any more, and shorten the cluster file.",
    )
