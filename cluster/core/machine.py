"""The replicated machine: bytes in, outcomes out; it never raises, and holds the one state.

A rule that fails must never wedge the log: what cannot be decoded or breaks inside a rule is
refused, with the same record on every node, because every node runs the same rule on the same
bytes.
"""

import logging

from cluster.core.apply import apply
from cluster.core.codec import Garbled, decode_entry, decode_state, encode_state
from cluster.core.floor import refused_by_floor
from cluster.core.model import Outcome, State
from cluster.core.outcomes import against, record_outcome
from packages.core.problem import Problem, problem
from packages.core.values import changed

log = logging.getLogger(__name__)


class StateMachine:
    """`state` is replaced by each entry; `outcome` is what `propose` hands to the proposer.

    A replica that comes back within this process applies its log once more from the beginning.
    What others see, `shown`, never goes back meanwhile: nobody may act on the past."""

    def __init__(self) -> None:
        self.state = State()
        self._furthest = self.state
        """Before the last load."""
        self.dumped_bytes = 0
        """What the whole state had when it was last dumped, or loaded; 0: neither was done yet."""

    @property
    def shown(self) -> State:
        return self.state if self.state.applied >= self._furthest.applied else self._furthest

    def apply(self, index: int, command: bytes) -> Outcome:
        try:
            entry = decode_entry(command)
        except Garbled as error:
            self.state = changed(self.state, applied=index)
            return Outcome(entry="", index=index, problem=_bug(f"an entry was unreadable: {error}"))
        unknown = refused_by_floor(self.state, type(entry))
        if unknown is not None:  # an older node cannot read it, and remembers nothing of it
            self.state = changed(self.state, applied=index)
            return Outcome(entry="", index=index, problem=unknown)
        differs = against(self.state, entry) if entry.id in self.state.outcomes else None
        if differs is not None:
            self.state = changed(self.state, applied=index)
            return Outcome(entry=entry.id, index=index, problem=differs)
        try:
            self.state = apply(self.state, index, entry)
        except Exception as error:  # the log must go on: a rule's bug refuses its entry alone
            log.exception("a rule failed on entry %s", entry.id)
            refused = _bug(f"the rule for this entry failed: {type(error).__name__}")
            self.state = record_outcome(self.state, index, entry, refused)
        return self.state.outcomes.get(entry.id) or Outcome(entry=entry.id, index=index)

    def dump(self) -> bytes:
        dumped = encode_state(self.state)
        self.dumped_bytes = len(dumped)
        return dumped

    def load(self, snapshot: bytes) -> None:
        self._furthest = self.shown
        self.state = decode_state(snapshot)
        self.dumped_bytes = len(snapshot)


def _bug(because: str) -> Problem:
    return problem(
        "internal-error", "cluster", what="The change was refused by a fault in the product.",
        because=because, fix="Report it with the daemon's log; nothing was changed.",
    )
