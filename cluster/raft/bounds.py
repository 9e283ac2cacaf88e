"""How far beyond what is known here a message may reach: one node's key is not the cluster's end.

A node follows whoever says a higher term, and its term is on disk: one message with the highest
number there is would leave no term to be elected in, on every node it reached, for good. An
election raises the term by one, so a term far above one's own is no election's. It is dropped, in
whatever kind of message it stands, and said.

It may rise by others' words by so much at once and by so much a second, and no more: else one
node could lead two honest ones so far apart, in steps that are each within reason, that neither
hears the other. Whoever has heard no leader for a while lets what it did not use add up, and so
comes to where the others were led, in no more time than that took.

Whose own term is the odd one (a node put back from its rejoin, or all others were raised by a
release that followed any term) sees the high term said by more than one: what a majority of the
members says in their own names is not one bad node's word, and counts like one's own. A cluster of
two has no such majority.

Indexes cannot be held as close: a node that was away for a month is honestly millions of entries
behind. What cannot be honest is a log nobody could have filled.

What must never happen here: a number taken over from one node that leaves no room above it; an
honest node kept out because it was away.
"""

from collections.abc import Collection

from cluster.raft.wire import Append, Body, Install, Introduction

TERMS_AHEAD = 1 << 20
"""An election a second for twelve days, all of them missed by this node; and what a term may rise
by in a second."""

QUIET_S = 30.0
"""Without a leader: long after an election would have given one."""

INDEXES_AHEAD = 1 << 40
"""A thousand entries a second for 35 years."""

NEWER_BY = 1 << 20
"""Entries that a snapshot may hold beyond what its message says: agreed upon while it was sent."""

TERM_FIELDS = ("term", "previous_term", "last_term")
INDEX_FIELDS = (
    "commit_index", "previous_index", "last_index", "next_index", "index", "members_index")


class Terms:
    """What the others say their terms are, and how far this node's own may yet rise by that:
    `members` are all who belong, this node included."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}
        self._seen: tuple[int, float, float] | None = None
        """The own term when it was looked at last, when that was, and when first."""
        self._left = float(TERMS_AHEAD)

    def highest(
        self, own: int, members: Collection[str], *, now_s: float, heard_at_s: float,
    ) -> int:
        """That may be followed now. `heard_at_s`: when a leader was known last."""
        seen, at_s, began_s = self._seen or (own, now_s, now_s)
        self._left = max(0.0, self._left - (own - seen)) + TERMS_AHEAD * (now_s - at_s)
        if now_s - max(heard_at_s, began_s) < QUIET_S:
            self._left = min(self._left, TERMS_AHEAD)
        self._seen = own, now_s, began_s
        return max(own, self.of_majority(members)) + int(self._left)

    def heard(self, peer: str, term: int) -> None:
        self._said[peer] = term

    def of_majority(self, members: Collection[str]) -> int:
        """The highest term that so many of the others are in as make a majority of all; 0 when
        there are not so many."""
        said = sorted((self._said.get(name, 0) for name in members), reverse=True)
        needed = len(members) // 2 + 1
        return said[needed - 1] if len(said) >= needed else 0


def beyond_reason(body: Body, *, term: int, highest: int, last_index: int) -> str | None:
    """Why a message is dropped whose sender says it is in `term`; None: it may be looked at."""
    highest_index, highest_term = _of_entries(body)
    if max(term, highest_term, *_numbers(body, TERM_FIELDS)) > highest:
        return "term-beyond-reason"
    if max(highest_index, *_numbers(body, INDEX_FIELDS)) > last_index + INDEXES_AHEAD:
        return "index-beyond-reason"
    return None


def _numbers(body: Body, names: tuple[str, ...]) -> list[int]:
    found = (getattr(body, name, None) for name in names)
    return [0, *(each for each in found if each is not None)]


def _of_entries(body: Body) -> tuple[int, int]:
    """The highest index and the highest term among the entries."""
    entries = body.entries if isinstance(body, Append) else []
    return (
        max((index for _, index, _ in entries), default=0),
        max((term for _, _, term in entries), default=0))


def is_other_snapshot(body: Install, last_index: int, last_term: int) -> bool:
    """Whether the snapshot is not the one that its message speaks of, which is what was judged."""
    newer_by = last_index - body.last_index
    return last_term > body.term or not 0 <= newer_by <= NEWER_BY


def is_believable(said: Introduction, *, last_index: int) -> bool:
    return said.members_index <= last_index + INDEXES_AHEAD
