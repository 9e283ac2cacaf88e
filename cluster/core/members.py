"""Rules for the set of nodes: one more or one less at a time, and never at a package's cost. PURE.

The cluster file says who is wanted; the log's own membership (cluster/raft/members.py) is brought
there by the coordinator, step by step, and each step is recorded here as it is agreed upon.

What must never happen here: a node that leaves while it holds a package; a name that comes back,
whose earlier bearer may have promised what the new one does not know of; a door that a removed node
or its invitation still opens once the log does without it.
"""

import hashlib

from cluster.core import entries, refusals
from cluster.core.leases import with_numbers
from cluster.core.model import UP, Member, NodeRecord, State, packages_of
from cluster.core.roles import is_settled, roles
from cluster.core.trust import (
    Trust, operator_of_host, without_invitation, without_node, without_operator
)
from packages.core.problem import Problem, problem
from packages.core.values import changed


def digest_of(config_text: str) -> str:
    """What an entry names the file by that it was made from."""
    return hashlib.sha256(config_text.encode()).hexdigest()


def cluster_formed(state: State, entry: entries.ClusterFormed) -> State | Problem:
    members = entry.members or tuple(Member(name=name) for name in entry.nodes)
    refused = _against(state, members) if state.nodes else None
    if entry.supersedes and entry.supersedes != digest_of(state.config_text):
        refused = _superseded(state)
    if refused is not None:
        return refused
    assigned = roles(members, state.nodes)
    gone = sorted(set(state.nodes) - set(assigned))
    nodes, trust = state.nodes, state.trust
    for name in gone:
        nodes = nodes.delete(name)
        trust = without_operator(without_invitation(trust, name), operator_of_host(name))
        if not state.seats:  # else its key opens until the log can do without it
            trust = without_node(trust, name)
    for name, role in sorted(assigned.items()):
        record = nodes.get(name) or NodeRecord(name=name, since_ms=entry.at_ms)
        if record.role != role or name not in nodes:
            nodes = nodes.set(name, changed(record, role=role))
    return with_numbers(changed(
        state, name=entry.name, config_text=entry.config_text, nodes=nodes, trust=trust,
        members=entry.members, retired=tuple(sorted({*state.retired, *gone})),
    ), entry.lease)


def members_agreed(state: State, entry: entries.MembersAgreed) -> State | Problem:
    """The log's membership has changed: this is applied with that very entry, and never refused."""
    trust = state.trust
    names = {each.name for each in entry.seats}
    for name in state.retired:
        if name not in names:
            trust = without_node(trust, name)
    return changed(state, seats=entry.seats, trust=trust)


def _against(state: State, members: tuple[Member, ...]) -> Problem | None:
    """Why the nodes cannot become these now."""
    names = {each.name for each in members}
    there = set(state.nodes)
    added, gone = sorted(names - there), sorted(there - names)
    if len(added) + len(gone) > 1:
        return _one_at_a_time(state, added, gone)
    if (added or gone) and not is_settled(state):
        return _unsettled(state)
    for name in added:
        if name in state.retired:
            return _retired(name)
    for name in gone:
        kept = next((each for each in packages_of(state, name) if each.lost is not None), None)
        if kept is not None:
            return refusals.owner_lost(kept, f"Nobody else was given it since {name} was lost.")
        if packages_of(state, name):
            return refusals.node_not_empty_to_remove(
                name, [record.name for record in packages_of(state, name)],
                is_up=state.nodes[name].state in UP)
        if _is_last_admin(state.trust, name):
            return _last_admin(name)
    return _against_changed(state, members)


def _is_last_admin(trust: Trust, node: str) -> bool:
    """Whether everybody who may do everything works on that host."""
    admins = {each.name for each in trust.operators if each.role == "full-admin"}
    return admins == {operator_of_host(node)}


def _against_changed(state: State, members: tuple[Member, ...]) -> Problem | None:
    """What cannot be changed about a node that stays."""
    before = {each.name: each for each in state.members}
    for member in members:
        old = before.get(member.name)
        if old is not None and old.endpoint and old.endpoint != member.endpoint:
            return _fixed(member.name, f"It is a member at {old.endpoint}.")
        if old is not None and old.is_witness != member.is_witness:
            return _fixed(member.name, "A witness stays one, and so does any other node.")
    return None


def _one_at_a_time(state: State, added: list[str], gone: list[str]) -> Problem:
    told = [*(f"{name} is new" for name in added), *(f"{name} is gone" for name in gone)]
    return problem(
        "membership-one-at-a-time", f"cluster:{state.name}",
        what="The nodes are changed one at a time.", because=f"In the file {', '.join(told)}.",
        fix="Add or remove one node, apply the file, then the next: every majority of before must "
            "share a node with every majority of after.",
    )


def _unsettled(state: State) -> Problem:
    return problem(
        "membership-changing", f"cluster:{state.name}",
        what="The nodes are not changed yet.",
        because="An earlier change of the nodes is not agreed upon by the log so far.",
        fix="It goes on by itself as soon as a majority of the nodes that remain is up; see "
            "vmsg status, then ask again.",
    )


def _superseded(state: State) -> Problem:
    return problem(
        "cluster-file-changed", f"cluster:{state.name}", what="The cluster file is not changed.",
        because="Somebody else has changed it meanwhile.",
        fix="Look at it with vmsg cluster get, then ask again.",
    )


def _last_admin(name: str) -> Problem:
    return problem(
        "last-admin", f"node:{name}", what=f"Node {name} is not removed.",
        because=f"Only {operator_of_host(name)} may do everything, and would go with it.",
        fix="Add another first: vmsg operator add NAME --role full-admin --out DIR",
    )


def _retired(name: str) -> Problem:
    return problem(
        "node-name-used", f"node:{name}", what=f"No new node can be called {name}.",
        because="A node of that name was removed, and may come back with what it remembers.",
        fix="Give the new node a name that was never used.",
    )


def _fixed(name: str, because: str) -> Problem:
    return problem(
        "membership-fixed", f"node:{name}",
        what=f"The address and the role of {name} cannot be changed.", because=because,
        fix="Add a node under a new name with what is wanted, then remove this one.",
    )
