"""Answers about who belongs to the cluster: its file applied, a node added, a node removed.

What must never happen here: a node that goes because an old file does not name it; a change made
from a file that is not the agreed one any more.
"""

from cluster.answers.consent import gone_for_good, unconfirmed, weakened, with_consequences
from cluster.answers.desk import Desk, done, refusal
from cluster.api.messages import AddNode, ApplyCluster, Changing, CheckCluster, RemoveNode, Reply
from cluster.api.roles import Caller
from cluster.config.cluster_file import cluster_from_text
from cluster.config.differences import consequences, differences
from cluster.config.load import dump
from cluster.config.schema import ClusterConfig, NodeConfig, allowed_by
from cluster.core import allowing, entries, floor, leases, refusals
from cluster.core.apply import decide
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.members import digest_of
from cluster.core.model import State
from cluster.core.roles import is_settled, wanted_seats
from cluster.nodes.terms import numbers_of
from cluster.seating import file_members
from packages.core.allowed import Accounts
from packages.core.problem import Problem, problem
from packages.core.values import changed

SETTLED_S = 10.0
"""A leader that is removed has another elected first, which takes a second or two."""


async def check_cluster(desk: Desk, caller: Caller, ask: CheckCluster) -> Reply:
    """All that applying the file would be refused for, and what would follow from it."""
    wish = ApplyCluster(dry_run=True, text=ask.text, source=ask.source)
    found = await apply_cluster(desk, caller, wish)
    if found.verdict != "done":
        return found
    told = {key: found.result[key] for key in ("differences", "consequences")}
    return done(ask, {"ok": True, **told}, list(found.problems))


async def apply_cluster(desk: Desk, caller: Caller, ask: ApplyCluster) -> Reply:
    config, problems = await desk.reading.cluster(
        caller.shown, ask.text, source=ask.source or "cluster.yaml")
    if config is None or problems:
        return refusal(ask, *problems)
    unknown = against_words(desk.ledger.state, config)
    if unknown is not None:
        return refusal(ask, unknown)
    left_out = sorted(set(desk.ledger.state.nodes) - {node.name for node in config.nodes})
    if left_out:
        return refusal(ask, _left_out(config, left_out))
    before = _agreed(desk)
    told, follows = differences(before, config), consequences(before, config)
    if not _was_done(desk, ask):
        stopped = unconfirmed(ask, follows)
        if stopped is not None:
            return stopped
    answer = await _apply(desk, caller, ask, config=config, text=ask.text)
    if answer.verdict != "done":
        return answer
    lost = allowing.problems(desk.ledger.state, allowed_by(config))
    answer = changed(answer, result={**answer.result, "differences": told},
                     problems=(*answer.problems, *lost))
    return with_consequences(answer, follows) if ask.dry_run else answer


def against_words(state: State, config: ClusterConfig) -> Problem | None:
    """What the file has that a node of an older version does not understand: it would go on by the
    file before."""
    is_new = (config.programs, config.images, config.accounts) != (None, None, Accounts())
    return floor.not_known_to_all(state, floor.V0_2) if is_new and not floor.floor_allows(
        state, floor.V0_2) else None


def _agreed(desk: Desk) -> ClusterConfig:
    """The cluster file as it was agreed upon last."""
    text = desk.ledger.state.config_text or desk.config_text
    if text == desk.config_text:
        return desk.config
    config, _ = cluster_from_text(text)
    return config or desk.config


async def add_node(desk: Desk, caller: Caller, ask: AddNode) -> Reply:
    config = desk.config
    if _was_done(desk, ask):
        return await _settled(desk, ask, added=[ask.node])
    if any(each.name == ask.node for each in config.nodes):
        return refusal(ask, problem(
            "node-known", f"node:{ask.node}", what=f"There is a node {ask.node} already.",
            because="The cluster file names it.",
            fix=f"Let its host in with: vmsg node invite {ask.node}",
        ))
    node = NodeConfig(
        name=ask.node, address=ask.address, role="witness" if ask.witness else "member")
    if ask.raft_port is not None:
        node = changed(node, raft_port=ask.raft_port)
    if ask.api_port is not None:
        node = changed(node, api_port=ask.api_port)
    return await _rewritten(desk, caller, ask, changed(config, nodes=(*config.nodes, node)))


