"""Which moves the coordinator begins next: what waits in the queue, drains, packages on their way
home. PURE.

Nothing of an errand is kept beside the record: a new coordinator finds the same ones. What must
never happen here: more moves at once than the limits allow; the same failing move of a drain tried
for ever (P8).
"""

from collections.abc import Mapping

from cluster.core.coordinator import BY, Knowledge, candidates, node_views
from cluster.core.model import NodeRecord, PackageRecord, Purpose, State, packages_of
from cluster.core.moves import routes
from packages.core.limits import Route, crowded
from packages.core.values import Value


class Errand(Value):
    """Move this package to the first of `targets` that will have it."""

    record: PackageRecord
    targets: tuple[str, ...]
    """None: there is no node for it, and whoever waits is to be told."""
    purpose: Purpose
    because: str
    node: str
    """The one that is emptied or gets its packages back; for a queued move its target."""
    by: str = BY
    move: str = ""
    """The queued move's own id."""


Failed = Mapping[str, tuple[str, ...]]
"""Package of a drain -> nodes that would not have it, while the next one has no room yet."""
NOTHING: Failed = {}


def errands(
    state: State, known: Knowledge, begun: Mapping[str, Route], failed: Failed = NOTHING,
) -> list[Errand]:
    """Those to begin now, in order. `begun` are errands whose move is not in the record yet, with
    where each goes from and to."""
    under_way = routes(state) + [
        route for name, route in sorted(begun.items())
        if name in state.packages and not state.packages[name].moving
    ]
    found: list[Errand] = []
    for errand in (*_queued(state), *_drains(state, known, failed), *_returns(state, known)):
        if errand.record.name in begun or any(
                each.record.name == errand.record.name for each in found):
            continue
        if not errand.targets:
            found.append(errand)
            continue
        route = (errand.record.owner or "", errand.targets[0])
        if not crowded(under_way, route, known.limits):
            under_way.append(route)
            found.append(errand)
    return found


def _queued(state: State) -> list[Errand]:
    """Moves that wait for their turn, the oldest first."""
    waiting = [
        (record.queued.at_ms, name, record, record.queued) for name in sorted(state.moves)
        if (record := state.packages[name]).queued is not None and not record.moving
        and record.queued is not None
    ]
    return [
        Errand(
            record=record, purpose="ordered", because=queued.because, node=queued.target,
            by=queued.by, move=queued.id,
            targets=(queued.target,) if record.state == "running" else (),
        )
        for _, _, record, queued in sorted(waiting, key=lambda each: each[:2])
    ]


def _drains(state: State, known: Knowledge, failed: Failed) -> list[Errand]:
    views = node_views(state, known.heard)
    found = []
    for name, node in sorted(state.nodes.items()):
        if node.state != "draining":
            continue
        planned = _planned(node)
        order = {package: number for number, package in enumerate(planned)}
        held = packages_of(state, name)
        for record in sorted(held, key=lambda each: order.get(each.name, len(order))):
            if record.moving or record.owner != name or not _can_be_told(record):
                continue
            if node.leave is not None and record.spec.shutdown_policy != "move":
                continue
            told = _tried(node, record)
            tried = {*(told or ()), *failed.get(record.name, ())}
            # What was left alone stays where it is until it is taken up again.
            targets = () if record.state == "detached" else tuple(
                each for each in _by_plan(candidates(record, views), planned.get(record.name))
                if each not in tried)
            if targets or told is None:
                found.append(Errand(
                    record=record, targets=targets, purpose="drain", node=name,
                    because=f"{name} is drained",
                ))
    return found


def _can_be_told(record: PackageRecord) -> bool:
    """Whether something can be said of it now: the other states pass."""
    return record.state == "running" or record.state == "detached" and not record.attaching


def _planned(node: NodeRecord) -> dict[str, str]:
    """Package -> target, in the plan's order."""
    moves = node.drain.moves() if node.drain is not None else []
    return {move.package: move.target for move in moves if move.how == "move"}


def _by_plan(targets: tuple[str, ...], planned: str | None) -> tuple[str, ...]:
    """The planned one first, if it still can."""
    return tuple(sorted(targets, key=lambda name: name != planned))


def _tried(node: NodeRecord, record: PackageRecord) -> tuple[str, ...] | None:
    """The nodes that would not have it, by the record; None: nobody has given it up."""
    return next((each.tried for each in node.stuck if each.package == record.name), None)


def _returns(state: State, known: Knowledge) -> list[Errand]:
    return [
        Errand(
            record=record, targets=(name,), purpose="return", node=name,
            because=f"{name} is back",
        )
        for name, node in sorted(state.nodes.items())
        if node.state == "running" and name in known.heard
        for package in node.returning if (record := state.packages.get(package)) is not None
        and record.state == "running" and not record.moving and record.owner != name
    ]
