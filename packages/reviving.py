"""A guest that stands although the record says that it runs here."""

from packages.surroundings import Surroundings
from packages.vm.driver import Guest


async def revive(around: Surroundings, guest: Guest, state: str) -> bool:
    """Continue it: a move that ended left it so, or a restart of the daemon fell into one. Done
    once: a guest that stands later was stopped by others, which is for its monitors to say. False:
    look again."""
    if state == "switchover":
        state = (await around.driver.cancel(guest)).state
    if state in ("postmigrate", "paused", "prelaunch"):
        return around.may_run() and await around.driver.resume(guest) is None
    return state not in ("switchover", "unanswered")
