"""What the coordinator, the Raft leader, proposes next. PURE: state and knowledge in, entries out.

The coordinator knows nothing that dies with it: what it decides is in the log, and the next one
goes on from there. What must never happen here: a start without an owner's release or a proof of
its death.
"""

from collections.abc import Callable, Mapping

from cluster.core import entries, leaving, shortages, truth
from cluster.core.dependence import unmet
from cluster.core.fencing import to_be_fenced
from cluster.core.model import PackageRecord, Proof, ProofKind, State, may_be_lost, packages_of
from cluster.core.runs import blocked_nodes
from cluster.core.suspensions import in_maintenance
from packages.core.limits import Limits
from packages.core.placement import Choice, NodeView, choose
from packages.core.start_order import start_order, waiting
from packages.core.values import Value, changed

BY = "coordinator"


class Knowledge(Value):
    """What the coordinator alone knows, as of now."""

    now_ms: int
    """Of the wall clock: for the history, and for nothing that is decided."""
    term: int
    heard: frozenset[str]
    """Nodes whose lease was asked for within the time after which one is suspected."""
    dead: Mapping[str, str]
    """Node -> why its lease is proven over; granting to it has stopped."""
    reset: Mapping[str, str] = {}
    """Node called dead -> why its watchdog has certainly reset it since."""
    limits: Limits = Limits()
    time_ms: int = 0
    """The cluster's time (agreed_time.py); 0: nothing has told it, and the wall clock has to do."""
    over: frozenset[str] = frozenset()
    """Silent nodes of which it is known that whatever lease they were granted is over."""
    suspected: Mapping[str, str] = {}
    """Node -> how long it has been silent, too long for one that is well."""
    is_new: bool = False
    """It was elected a moment ago: who is not heard yet may be on its way back."""


def reckoned(known: Knowledge) -> int:
    return known.time_ms or known.now_ms


Mint = Callable[[], str]

TRY_AGAIN_MS = 30_000
"""Before a node is tried again that a package failed on, when no other is left: a start that is
refused at once would otherwise fill the log, while the node that could take it is down."""


