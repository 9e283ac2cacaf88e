"""Asks the hypervisor what the guest is doing: anything but running is a failure, each its own.

QEMU's own word for a guest that spins for ever is `running`: only a check from outside finds that.
"""

from packages.core.problem import Problem, problem
from packages.vm.driver import Driver, Guest, Observation, RunState

FINDINGS: dict[RunState, tuple[str, str, str]] = {
    "io-error": (
        "guest-io-error", "the guest stands still after an error of its storage",
        "check the paths to the package's disks on this node",
    ),
    "panicked": (
        "guest-panicked", "the guest's kernel panicked", "see the guest's console and crash dump",
    ),
    "watchdog": (
        "guest-watchdog", "the guest's watchdog ran out", "see the guest's own log",
    ),
    "suspended": (
        "guest-not-running", "the guest has suspended itself",
        "switch suspending off in the guest",
    ),
    "unanswered": (
        "guest-unanswered", "QEMU lives, but does not answer",
        "see whether its storage or this host hangs",
    ),
    "gone": ("guest-gone", "QEMU is gone", "see QEMU's log of this package"),
    "shutdown": (
        "guest-powered-off", "the guest powered itself off",
        "run the package again if that was not meant",
    ),
}
"""Run state -> code, what, fix. Every other state but `running` is `guest-not-running`."""


class QemuState:
    def __init__(self, driver: Driver, guest: Guest) -> None:
        self._driver = driver
        self._guest = guest

    async def check(self, *, timeout_s: float) -> Problem | None:
        seen = await self._driver.observe(self._guest, deadline_s=timeout_s)
        return None if seen.state == "running" else finding(self._guest.package, seen)


def finding(package: str, seen: Observation) -> Problem:
    """A state other than running, as a Problem. A guest that powered itself off was stopped by
    its user, whether its process still stands or not: another thing than one that died."""
    state: RunState = seen.state
    if state == "gone" and seen.exit is not None and seen.exit.powered_off:
        state = "shutdown"
    because = f"QEMU's run state is {seen.state}" + (f": {seen.exit.because}" if seen.exit else "")
    code, what, fix = FINDINGS.get(state, (
        "guest-not-running", "the guest's processors are stopped",
        "continue it, or see who paused it",
    ))
    return problem(code, f"package:{package}", what=what, because=because, fix=fix)
