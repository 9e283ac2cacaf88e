"""Rules about disk room: a guest that starts writes into the target's run folder."""

from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem
from packages.core.room import guest_shortage


def room_short(asked: PreflightInput) -> Problem | None:
    target = asked.target_facts
    why = None if target is None else guest_shortage(target.rooms)
    if why is None:
        return None
    return problem(
        "room-short", f"node:{asked.target}",
        what=f"{asked.target} lacks room for {asked.spec.name}", because=why,
        fix=f"free it on {asked.target}: what is large below it is a guest's console log or not "
            "vmsg's; or choose another node",
    )
