"""Rules for the numbers of leases: how they change while leases are held by the old ones. PURE.

A coordinator grants by the last numbers of the record. What it or an earlier one granted by others
may be held until its end, and a coordinator that does not know yet of a change may still grant by
them. So the longest counts for each node until the life of its daemon has said that it takes
nothing by older ones any more, and that whatever it was granted by them is over (`LeaseTaken`).
A leader's beginning is in its record before it grants: it knows every number that any before it
granted by.

What must never happen here: numbers forgotten while a node may hold a lease by them.
"""

from cluster.core import entries, refusals
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.model import State, with_node
from packages.core.problem import Problem, problem
from packages.core.values import changed

MOST_KEPT = 8
"""Of more changes than this that a node has missed, the oldest are taken together."""


def newest(state: State) -> LeaseNumbers | None:
    """What leases are granted by; None in a record that is older than such numbers."""
    return state.leases[-1] if state.leases else None


def held(state: State, node: str) -> tuple[LeaseNumbers, ...]:
    """All by which this node may hold a lease, the newest last."""
    record = state.nodes.get(node)
    taken = record.lease_number if record is not None else 0
    return tuple(each for each in state.leases if each.number >= taken) or state.leases[-1:]


def with_numbers(state: State, numbers: LeaseNumbers | None) -> State:
    """The state in which leases are granted by these."""
    last = newest(state)
    if numbers is None:
        return state
    if last is not None and changed(numbers, number=last.number) == last:
        return state
    number = last.number + 1 if last is not None else 1
    return changed(state, leases=_few((*state.leases, changed(numbers, number=number))))


def _few(leases: tuple[LeaseNumbers, ...]) -> tuple[LeaseNumbers, ...]:
    if len(leases) <= MOST_KEPT:
        return leases
    first, second, *rest = leases
    return (changed(
        second, lease_s=max(first.lease_s, second.lease_s),
        margin_s=max(first.margin_s, second.margin_s),
    ), *rest)


def lease_taken(state: State, entry: "entries.LeaseTaken") -> State | Problem:
    node, last = state.nodes.get(entry.node), newest(state)
    if node is None:
        return refusals.unknown_node(entry.node)
    if not entry.incarnation or node.incarnation != entry.incarnation:
        return refusals.stale_order(f"node:{entry.node}", "Another life of it has joined since.")
    if last is None or not node.lease_number < entry.number <= last.number:
        return refusals.stale_order(f"node:{entry.node}", "It has taken those, or newer ones.")
    state = with_node(state, changed(node, lease_number=entry.number))
    oldest = min(each.lease_number for each in state.nodes.values())
    kept = tuple(each for each in state.leases if each.number >= oldest)
    return changed(state, leases=kept or state.leases[-1:])


def awaited(state: State) -> tuple[str, ...]:
    """Nodes for which longer ones still count than leases are granted by."""
    last = newest(state)
    if last is None:
        return ()
    span_s = last.lease_s + last.margin_s
    return tuple(sorted(
        name for name in state.nodes
        if any(each.lease_s + each.margin_s > span_s for each in held(state, name))))


def told(numbers: LeaseNumbers) -> str:
    """In words."""
    return f"{numbers.profile or 'lease'} {numbers.lease_s:g} s + {numbers.margin_s:g} s"


def problems(state: State) -> list[Problem]:
    last, names = newest(state), awaited(state)
    if last is None or not names:
        return []
    longest = max(
        (each for name in names for each in held(state, name)), key=lambda each: each.lease_s)
    return [problem(
        "lease-changing", f"cluster:{state.name}",
        what=f"Until {', '.join(names)} has taken the new lease of {last.lease_s:g} s, the old one "
             f"of {longest.lease_s:g} s counts for it.",
        because="It may still hold a lease by the old numbers; a takeover from it waits for that.",
        fix="A node that is up takes them by itself within the old lease; start the daemon of one "
            "that is down.", severity="warn",
    )]