def decide(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    """Entries to propose now, in order; the same list again until they are applied."""
    words = _words(state, known, mint)
    spoken_of = {each.node for each in words if isinstance(each, entries.NodeFailed)}
    return [
        *words,
        *(each for each in _deaths(state, known, mint) if each.node not in spoken_of),
        *_fences(state, known, mint),
        *_starts(state, known, mint),
        *_settled(state, known, mint),
        *leaving.next_steps(
            state, time_ms=reckoned(known), now_ms=known.now_ms, by=BY, mint=mint),
        *_returned(state, known, mint),
        *_unquarantined(state, known, mint),
    ]


def _words(
    state: State, known: Knowledge, mint: Mint,
) -> list[entries.NodeFailed | entries.DeathUnsaid]:
    """Operators' words that nodes are off become proofs, or are taken back."""
    found: list[entries.NodeFailed | entries.DeathUnsaid] = []
    for name, node in sorted(state.nodes.items()):
        word = node.word
        if word is None:
            continue
        is_waited_for = may_be_lost(state, node, "operator")
        if name in known.heard or not is_waited_for:
            found.append(entries.DeathUnsaid(
                id=mint(), at_ms=known.now_ms, by=BY, node=name, word=word.id,
                because="it is heard" if is_waited_for else "nothing waits for that any more"))
        elif name in known.over and name in known.suspected:
            # Under the id of the request, so that its events show what came of it.
            found.append(entries.NodeFailed(
                id=f"{word.id}-{known.term}", at_ms=known.now_ms, by=word.by, because=word.because,
                node=name, incarnation=node.incarnation, term=known.term,
                proof=Proof(kind="operator", because=word.because)))
    return found


def _deaths(state: State, known: Knowledge, mint: Mint) -> list[entries.NodeFailed]:
    found: list[entries.NodeFailed] = []
    proven: tuple[tuple[ProofKind, Mapping[str, str]], ...] = (
        ("lease", known.dead), ("watchdog", known.reset))
    for kind, dead in proven:
        for name in sorted(dead):
            node, because = state.nodes.get(name), dead[name]
            if node is not None and may_be_lost(state, node, kind):
                found.append(entries.NodeFailed(
                    id=mint(), at_ms=known.now_ms, by=BY, because=because, node=name,
                    incarnation=node.incarnation, proof=Proof(kind=kind, because=because),
                    term=known.term,
                ))
    return found


def _fences(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    """Silent owners are shut out by the node that is to take over, where there is one."""
    wanted = to_be_fenced(state, frozenset(known.suspected), known.heard, reckoned(known))
    views = node_views(state, known.heard) if wanted and state.running else {}
    found: list[entries.Entry] = []
    for record in wanted if state.running else ():
        assert record.owner is not None
        choice = place(record, views, frozenset({record.owner}))
        if choice.node is not None:
            found.append(entries.FenceOrdered(
                id=mint(), at_ms=known.now_ms, by=BY, package=record.name, epoch=record.epoch,
                victim=record.owner, node=choice.node, term=known.term,
                because=f"{record.owner} is {known.suspected[record.owner]}",
            ))
    return found


def node_views(state: State, heard: frozenset[str]) -> dict[str, NodeView]:
    return {
        name: NodeView(
            name=name, state=node.state, heard=name in heard,
            load=len(state.placed.get(name, ())), is_guarded=not node.guardian_silent,
        )
        for name, node in sorted(state.nodes.items())
    }


def wants_node(record: PackageRecord) -> bool:
    """Whether a package without an owner is to be started."""
    return (
        record.owner is None and record.auto_run and not record.moving
        and not (record.lost is not None and in_maintenance(record))
        and record.state in ("halted", "relocate_wait")
    )


def _starts(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    if not state.running:
        return []
    views = node_views(state, known.heard)
    starting: dict[str, int] = {}
    seen = truth.sighted(state)
    found: list[entries.Entry] = []
    wanted = (state.packages[name] for name in sorted(state.waiting))
    for name in start_order(waiting(each.spec) for each in wanted if wants_node(each)):
        record = state.packages[name]
        choice = place(record, views)
        if choice.node is None or _too_soon(record, choice.node, reckoned(known)):
            continue
        if known.is_new and _may_come_back(record, choice.node):
            continue
        if unmet(state, record.spec) or truth.beside(seen.get(name, [])):
            continue
        if choice.node not in starting:
            starting[choice.node] = sum(
                each.state == "starting" for each in packages_of(state, choice.node))
        if starting[choice.node] >= known.limits.starts_per_node:
            continue
        starting[choice.node] += 1
        found.append(entries.PackageAssigned(
            id=mint(), at_ms=known.now_ms, by=BY, package=name, node=choice.node,
            boot_id=mint(), because=_why(record, choice),
        ))
    return found


def _may_come_back(record: PackageRecord, node: str) -> bool:
    """Whether its lost owner, cut off with everybody else, may have it whole: a quorum that has
    just come back gives it that moment. One that was switched off has nothing to bring."""
    return record.lost is not None and record.lost.node != node and (
        record.proof is not None and record.proof.kind == "lease")


def _too_soon(record: PackageRecord, node: str, now_ms: int) -> bool:
    """Whether it failed on this very node just now."""
    last_ms = record.failures_ms[-1] if record.failures_ms else 0
    # A node's clock may be ahead of ours, by a day as easily as by a second.
    return node in record.avoid and abs(now_ms - last_ms) < TRY_AGAIN_MS or shortages.too_soon(
        record, node, now_ms)


def _why(record: PackageRecord, choice: Choice) -> str:
    if record.state == "relocate_wait":
        return f"{record.because}; {choice.because}"
    return f"switching is enabled; {choice.because}"


def place(
    record: PackageRecord, views: Mapping[str, NodeView],
    exclude: frozenset[str] = frozenset(),
) -> Choice:
    """The node to start a package on now; quarantined nodes, and those it failed on lately, only
    if no other is left."""
    nodes, blocked = record.spec.nodes, blocked_nodes(record)
    lacking = tuple(each.node for each in record.shortages)
    if record.preferred in nodes:
        again = choose((record.preferred,), views, blocked=blocked, avoid=record.avoid,
                       exclude=exclude, lacking=lacking)
        if again.node is not None:
            return changed(again, because=f"{again.node} is where it was")
        if again.refused == ((record.preferred, "unheard"),):
            return again  # it has joined this moment, or will be called dead within the lease
    choice = choose(nodes, views, blocked=blocked, avoid=record.avoid, exclude=exclude,
                    lacking=lacking)
    if choice.node is None and lacking:
        asked = choose(shortages.in_turn(record), views, blocked=blocked, avoid=(),
                       exclude=exclude, last_resort=True)
        return choice if asked.node is None else changed(
            asked, because=f"{asked.node} may have by now what it lacked")
    if choice.node is None:
        anywhere = choose(
            nodes, views, blocked=blocked, avoid=(), exclude=exclude, last_resort=True)
        return anywhere if anywhere.node is not None else choice
    return choice


def _settled(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    """Nodes that are empty, as they were to be. Whoever is halted may leave guests alone behind."""
    found: list[entries.Entry] = []
    for name, node in sorted(state.nodes.items()):
        held = {each.state if not each.guarded else "guarded" for each in packages_of(state, name)}
        if node.state == "draining" and not held and node.leave is None:
            found.append(entries.NodeEmptied(
                id=mint(), at_ms=known.now_ms, by=BY, because="it is empty", node=name))
        elif node.state == "halting" and held <= {"detached"}:
            found.append(entries.NodeHalted(
                id=mint(), at_ms=known.now_ms, by=BY, because="it is empty", node=name,
                detach=bool(held)))
    return found


def _returned(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    """Packages that are home again, or that nobody can bring there any more: they do not run."""
    return [
        entries.ReturnEnded(
            id=mint(), at_ms=known.now_ms, by=BY, because="it is home" if is_home else
            "it does not run", node=name, package=package)
        for name, node in sorted(state.nodes.items()) for package in node.returning
        for record in (state.packages.get(package),)
        if (is_home := record is not None and record.owner == name and not record.moving)
        or record is None or record.state in ("halted", "failed", "detached")
    ]


def _unquarantined(state: State, known: Knowledge, mint: Mint) -> list[entries.Entry]:
    return [
        entries.NodeUnquarantined(
            id=mint(), at_ms=known.now_ms, by=BY, because="its time is over", node=name)
        for name, node in sorted(state.nodes.items())
        if node.quarantined_until_ms is not None and reckoned(known) >= node.quarantined_until_ms
    ]


def ended_holds(state: State, now_ms: int, mint: Mint, time_ms: int = 0) -> list[entries.Entry]:
    """Operators' suspensions whose time is over, by the cluster's time where it is known."""
    return [
        entries.HoldEnded(
            id=mint(), at_ms=now_ms, by=BY, because="its time is over", package=name,
            since_ms=hold.since_ms, hold=hold.id,
        )
        for name, record in sorted(state.packages.items())
        for hold in record.holds
        if hold.until_ms is not None and hold.until_ms <= (time_ms or now_ms)
    ]


def candidates(record: PackageRecord, views: Mapping[str, NodeView]) -> tuple[str, ...]:
    """Every node that may take a running package, best first: those it failed on lately last."""
    own = frozenset({record.owner} if record.owner else ())
    found: list[str] = []
    for avoid in (record.avoid, ()):
        while (name := choose(
                record.spec.nodes, views, blocked=blocked_nodes(record), avoid=avoid,
                exclude=own | set(found)).node) is not None:
            found.append(name)
    return tuple(found)
