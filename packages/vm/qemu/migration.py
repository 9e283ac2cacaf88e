"""Sending a guest's memory, switching, and calling it off: the steps QEMU 7.2 was seen to need.

Theory: the source pauses before the switchover and answers over the return path, the target stays
paused and opens its disks late, so that every way to fail leaves the guest on the source. The one
way back from any point is `called_off`: cancel, or where the main loop hangs, cut the connection
out of band; then wait until the source itself says what it is. It may say that it was too late,
and then only the caller knows what is right.

What must never happen here: multifd together with post-copy (the target aborts after completion
and the guest is lost); a second `migrate` while one is being called off.
"""

import asyncio
from contextlib import suppress

from cluster.clock import Clock
from packages.vm.driver import GuestEvent, Observation, Progress
from packages.vm.qemu.instance import Instance
from packages.vm.qemu.monitor import MonitorTrouble, Silent
from packages.vm.qemu.states import progress

SOURCE_CAPABILITIES = ("events", "return-path", "pause-before-switchover", "auto-converge")
TARGET_CAPABILITIES = ("events", "return-path", "late-block-activate")

UNLIMITED_BYTES_S = 10**10
"""No link of today is faster; QEMU's own default would be 128 MiB/s."""

# Auto-converge cannot be switched on once the copy runs. So it is on from the start, throttling by
# the least there is, until somebody decides that the guest is to be slowed.
GENTLE = {"cpu-throttle-initial": 1, "cpu-throttle-increment": 1, "max-cpu-throttle": 1}
THROTTLED = {"cpu-throttle-initial": 20, "cpu-throttle-increment": 10, "max-cpu-throttle": 99}

ANSWER_S = 0.5
"""A monitor that works answers a cancel in milliseconds."""
CALLED_OFF_S = 1.0
"""An honest cancel is over in 40 ms; what is not over after this hangs in a write."""
LOOK_AGAIN_S = 0.05
"""Beside the events: one may have come before anybody listened."""


async def expect_incoming(instance: Instance, socket_path: str, *, deadline_s: float) -> None:
    """Make a target listen. Raises MonitorTrouble."""
    await _set_capabilities(instance, TARGET_CAPABILITIES, deadline_s)
    uri = {"uri": f"unix:{socket_path}"}
    await instance.monitor.ask("migrate-incoming", uri, deadline_s=deadline_s)


async def send(
    instance: Instance, *, socket_path: str, downtime_limit_ms: int,
    bandwidth_bytes_s: int | None, deadline_s: float,
) -> None:
    """Begin. Raises MonitorTrouble."""
    prepared, instance.prepared_to_send = instance.prepared_to_send, None
    if prepared != (downtime_limit_ms, bandwidth_bytes_s):
        await prepare_send(
            instance, downtime_limit_ms=downtime_limit_ms, bandwidth_bytes_s=bandwidth_bytes_s,
            deadline_s=deadline_s,
        )
    await instance.monitor.ask("migrate", {"uri": f"unix:{socket_path}"}, deadline_s=deadline_s)


async def prepare_send(
    instance: Instance, *, downtime_limit_ms: int, bandwidth_bytes_s: int | None,
    deadline_s: float,
) -> None:
    """Raises MonitorTrouble."""
    await _set_capabilities(instance, SOURCE_CAPABILITIES, deadline_s)
    parameters = {
        "downtime-limit": downtime_limit_ms,
        "max-bandwidth": bandwidth_bytes_s or UNLIMITED_BYTES_S, **GENTLE,
    }
    await instance.monitor.ask("migrate-set-parameters", parameters, deadline_s=deadline_s)
    instance.downtime_limit_ms = downtime_limit_ms
    instance.prepared_to_send = downtime_limit_ms, bandwidth_bytes_s


