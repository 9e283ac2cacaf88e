"""Why a guest's vCPUs stand, and how long they may in a switch. PURE.

A STOP is told for many reasons, and only one of them is our own switch: the run state says which.
What must never happen: a guest that stands for a failure of its own sent on, continued elsewhere
and called running.
"""

from typing import Literal

Standing = Literal["runs", "switch", "ill", "ended", "unknown"]

STANDS: dict[str, Standing] = {
    "running": "runs",
    "switchover": "switch",
    # Everything sent: only our own switch comes so far.
    "postmigrate": "switch",
    "gone": "ended",
    "shutdown": "ended",
    "unanswered": "unknown",
}
"""Run state of a source -> why it stands. Every other state is a failure, handled as without a
move: storage, panic, watchdog, the guest's own suspension, somebody's `stop`."""

TELLS_OF_FAILURE = frozenset({"io-error", "panicked", "watchdog", "suspended"})
"""Events that say so before the run state is asked; each is named as the state that follows."""

ARRIVED_ILL = TELLS_OF_FAILURE
"""Run states of a loaded target whose source stood for a failure of its own."""

FIT_TO_RUN = frozenset({"paused", "running"})
"""Run states of a loaded target that may be let run. QEMU carries the state over that its source
stood in: one that panicked arrives as panicked, and would go on like that."""

BUDGETS = 5
"""An honest switch takes up to twice its forecast (QEMU's own, with compression; MOVES.md), and a
package that gives its guest more time than usual means it."""
LEAST_STAND_S = 2.0
"""Two rounds of the record at 0.6 s, which a switch waits for, and a starved host's stall of half a
second: below this, honest switches would be called off."""


def standing(state: str) -> Standing:
    return STANDS.get(state, "ill")


def target_word(answer: object) -> str:
    """What a target's answer to AskReady says of its copy: `ready`, `silent`, or one of
    `ARRIVED_ILL`."""
    if not isinstance(answer, dict):
        return "silent"
    state = str(answer.get("state"))
    return "ready" if answer.get("ready") is True else (
        state if state in ARRIVED_ILL else "silent")


def stood_ill(state: str, migration: str) -> bool:
    """A source that QEMU leaves in `postmigrate` although nothing was completed: its guest was
    standing before the switch, or QEMU would have let it run on by itself."""
    return state == "postmigrate" and migration in ("cancelled", "failed")


def longest_stand_s(budget_ms: int, *, io_quiesce_s: float, frozen_s: float) -> float:
    """After so long the switch is called off, and the source goes on: a target that hangs is not
    worth the phase's whole time."""
    return min(io_quiesce_s + frozen_s, max(BUDGETS * budget_ms / 1000, LEAST_STAND_S))
