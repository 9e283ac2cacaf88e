"""Whether a copy goes on, is helped, or is given up: a function of numbers. PURE.

The order is MOVES.md's "give up kindly": wait; raise the downtime limit once, within the
package's budget; throttle the guest; then leave it where it is. Nothing here may stop a guest.
"""

from typing import Literal

from packages.core.values import Value

FIRST_LIMIT_MS = 60
"""The limit a copy starts with: a freeze of 30-100 ms is the aim, and below 180 ms a TCP client
sees no difference, because its lost segment waits 200 ms for retransmission (MOVES.md)."""
FIXED_MS = 15.0
"""Device state, load, flush, acknowledgement and commit; 6-15 ms measured (MOVES.md)."""
PASSES_BEFORE_HELP = 3
"""Passes over the dirty pages after which a copy that has not converged will not by itself."""
THROTTLED_FOR_S = 60.0
"""Auto-converge took up to 24 s for a guest that dirtied faster than the link (MOVES.md)."""


class Numbers(Value):
    """One moment of a copy."""

    elapsed_s: float
    passes: int
    remaining_bytes: int
    bandwidth_bytes_s: float
    dirty_bytes_s: float
    limit_ms: int
    budget_ms: int
    throttled_for_s: float | None = None
    timeout_s: float | None = None


class Advice(Value):
    do: Literal["wait", "raise-limit", "throttle", "give-up"]
    because: str


def advise(numbers: Numbers) -> Advice:
    if numbers.timeout_s is not None and numbers.elapsed_s > numbers.timeout_s:
        return Advice(do="give-up", because=f"the copy took longer than its "
                                            f"{numbers.timeout_s:.0f} s")
    if numbers.passes < PASSES_BEFORE_HELP:
        return Advice(do="wait", because="the first passes are under way")
    if numbers.limit_ms < numbers.budget_ms:
        return Advice(do="raise-limit", because=f"{numbers.passes} passes did not converge within "
                                                f"{numbers.limit_ms} ms")
    if numbers.throttled_for_s is None:
        if numbers.dirty_bytes_s < 0.5 * numbers.bandwidth_bytes_s:
            return Advice(do="wait", because="it converges: the link outruns the guest")
        return Advice(do="throttle", because="the guest dirties memory faster than half of what "
                                             "the link carries")
    if numbers.throttled_for_s > THROTTLED_FOR_S:
        return Advice(do="give-up", because="the guest dirties memory faster than the link "
                                            "carries it, even when slowed down")
    return Advice(do="wait", because="the guest is being slowed down")


def forecast_freeze_ms(remaining_bytes: int, bandwidth_bytes_s: float, limit_ms: int) -> float:
    """What the freeze would be if the switch came now; at most the limit allows more."""
    if bandwidth_bytes_s <= 0:
        return limit_ms + FIXED_MS
    return min(float(limit_ms), 1000 * remaining_bytes / bandwidth_bytes_s) + FIXED_MS


def forecast_total_ms(memory_bytes: int, bandwidth_bytes_s: float, dirty_bytes_s: float) -> float:
    """One pass and the geometric tail of dirtied pages; without end where it cannot converge."""
    if bandwidth_bytes_s <= 0:
        return 0.0
    ratio = min(0.95, dirty_bytes_s / bandwidth_bytes_s)
    return 1000 * memory_bytes / bandwidth_bytes_s / (1 - ratio)
