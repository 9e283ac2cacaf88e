"""Follows the policy's advice to help a copy along (packages/core/move_policy.py)."""

from cluster.clock import Clock
from packages.core.model import PackageSpec
from packages.core.move_policy import FIRST_LIMIT_MS, Advice, Numbers, advise
from packages.vm.driver import Driver, Guest, Progress


class Convergence:
    """What has been tried for one copy so far. Nothing here stops a guest."""

    def __init__(self, spec: PackageSpec, guest: Guest, driver: Driver, clock: Clock) -> None:
        self.limit_ms = min(FIRST_LIMIT_MS, spec.freeze_budget_ms)
        self._spec, self._guest, self._driver, self._clock = spec, guest, driver, clock
        self._throttled_at_s: float | None = None

    @property
    def ceiling_bytes_s(self) -> int | None:
        """What the copy may take of the link; None: all of it."""
        ceiling_mib_s = self._spec.migration_bandwidth_mib_s
        return ceiling_mib_s * 1024 * 1024 if ceiling_mib_s else None

    async def help(self, numbers: Progress, *, elapsed_s: float) -> Advice:
        """The policy's advice, followed already unless it is to give up."""
        now_s, since_s = self._clock.boottime_s(), self._throttled_at_s
        advice = advise(Numbers(
            elapsed_s=elapsed_s, passes=numbers.iterations,
            remaining_bytes=numbers.remaining_bytes, bandwidth_bytes_s=numbers.bandwidth_bytes_s,
            dirty_bytes_s=numbers.dirty_bytes_s, limit_ms=self.limit_ms,
            budget_ms=self._spec.freeze_budget_ms,
            throttled_for_s=now_s - since_s if since_s is not None else None,
            timeout_s=self._spec.phase_timeouts.copy_s,
        ))
        if advice.do == "raise-limit":
            self.limit_ms = self._spec.freeze_budget_ms
            await self._driver.tune(self._guest, downtime_limit_ms=self.limit_ms)
        elif advice.do == "throttle":
            self._throttled_at_s = now_s
            await self._driver.tune(self._guest, throttle=True)
        return advice
