"""Rules for an operator's word that a silent node is off. PURE.

The word is in the record at once, and is a proof when the coordinator knows that whatever lease the
node was granted is over. Waiting costs seconds, and a node that was merely cut off then stands
frozen instead of writing beside who took over; for what no lease guards (a detached guest, a
package whose `lease_is_proof` is false) the word alone counts, after the same wait. It waits in the
record and not in anybody's memory: neither its asker nor a coordinator has to live until then.

What must never happen here: a word that counts against a node that was heard since it was given.
"""

from collections.abc import Iterable

from cluster.core import entries, refusals
from cluster.core.model import NodeRecord, State, Word, may_be_lost, packages_of, with_node
from packages.core.problem import Problem, problem
from packages.core.values import changed


def death_said(state: State, entry: entries.DeathSaid) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.incarnation != entry.incarnation or not may_be_lost(state, node, "operator"):
        return refusals.stale_order(
            f"node:{entry.node}", f"It is {node.state}, or has come back since.")
    return with_node(state, changed(node, word=Word(
        id=entry.id, by=entry.by, because=entry.because, at_ms=entry.at_ms)))


def death_unsaid(state: State, entry: entries.DeathUnsaid) -> State | Problem:
    node = state.nodes.get(entry.node)
    if node is None:
        return refusals.unknown_node(entry.node)
    if node.word is None or node.word.id != entry.word:
        return refusals.stale_order(f"node:{entry.node}", "That word does not wait any more.")
    return with_node(state, changed(node, word=None))


def after_death(state: State, node: NodeRecord) -> State:
    """A word waits on only while the proof that was taken has left something to free."""
    if node.word is None or any(each.owner == node.name for each in packages_of(state, node.name)):
        return state
    return with_node(state, changed(state.nodes[node.name], word=None))


def taken_back(name: str) -> Problem:
    return problem(
        "word-taken-back", f"node:{name}", what=f"Node {name} is not called dead.",
        because="It was heard after you had said that it is off.",
        fix=f"Empty it with: vmsg node drain {name}, or stop its packages with: "
            f"vmsg node halt {name} -f",
    )


def warning(name: str) -> Problem:
    return problem(
        "operator-word", f"node:{name}", what=f"Nothing but your word says that {name} is off.",
        because="Its lease is over when that counts, so a node that is merely cut off has frozen "
                "its guests. One that hangs as a whole and goes on later is not stopped by that, "
                "nor is a guest that was left detached: it would run twice, and its disks be "
                "ruined.",
        fix=f"See with your own eyes that {name} is off, or cut it off its storage.",
        severity="warn",
    )


def left_alone(name: str, packages: Iterable[str]) -> Problem:
    """What a word risks for guests that no lease stops."""
    named = ", ".join(packages)
    return problem(
        "detached-may-run", f"node:{name}",
        what=f"Left running detached on {name}, where no lease stops it: {named}.",
        because="A node that is only cut off has frozen its guests by the end of its lease, but "
                "not those that were left alone: they write on beside those that are started "
                "elsewhere, two copies of each, and their disks are ruined.",
        fix=f"See with your own eyes that {name} is off, or cut it off its storage, before you "
            "say it.",
        severity="warn",
    )


def at_once(name: str, left_s: float) -> Problem:
    """What `--now` risks."""
    lease = f"Its lease may last for another {left_s:.1f} s, and until then" if left_s > 0 else \
        "If it is not off,"
    return problem(
        "death-at-once", f"node:{name}",
        what=f"{name} is called dead at once, by nothing but your word.",
        because=f"{lease} its guests may run on there and write, beside those that are started "
                "elsewhere: two copies of each, and their disks are ruined.",
        fix="Leave --now out, and it waits for the end of the lease; or see with your own eyes "
            f"that {name} is off.",
        severity="warn",
    )
