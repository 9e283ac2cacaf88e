"""What to do after a failure: again on the spot, on another node, or stop.

The order is Serviceguard's (`service_restart`, then the next node of the list, then stop with
switching off; run/halt outcome table, SERVICEGUARD.md A3). PURE.
"""

from typing import Literal

from packages.core.model import PackageSpec
from packages.core.values import Value

WINDOW_MS = 600_000
"""Failures are counted over ten minutes: a guest that fails once a day is restarted for ever, one
that fails again right after its restart goes elsewhere."""


class Remedy(Value):
    choice: Literal["restart", "relocate", "stop"]
    avoid: tuple[str, ...]
    """Nodes it failed on lately, for the next choice."""
    because: str


def recent(failures_ms: tuple[int, ...], now_ms: int) -> tuple[int, ...]:
    return tuple(at for at in failures_ms if now_ms - at < WINDOW_MS)


def after_failure(
    spec: PackageSpec, *, node: str, failures_ms: tuple[int, ...], avoid: tuple[str, ...],
    now_ms: int, started: bool, may_stay: bool, auto_run: bool,
) -> Remedy:
    """Decide for a package whose guest failed on `node` and is known to be gone there.

    `failures_ms` includes this failure; `started` says that the guest had run (a start that fails
    is not tried again on the same node); `may_stay` that the node still takes packages.
    """
    if not auto_run:
        return Remedy(choice="stop", avoid=avoid, because="its switching is off")
    if not may_stay:
        return Remedy(choice="relocate", avoid=avoid, because="its node takes no packages now")
    lately = recent(failures_ms, now_ms)
    if started and len(lately) <= spec.service_restart:
        return Remedy(
            choice="restart", avoid=avoid,
            because=f"restart {len(lately)} of {spec.service_restart} on the spot",
        )
    tried = avoid if len(lately) > 1 else ()
    tried = tried if node in tried else (*tried, node)
    left = [name for name in spec.nodes if name not in tried]
    if not left:
        return Remedy(
            choice="stop", avoid=tried,
            because=f"it has failed on every node of its list ({', '.join(spec.nodes)})",
        )
    return Remedy(choice="relocate", avoid=tried, because=f"it failed on {', '.join(tried)}")
