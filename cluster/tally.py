"""Counts what is refused, and says it while it goes on.

An attack makes as many lines as it likes where each refusal is a line, and none where a refusal is
only counted. So the first of a kind is said at once, and then one line a minute says how many more
there were.

What must never happen here: a line for each refusal; what a stranger sent standing in the log.
"""

import logging
from collections import Counter
from collections.abc import Callable

SAID_EVERY_S = 60.0

MOST_KINDS = 64
"""Of lines: `what` is the product's own words, and `who` a name the connection has proven, so that
few are possible; beyond that only the counter grows."""


class Tally:
    """`counts` is the caller's own counter, by reason; `now_s` a clock that never steps."""

    def __init__(
        self, log: logging.Logger, now_s: Callable[[], float], counts: Counter[str] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._log, self._now_s = log, now_s
        self._said: dict[tuple[str, str], tuple[float, int]] = {}
        """By reason and who: when that was said last, and how many there were since."""

    def refuse(self, reason: str, words: str, *, who: str = "") -> bool:
        """Count one; whether it was said, too. `words` says what was refused and what to do."""
        self.counts[reason] += 1
        key, now_s = (reason, who), self._now_s()
        said_s, since = self._said.get(key, (now_s - SAID_EVERY_S, 0))
        if key not in self._said and len(self._said) >= MOST_KINDS:
            return False
        if now_s - said_s < SAID_EVERY_S:
            self._said[key] = said_s, since + 1
            return False
        self._said[key] = now_s, 0
        more = f" ({since} more since this was said last)" if since else ""
        self._log.warning("%s: %s%s", reason, words, more)
        return True
