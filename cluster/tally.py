"""Counts what is refused, and says it while it goes on.

An attack makes as many lines as it likes where each refusal is a line, and none where a refusal is
only counted. So the first of a kind is said at once, and then one line a minute says how many more
there were.

What must never happen here: a line for each refusal; what a stranger sent standing in the log.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable

SAID_EVERY_S = 60.0

MOST_KINDS = 64
"""Of lines: `what` is the product's own words, and `who` a name the connection has proven, so that
few are possible; beyond that only the counter grows."""


class EveryMinute:
    """Whether it is time to say a thing again, and how often it happened since it was said."""

    def __init__(self) -> None:
        self._said: dict[Hashable, tuple[float, int]] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._said

    def __len__(self) -> int:
        return len(self._said)

    def due(self, key: Hashable, now_s: float, *, may_say: bool = True) -> int | None:
        """How many more there were since, if it is said now; None: it is only counted."""
        said_s, since = self._said.get(key, (now_s - SAID_EVERY_S, 0))
        is_due = may_say and now_s - said_s >= SAID_EVERY_S
        self._said[key] = (now_s, 0) if is_due else (said_s, since + 1)
        return since if is_due else None


class Tally:
    """`counts` is the caller's own counter, by reason; `now_s` a clock that never steps."""

    def __init__(
        self, log: logging.Logger, now_s: Callable[[], float], counts: Counter[str] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._log, self._now_s = log, now_s
        self._said = EveryMinute()
        """By reason and who."""

    def refuse(self, reason: str, words: str, *, who: str = "") -> bool:
        """Count one; whether it was said, too. `words` says what was refused and what to do."""
        self.counts[reason] += 1
        key = reason, who
        if key not in self._said and len(self._said) >= MOST_KINDS:
            return False
        since = self._said.due(key, self._now_s())
        if since is None:
            return False
        more = f" ({since} more since this was said last)" if since else ""
        self._log.warning("%s: %s%s", reason, words, more)
        return True
