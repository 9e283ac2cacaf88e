"""What was tried at this node's doors and refused: counted, shown, and in the history.

Strangers and garbage are only counted: anybody may make as many as they like. A request that a key
of the list may not make is another thing: whoever holds that key has tried to go further, and that
stands in the record, with who and from where, once a minute for each caller.

What must never happen here: entries as fast as requests; what a caller wrote in the record.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from cluster.api.roles import Caller
from cluster.clock import Clock
from cluster.core import entries
from cluster.ledger import Ledger
from cluster.tally import EveryMinute, Tally

log = logging.getLogger("vmsg.doors")

SEEN = frozenset({
    "unknown-key", "no-handshake", "key-struck-off", "frames", "undecodable", "not-authorised",
    "unread", "stranger", "two-leaders", "entry-of-a-later-term", "regressed-by-no-leader",
    "another-is-heard-as-us", "snapshot-refused", "unacceptable-command", "vote-without-right",
    "second-vote", "half-sent", "too-many-connections", "answers-not-fetched",
})
"""Of what the doors count: what no honest peer or caller does. The rest is late, lost or slow."""

BEYOND = "-beyond-reason"
ENTRY_S = 10.0
MOST_CALLERS = 64
"""At a time whose refusals go to the record; each has a key of the list."""


class Vigil:
    """`doors`: by name, what gives a door's counters."""

    def __init__(self, *, node: str, ledger: Ledger, clock: Clock) -> None:
        self._node, self._ledger, self._clock = node, ledger, clock
        self.doors: dict[str, Callable[[], Mapping[str, int]]] = {}
        self._tally = Tally(log, clock.boottime_s)
        self._told = EveryMinute()
        """The record, by caller."""
        self._telling: set[asyncio.Task[object]] = set()

    def counts(self) -> dict[str, dict[str, int]]:
        """By door and reason, since this daemon started; what is 0 is left out."""
        found = {
            door: {
                reason: count for reason, count in sorted(counters().items())
                if count and (reason in SEEN or reason.endswith(BEYOND))
            } for door, counters in sorted(self.doors.items())
        }
        return {door: reasons for door, reasons in found.items() if reasons}

    def refused(self, caller: Caller, asked: str, address: str) -> None:
        """A caller may not ask this; `asked` is the kind of the request, of ours."""
        whose = "an invitation" if caller.invitation else caller.role
        self._tally.refuse("not-authorised", (
            f"{caller.name} ({whose}) at {address or 'this host'} asked for {asked}"),
            who=caller.name)
        since = self._told.due(
            caller.name, self._clock.boottime_s(), may_say=len(self._telling) < MOST_CALLERS)
        if since is None:
            return
        task = asyncio.ensure_future(self._ledger.say(
            entries.RequestRefused, f"{caller.name} is {whose}", deadline_s=ENTRY_S,
            caller=caller.name, asked=asked, address=address, more=since))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def close(self) -> None:
        for each in self._telling:
            each.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)


def together(*counters: Mapping[str, int]) -> Counter[str]:
    """What a door with several counters counts."""
    total: Counter[str] = Counter()
    for each in counters:
        total.update(each)
    return total
