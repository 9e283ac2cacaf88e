"""The time that the cluster itself agrees upon: what durations are counted by. PURE.

No wall clock decides anything: it steps, and no two hosts' agree. The first entry sets the
cluster's time; from then on each proposer stamps its entries with its own reckoning: the time that
the record told last, and what its own clock that never steps has counted since. The record takes
the furthest. So hours in which nobody says anything are counted by whoever was up, a leader's
successor goes on from what was told, and a daemon that forgot its reckoning is behind and never
ahead: a hold may last longer for it, none ends early.

`at_ms` of an entry stays the wall clock's, for people and for the history alone.
"""

from collections.abc import Iterator

from cluster.core.entry import Entry
from cluster.core.floor import V0_2, floor_allows
from cluster.core.model import State
from packages.core.failover import WINDOW_MS
from packages.core.values import changed

TELL_MS = 60_000
"""While something waits for its end the time is told this often: what all daemons could forget."""


def on(state: State, entry: Entry) -> State:
    """The state at the entry's time. One without a stamp, of an earlier version of the product,
    counts by its proposer's wall clock until the first that has one; while one of those takes part,
    that alone is the time, as it has it."""
    if not floor_allows(state, V0_2):
        return changed(state, time_ms=entry.at_ms)
    if not entry.time_ms and state.is_timed:
        return state
    time_ms = max(state.time_ms, entry.time_ms or entry.at_ms)
    return changed(state, time_ms=time_ms, is_timed=state.is_timed or entry.time_ms > 0)


def after(state: State, entry: Entry, until_ms: int | None) -> int | None:
    """An end that the proposer's wall clock gave, in the cluster's time: both of the entry's times
    are of one clock and one moment, so only what lies between them counts."""
    if not floor_allows(state, V0_2):
        return until_ms
    return None if until_ms is None else state.time_ms + max(0, until_ms - entry.at_ms)


def ends(state: State) -> Iterator[int]:
    """When what the record counts is over."""
    for record in state.packages.values():
        yield from (hold.until_ms for hold in record.holds if hold.until_ms is not None)
        yield from (at_ms + WINDOW_MS for at_ms in record.failures_ms[-1:])
        yield from (each.at_ms + WINDOW_MS for each in record.shortages)
    for node in state.nodes.values():
        if node.quarantined_until_ms is not None:
            yield node.quarantined_until_ms


def is_to_be_told(state: State, time_ms: int) -> bool:
    """Whether so much has passed unsaid that somebody's start would lengthen what is counted."""
    return time_ms - state.time_ms >= TELL_MS and any(each > state.time_ms for each in ends(state))
