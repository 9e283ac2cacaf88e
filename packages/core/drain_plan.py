"""How a node is emptied: which package goes where, in which wave, for how long, at what risk. PURE.

A wave is what may travel at the same time within the limits for a node and a link. The packages
of a later wave need not wait for the whole of an earlier one: as soon as there is room, the next
in order begins. What a wave leaves without a spare are packages that no other node could take if
theirs failed then. The plan is a forecast and an order; each move is checked again before it
begins. What must never happen here: a target that the rules refused, memory given twice.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from packages.core.limits import Limits, Route, crowded
from packages.core.problem import Problem, problem
from packages.core.values import Value, changed

SETUP_S = 1.0
"""Beside the copy: preflight, the target's start, the switch; measured 0.6 to 1.2 s."""
RATE_MIB_S = 110.0
"""Of a 1 Gb/s link, where no move has been measured yet."""


class Leaving(Value):
    """A package on the node that is to be emptied."""

    package: str
    memory_mib: int
    targets: tuple[str, ...] = ()
    """Nodes the rules let it move to, in order of preference."""
    starts: tuple[str, ...] = ()
    """Nodes it could be started on after a halt, where the operator allows that."""
    problem: Problem | None = None
    """The smallest thing to mend, if it has no target."""
    most_mib_s: int | None = None
    """Its own ceiling for the copy."""
    downtime_s: float = 10.0
    """A halt and a start, at the most."""


class Standing(Value):
    """A package anywhere in the cluster, to see who would be left without a spare."""

    package: str
    node: str
    memory_mib: int
    nodes: tuple[str, ...]
    """Those that could take it, its own left out, were there memory."""


class PlannedMove(Value):
    package: str
    target: str
    seconds: float
    because: str
    how: Literal["move", "restart"] = "move"


class Wave(Value):
    moves: tuple[PlannedMove, ...]
    seconds: float
    without_spare: tuple[str, ...] = ()
    """Packages that have a spare before this wave and none after it."""


class Staying(Value):
    """A package that cannot leave; it runs on where it is."""

    package: str
    problem: Problem


class DrainPlan(Value):
    node: str
    waves: tuple[Wave, ...] = ()
    staying: tuple[Staying, ...] = ()
    without_spare: tuple[str, ...] = ()
    """Packages left without a spare as soon as the node takes nothing any more."""
    seconds: float = 0.0

    def moves(self) -> list[PlannedMove]:
        """In order."""
        return [move for wave in self.waves for move in wave.moves]


def plan_drain(
    node: str, leaving: Iterable[Leaving], *, free_mib: Mapping[str, int],
    standing: Iterable[Standing], limits: Limits, rate_mib_s: float = RATE_MIB_S,
) -> DrainPlan:
    """`leaving` is in order of importance; `free_mib` has every node that answered."""
    free = dict(free_mib)
    placed = {each.package: each for each in standing}
    spared = _spared(placed.values(), free)
    without = tuple(sorted(set(placed) - spared))
    # What must be stopped goes last: until then something may have been mended.
    left = sorted(leaving, key=lambda each: not each.targets)
    waves: list[Wave] = []
    staying: list[Staying] = []
    for each in list(left):
        reason = _against_leaving(each, free)
        if reason is not None:
            left.remove(each)
            staying.append(Staying(package=each.package, problem=reason))
    while left:
        chosen = _chosen(node, left, free, limits)
        if not chosen:
            staying += [Staying(package=each.package, problem=_no_memory(each)) for each in left]
            break
        for each, target in chosen:
            left.remove(each)
            if each.package in placed:
                placed[each.package] = _arrived(placed[each.package], node, target)
        now = _spared(placed.values(), free)
        waves.append(_wave(chosen, rate_mib_s, without=tuple(sorted(spared - now))))
        spared = now
    return DrainPlan(
        node=node, waves=tuple(waves), staying=tuple(staying), without_spare=without,
        seconds=round(sum(wave.seconds for wave in waves), 1),
    )


def _spared(standing: Iterable[Standing], free: Mapping[str, int]) -> set[str]:
    """Packages that some other node has the memory for, if their own failed."""
    return {
        each.package for each in standing
        if any(free.get(name, -1) >= each.memory_mib for name in each.nodes)
    }


def _arrived(before: Standing, source: str, target: str) -> Standing:
    """On its target. The node that is emptied is nobody's spare until it is resumed."""
    others = tuple(name for name in before.nodes if name not in (source, target))
    return changed(before, node=target, nodes=others)


def _against_leaving(each: Leaving, free: Mapping[str, int]) -> Problem | None:
    places = each.targets or each.starts
    if not places:
        return each.problem or _no_memory(each)
    if all(free.get(name, 0) < each.memory_mib for name in places):
        return _no_memory(each)
    return None


def _chosen(
    node: str, left: Iterable[Leaving], free: dict[str, int], limits: Limits,
) -> list[tuple[Leaving, str]]:
    """The packages of the next wave with their targets; takes their memory from `free`."""
    found: list[tuple[Leaving, str]] = []
    routes: list[Route] = []
    for each in left:
        target = next((
            name for name in each.targets or each.starts
            if free.get(name, 0) >= each.memory_mib
            and not crowded(routes, (node, name), limits)), None)
        if target is None:
            continue
        free[target] -= each.memory_mib
        routes.append((node, target))
        found.append((each, target))
    return found


def _wave(
    chosen: Iterable[tuple[Leaving, str]], rate_mib_s: float, *, without: tuple[str, ...],
) -> Wave:
    travelling = list(chosen)
    shared = rate_mib_s / len(travelling)  # all of them leave through one node's link
    moves = tuple(
        PlannedMove(
            package=each.package, target=target, seconds=round(_seconds(each, shared), 1),
            how="move" if each.targets else "restart", because=_why(each, target),
        )
        for each, target in travelling
    )
    return Wave(
        moves=moves, seconds=max(move.seconds for move in moves), without_spare=without)


def _seconds(each: Leaving, rate_mib_s: float) -> float:
    if not each.targets:
        return each.downtime_s
    return SETUP_S + each.memory_mib / min(rate_mib_s, each.most_mib_s or rate_mib_s)


def _why(each: Leaving, target: str) -> str:
    if not each.targets:
        reason = each.problem.what if each.problem else "it cannot move"
        return f"halted and started there: {reason}"
    if target == each.targets[0]:
        return f"{target} is the first node of its list that can take it"
    return f"{target} can take it, and the way there is free sooner"


def _no_memory(each: Leaving) -> Problem:
    named = ", ".join(each.targets or each.starts)
    return problem(
        "memory-short", f"package:{each.package}",
        what=f"{each.package} finds no memory elsewhere.",
        because=f"With the packages that move before it, none of {named} has "
                f"{each.memory_mib} MiB left." if named else "No other node of its list is up.",
        fix=f"Halt or move another package away from {named or 'its nodes'}, then drain again.",
    )
