"""A guest that stands although the record says that it runs here."""

from packages.core.standing import stood_ill
from packages.surroundings import Surroundings
from packages.vm.driver import Guest, Observation


async def revive(around: Surroundings, guest: Guest, seen: Observation) -> bool:
    """Continue it: a move that ended left it so, or a restart of the daemon fell into one. Done
    once: a guest that stands later was stopped by others, which is for its monitors to say. False:
    look again."""
    if seen.state == "switchover":
        seen = await around.driver.cancel(guest)
    if stood_ill(seen.state, seen.migration):
        return True
    if seen.state in ("postmigrate", "paused", "prelaunch"):
        return around.may_run() and await around.driver.resume(guest) is None
    return seen.state not in ("switchover", "unanswered")