async def tune(
    instance: Instance, *, downtime_limit_ms: int | None, throttle: bool | None,
    bandwidth_bytes_s: int | None,
) -> None:
    """Raises MonitorTrouble."""
    parameters: dict[str, int] = {}
    if downtime_limit_ms is not None:
        parameters["downtime-limit"] = downtime_limit_ms
    if bandwidth_bytes_s is not None:
        parameters["max-bandwidth"] = bandwidth_bytes_s
    if throttle is not None:
        parameters |= THROTTLED if throttle else GENTLE
    if parameters:
        await instance.monitor.ask("migrate-set-parameters", parameters)
    if downtime_limit_ms is not None:
        instance.downtime_limit_ms = downtime_limit_ms


async def numbers(instance: Instance, *, deadline_s: float) -> Progress:
    """Raises MonitorTrouble."""
    answer = await instance.monitor.ask("query-migrate", deadline_s=deadline_s)
    return progress(answer, instance.downtime_limit_ms)


async def switch(instance: Instance, *, deadline_s: float) -> None:
    """Raises MonitorTrouble; after Silent it may have been heard all the same."""
    state = {"state": "pre-switchover"}
    await instance.monitor.ask("migrate-continue", state, deadline_s=deadline_s)


async def called_off(instance: Instance, *, deadline_s: float, clock: Clock) -> Observation:
    """End the migration and say what the source is then."""
    last = Observation(state="unanswered")
    moved = asyncio.Event()
    stop = instance.listen(lambda event: _note(event, moved))
    try:
        async with asyncio.timeout(deadline_s):
            may_wait = await _may_be_cancelled(instance) and await _cancel_is_heard(instance)
            yank_at_s = clock.boottime_s() + (CALLED_OFF_S if may_wait else 0.0)
            while True:
                if clock.boottime_s() >= yank_at_s:
                    await _yank(instance)
                    yank_at_s += CALLED_OFF_S
                last = await instance.observe(ANSWER_S)
                if _is_settled(last):
                    return last
                await _wait(moved, LOOK_AGAIN_S)
    except TimeoutError:
        return last
    finally:
        stop()


async def _may_be_cancelled(instance: Instance) -> bool:
    """Not once it switches: QEMU gives the disks up in another thread meanwhile, and a guest whose
    cancel comes right before that runs on without them until its first write, which ends QEMU
    (block/io.c: `!(bs->open_flags & BDRV_O_INACTIVE)`; seen on 7.2). A channel that breaks is dealt
    with in that thread itself, so this one is broken. Nor where nobody answers: an order that is
    heard later may be heard then."""
    seen = await instance.observe(ANSWER_S)
    return seen.state != "unanswered" and seen.migration != "device"


async def _cancel_is_heard(instance: Instance) -> bool:
    try:
        await instance.monitor.ask("migrate_cancel", deadline_s=ANSWER_S)
    except Silent:
        return False
    except MonitorTrouble:
        return True
    return True


async def _yank(instance: Instance) -> None:
    """Refused where the migration has ended meanwhile; then the next look says so."""
    with suppress(MonitorTrouble):
        await instance.monitor.yank_migration(deadline_s=ANSWER_S)


def _is_settled(seen: Observation) -> bool:
    """Nothing is under way, and the guest stands where it will stay. A source whose migration
    failed resumes by itself a moment later; until then it says that it is switching."""
    if seen.state == "gone":
        return True
    if seen.state in ("unanswered", "switchover"):
        return False
    if seen.migration == "completed":
        return seen.state == "postmigrate"
    return seen.migration in ("none", "failed", "cancelled")


def _note(event: GuestEvent, moved: asyncio.Event) -> None:
    if event.kind in ("resumed", "failed", "cancelled", "completed", "gone"):
        moved.set()


async def _wait(moved: asyncio.Event, limit_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await moved.wait()
    moved.clear()


async def _set_capabilities(
    instance: Instance, capabilities: tuple[str, ...], deadline_s: float,
) -> None:
    wanted = [{"capability": name, "state": True} for name in capabilities]
    await instance.monitor.ask(
        "migrate-set-capabilities", {"capabilities": wanted}, deadline_s=deadline_s,
    )
