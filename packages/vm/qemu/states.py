"""QEMU's words in ours: run states, migration states, events. Tables only; seen on QEMU 7.2.

A state QEMU may grow later must never read as healthy: what is not in a table is not "running".
"""

from typing import Any

from packages.vm.driver import GuestEvent, MigrationState, Progress, RunState
from packages.vm.qemu.monitor import MonitorEvent

RUN_STATES: dict[str, RunState] = {
    "running": "running",
    "paused": "paused",
    "suspended": "suspended",
    "save-vm": "paused",
    "restore-vm": "paused",
    "debug": "paused",
    "prelaunch": "prelaunch",
    "preconfig": "prelaunch",
    "inmigrate": "incoming",
    "finish-migrate": "switchover",
    "colo": "switchover",
    "postmigrate": "postmigrate",
    "io-error": "io-error",
    "guest-panicked": "panicked",
    # The hypervisor itself cannot go on: for the guest the same as a panic.
    "internal-error": "panicked",
    "watchdog": "watchdog",
    "shutdown": "shutdown",
}

MIGRATION_STATES: dict[str, MigrationState] = {
    "none": "none",
    "setup": "setup",
    "active": "active",
    "wait-unplug": "setup",
    "postcopy-active": "active",
    "postcopy-paused": "active",
    "postcopy-recover": "active",
    "pre-switchover": "pre-switchover",
    "device": "device",
    "completed": "completed",
    "failed": "failed",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
}

ENDED_MIGRATIONS = ("none", "failed", "cancelled", "completed")
"""Those in which nothing is under way, nor can be called off."""

_MIGRATION_EVENTS = ("active", "pre-switchover", "device", "completed", "failed", "cancelled")


def run_state(status: dict[str, Any]) -> RunState:
    """From the answer to query-status."""
    return RUN_STATES.get(str(status.get("status")), "paused")


def migration_state(answer: dict[str, Any]) -> MigrationState:
    """From the answer to query-migrate, which is empty before the first migration."""
    return MIGRATION_STATES.get(str(answer.get("status", "none")), "active")


def guest_event(event: MonitorEvent) -> GuestEvent | None:
    """None for what nobody here needs to know."""
    details = event.details
    match event.name, details:
        case "STOP", _:
            kind, detail = "stopped", ""
        case "RESUME", _:
            kind, detail = "resumed", ""
        case "MIGRATION", {"status": str(status)} if status in _MIGRATION_EVENTS:
            kind, detail = status, ""
        case "BLOCK_IO_ERROR", {"action": "stop"}:
            kind = "io-error"
            detail = f"{details.get('operation')} on {details.get('node-name')}: " \
                f"{details.get('reason')}"
        case "GUEST_PANICKED", _:
            kind, detail = "panicked", str(details.get("action", ""))
        case "SUSPEND", _:
            kind, detail = "suspended", ""
        case "WATCHDOG", _:
            kind, detail = "watchdog", str(details.get("action", ""))
        case "SHUTDOWN", {"reason": str(reason)} if is_power_off(reason):
            kind, detail = "powered-off", reason
        case "RESET", _:
            kind, detail = "reset", str(details.get("reason", ""))
        case _:
            return None
    return GuestEvent(kind=kind, at_ms=event.at_ms, detail=detail)  # type: ignore[arg-type]


def is_power_off(reason: str) -> bool:
    """The guest switched itself off; every other reason came from the host or from a failure."""
    return reason == "guest-shutdown"


def progress(answer: dict[str, Any], downtime_limit_ms: int) -> Progress:
    """From the answer to query-migrate on the source."""
    ram = answer.get("ram", {})
    page_bytes = ram.get("page-size", 4096)
    return Progress(
        state=migration_state(answer),
        total_bytes=ram.get("total", 0), remaining_bytes=ram.get("remaining", 0),
        transferred_bytes=ram.get("transferred", 0),
        dirty_bytes_s=float(ram.get("dirty-pages-rate", 0) * page_bytes),
        bandwidth_bytes_s=ram.get("mbps", 0.0) * 1e6 / 8,
        iterations=ram.get("dirty-sync-count", 0), downtime_limit_ms=downtime_limit_ms,
        error=answer.get("error-desc", ""),
    )