async def remove_node(desk: Desk, caller: Caller, ask: RemoveNode) -> Reply:
    config = desk.config
    if _was_done(desk, ask):
        return await _settled(desk, ask, removed=[ask.node])
    kept = tuple(each for each in config.nodes if each.name != ask.node)
    if len(kept) == len(config.nodes):
        return refusal(ask, refusals.unknown_node(ask.node))
    wanted = changed(config, nodes=kept)
    possible = await _rewritten(desk, caller, changed(ask, dry_run=True), wanted)
    if possible.verdict != "done":  # what cannot be done needs no consent
        empties = [each.code for each in possible.problems] == ["node-not-empty"]
        unheard = await desk.against_unheard(
            [ask.node], f"{ask.node} is not removed.") if empties else []
        return refusal(ask, *unheard) if unheard else possible
    follows = [gone_for_good(ask.node), *_left_weaker(desk.ledger.state, ask.node)]
    if ask.dry_run:
        return with_consequences(possible, follows)
    return unconfirmed(ask, follows) or await _rewritten(desk, caller, ask, wanted)


def _left_weaker(state: State, node: str) -> list[Problem]:
    """Packages that would have one node left."""
    return [
        found for _, record in sorted(state.packages.items()) if node in record.spec.nodes
        for found in weakened(record.spec, changed(
            record.spec, nodes=tuple(each for each in record.spec.nodes if each != node)))
    ]


def _was_done(desk: Desk, ask: Changing) -> bool:
    """Whether this very request was carried out, and its answer lost."""
    outcome = desk.ledger.state.outcomes.get(ask.request)
    return outcome is not None and outcome.problem is None


async def _rewritten(desk: Desk, caller: Caller, ask: Changing, wanted: ClusterConfig) -> Reply:
    """Apply this node's own copy of the cluster file with a node more or less."""
    text = dump(wanted)
    config, problems = await desk.reading.cluster(caller.shown, text)
    if config is None or problems:
        return refusal(ask, *problems)
    return await _apply(
        desk, caller, ask, config=config, text=text, supersedes=digest_of(desk.config_text))


async def _apply(
    desk: Desk, caller: Caller, ask: Changing, *, config: ClusterConfig, text: str,
    supersedes: str = "",
) -> Reply:
    before, names = set(desk.ledger.state.nodes), tuple(node.name for node in config.nodes)
    unsafe = against_departure(desk, config)
    if unsafe is not None:
        return refusal(ask, unsafe)
    entry = desk.entry(
        entries.ClusterFormed, caller, ask, name=config.name, nodes=names, config_text=text,
        members=file_members(config), supersedes=supersedes, lease=_numbers(desk, config),
    )
    after = decide(desk.ledger.state, entry)
    told = [] if isinstance(after, Problem) or after.leases == desk.ledger.state.leases else (
        leases.problems(after))
    answer = await desk.change(ask, entry) or await _settled(
        desk, ask, added=sorted(set(names) - before), removed=sorted(before - set(names)))
    return changed(answer, problems=(*answer.problems, *told)) if answer.verdict == "done" else (
        answer)


def _numbers(desk: Desk, config: ClusterConfig) -> LeaseNumbers | None:
    """Those of the file's profile; where the file keeps the profile, what was agreed upon stays,
    whatever this release has for it."""
    before = leases.newest(desk.ledger.state)
    if before is not None and before.profile == config.profile:
        return None
    return numbers_of(desk.profiles[config.profile], config.profile)


async def _settled(
    desk: Desk, ask: Changing, *, added: list[str] | None = None, removed: list[str] | None = None,
) -> Reply:
    settled = await desk.ledger.until(
        lambda state: not wanted_seats(state) or is_settled(state), deadline_s=SETTLED_S)
    return done(ask, {
        "applied": desk.ledger.state.name, "added": added or [], "removed": removed or [],
        "settled": settled,
    })


def against_departure(desk: Desk, config: ClusterConfig) -> Problem | None:
    """Why nobody may leave now: those who remain and are up would be no majority."""
    state = desk.ledger.state
    names = {each.name for each in config.nodes}
    gone = sorted(set(state.nodes) - names)
    replica = desk.ledger.replica
    left = replica.members().voters & names
    up = left & replica.present()
    if not gone or len(up) * 2 > len(left):
        return None
    return problem(
        "membership-unsafe", f"node:{gone[0]}", what=f"{gone[0]} is not removed now.",
        because=f"Of those who would vote without it ({', '.join(sorted(left))}), only "
                f"{', '.join(sorted(up)) or 'nobody'} is up.",
        fix="Start one of the others first, or add a node that takes its place.",
    )


def _left_out(config: ClusterConfig, names: list[str]) -> Problem:
    return problem(
        "node-left-out", f"cluster:{config.name}", what="The file is not applied.",
        because=f"It leaves out {', '.join(names)}, and a removed node cannot come back under its "
                "name.",
        fix="Put it in again (vmsg cluster get prints the file as it is), or remove the node "
            f"first with: vmsg node remove {names[0]}",
    )
