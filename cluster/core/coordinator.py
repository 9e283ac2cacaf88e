"""What the coordinator, the Raft leader, proposes next. PURE: state and knowledge in, entries out.

The coordinator knows nothing that dies with it: what it decides is in the log, and the next one
goes on from there. What must never happen here: a start without an owner's release or a proof of
its death.
"""

from collections.abc import Callable, Mapping

from cluster.core import entries
from cluster.core.model import PackageRecord, Proof, State, may_be_lost, packages_of
from cluster.core.runs import blocked_nodes
from packages.core.placement import Choice, NodeView, choose
from packages.core.values import Value

BY = "coordinator"


class Knowledge(Value):
    """What the coordinator alone knows, as of now."""

    now_ms: int
    term: int
    heard: frozenset[str]
    """Nodes whose lease was asked for within the time after which one is suspected."""
    dead: Mapping[str, str]
    """Node -> why its lease is proven over; granting to it has stopped."""


Mint = Callable[[], str]

TRY_AGAIN_MS = 30_000
"""Before a node is tried again that a package failed on, when no other is left: a start that is
refused at once would otherwise fill the log, while the node that could take it is down."""


def decide(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    """Entries to propose now, in order; the same list again until they are applied."""
    return [
        *_deaths(state, known, mint),
        *_starts(state, known, mint),
        *_emptied(state, known, mint),
    ]


def _deaths(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    found: list[entries.Entry] = []
    for name in sorted(known.dead):
        node = state.nodes.get(name)
        if node is None or not may_be_lost(state, node):
            continue
        because = known.dead[name]
        found.append(entries.NodeFailed(
            id=mint(), at_ms=known.now_ms, by=BY, because=because, node=name,
            incarnation=node.incarnation, proof=Proof(kind="lease", because=because),
            term=known.term,
        ))
    return found


def node_views(state: State, heard: frozenset[str]) -> dict[str, NodeView]:
    return {
        name: NodeView(
            name=name, state=node.state, heard=name in heard,
            load=len(state.placed.get(name, ())),
        )
        for name, node in sorted(state.nodes.items())
    }


def wants_node(record: PackageRecord) -> bool:
    """Whether a package without an owner is to be started."""
    return (
        record.owner is None and record.auto_run and not record.moving
        and record.state in ("halted", "relocate_wait")
    )


def _starts(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    if not state.running:
        return []
    views = node_views(state, known.heard)
    found: list[entries.Entry] = []
    for name in sorted(state.waiting):
        record = state.packages[name]
        if not wants_node(record):
            continue
        choice = place(record, views)
        if choice.node is not None and not _too_soon(record, choice.node, known.now_ms):
            found.append(entries.PackageAssigned(
                id=mint(), at_ms=known.now_ms, by=BY, package=name, node=choice.node,
                boot_id=mint(), because=_why(record, choice),
            ))
    return found


def _too_soon(record: PackageRecord, node: str, now_ms: int) -> bool:
    """Whether it failed on this very node just now."""
    last_ms = record.failures_ms[-1] if record.failures_ms else 0
    # A node's clock may be ahead of ours, by a day as easily as by a second.
    return node in record.avoid and abs(now_ms - last_ms) < TRY_AGAIN_MS


def _why(record: PackageRecord, choice: Choice) -> str:
    if record.state == "relocate_wait":
        return f"{record.because}; {choice.because}"
    return f"switching is enabled; {choice.because}"


def place(
    record: PackageRecord, views: Mapping[str, NodeView],
    exclude: frozenset[str] = frozenset(),
) -> Choice:
    """The node for a package now; nodes it failed on lately only if no other is left."""
    choice = choose(record.spec.nodes, views, blocked=blocked_nodes(record), avoid=record.avoid,
                    exclude=exclude)
    if choice.node is None and record.avoid:
        return choose(record.spec.nodes, views, blocked=blocked_nodes(record), avoid=(),
                      exclude=exclude)
    return choice


def _emptied(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    return [
        entries.NodeEmptied(id=mint(), at_ms=known.now_ms, by=BY, because="it is empty", node=name)
        for name, node in sorted(state.nodes.items())
        if node.state == "draining" and not packages_of(state, name)
    ]


def ended_holds(state: State, now_ms: int, mint: Mint) -> list[entries.Entry]:
    """Operators' suspensions whose time is over."""
    return [
        entries.HoldEnded(
            id=mint(), at_ms=now_ms, by=BY, because="its time is over", package=name,
            since_ms=hold.since_ms,
        )
        for name, record in sorted(state.packages.items())
        for hold in record.holds
        if hold.until_ms is not None and hold.until_ms <= now_ms
    ]


MOVES_AT_ONCE = 1
"""Moves a node takes part in at once: two copies on one link each take twice as long, and the
guests' dirtying eats the difference (P11)."""


def evacuations(state: State, known: Knowledge) -> list[tuple[PackageRecord, tuple[str, ...]]]:
    """Packages to be moved off draining nodes now, each with its candidate targets in order."""
    busy = {name: 0 for name in state.nodes}
    for record in state.packages.values():
        if record.move is not None and record.moving:
            busy[record.move.source] = busy.get(record.move.source, 0) + 1
            busy[record.move.target] = busy.get(record.move.target, 0) + 1
    views = node_views(state, known.heard)
    found = []
    for name, node in sorted(state.nodes.items()):
        if node.state != "draining":
            continue
        stuck = {each.package for each in node.stuck}
        for record in packages_of(state, name):
            if record.state != "running" or record.moving or record.name in stuck:
                continue
            if record.owner != name or busy[name] >= MOVES_AT_ONCE:
                continue
            targets = candidates(record, views, busy)
            if targets:
                busy[name] += 1
                busy[targets[0]] += 1
            found.append((record, targets))
    return found


def candidates(
    record: PackageRecord, views: Mapping[str, NodeView], busy: Mapping[str, int] | None = None,
) -> tuple[str, ...]:
    """Every node that may take a running package, best first: idle links before list order."""
    exclude = frozenset({record.owner} if record.owner else ())
    found: list[str] = []
    while True:
        choice = place(record, views, exclude | set(found))
        if choice.node is None:
            break
        found.append(choice.node)
    return tuple(sorted(found, key=lambda name: (busy or {}).get(name, 0)))
