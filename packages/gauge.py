"""What a move took so far, and what it will take: for the record at its end, for people meanwhile.

Percent never runs backwards, although the guest dirties pages while they are copied (P27).
"""

from typing import Any

from cluster.core.model import Figures
from packages.core.move_policy import forecast_freeze_ms, forecast_total_ms
from packages.core.values import changed
from packages.vm.driver import Progress

PHASES = {
    "land": "init", "send": "init", "copy": "copy", "quiesce": "io_quiesce", "complete": "frozen",
    "commit": "frozen",
}


class Gauge:
    """One move's numbers; all times are wall clock milliseconds of the source."""

    def __init__(self, move: str, *, opened_at_ms: int) -> None:
        self.figures = Figures()
        self.copy_began_ms = float(opened_at_ms)
        self._move, self._opened_at_ms = move, opened_at_ms
        self._percent = 0.0
        self._last: Progress | None = None

    def take(self, numbers: Progress, *, limit_ms: int) -> None:
        """One moment's numbers of the copy."""
        total = max(1, numbers.total_bytes)
        done = 100.0 * (total - min(total, numbers.remaining_bytes)) / total
        self._percent = min(99.0, max(self._percent, done))
        self._last = numbers
        self.figures = changed(
            self.figures,
            transferred_bytes=max(self.figures.transferred_bytes, numbers.transferred_bytes),
            forecast_total_ms=forecast_total_ms(
                total, numbers.bandwidth_bytes_s, numbers.dirty_bytes_s),
            forecast_freeze_ms=forecast_freeze_ms(
                numbers.remaining_bytes, numbers.bandwidth_bytes_s, limit_ms),
        )

    def phases(self, *, stopped_ms: float, switched_ms: float) -> Figures:
        """The figures as the source knows them when it has sent everything."""
        began = self.copy_began_ms
        return changed(
            self.figures, init_ms=max(0.0, began - self._opened_at_ms),
            copy_ms=max(0.0, stopped_ms - began),
            io_quiesce_ms=max(0.0, switched_ms - stopped_ms),
        )

    def shown(self, step: str, *, now_ms: int, stopped_ms: float | None) -> dict[str, Any]:
        """Soft numbers for whoever asks; the contract's names."""
        last = self._last
        return {
            "id": self._move, "phase": PHASES.get(step, "copy"),
            "percent": round(self._percent, 1), "total_ms": now_ms - self._opened_at_ms,
            "freeze_ms": max(0.0, now_ms - stopped_ms) if stopped_ms is not None else 0.0,
            "transferred_bytes": self.figures.transferred_bytes,
            "forecast": {"total_ms": round(self.figures.forecast_total_ms, 1),
                         "freeze_ms": round(self.figures.forecast_freeze_ms, 1)},
            "remaining_bytes": last.remaining_bytes if last else None,
            "dirty_bytes_s": last.dirty_bytes_s if last else None,
            "bandwidth_bytes_s": last.bandwidth_bytes_s if last else None,
        }
