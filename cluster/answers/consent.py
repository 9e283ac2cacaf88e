"""What is done only for somebody who knows what follows.

A request with `confirmed: false` for something that cannot be taken back, or that lets the cluster
survive less, is refused with what follows; the same request, confirmed, is carried out. A dry run
tells it beside what would be done.
"""

from cluster.answers.desk import refusal
from cluster.api.messages import Changing, Reply
from packages.core.model import PackageSpec
from packages.core.problem import Problem, plain_list, problem
from packages.core.values import changed


def unconfirmed(ask: Changing, follows: list[Problem]) -> Reply | None:
    """The refusal of what is not confirmed; None where it may be done."""
    if ask.confirmed or ask.dry_run or not follows:
        return None
    return refusal(ask, problem(
        "not-confirmed", follows[0].subject, what="Nothing was done yet.",
        because=" ".join(each.what for each in follows),
        fix="Look at what follows from it, and say it again with --yes, where that is meant.",
    ), *follows)


def with_consequences(reply: Reply, follows: list[Problem]) -> Reply:
    """A dry run's answer, with what would follow."""
    if reply.verdict != "done" or not isinstance(reply.result, dict):
        return reply
    return changed(
        reply, result={**reply.result, "consequences": plain_list(follows)},
        problems=(*reply.problems, *follows))


def weakened(before: PackageSpec, after: PackageSpec) -> list[Problem]:
    """What the package would survive no more."""
    found = []
    if len(before.nodes) > 1 and len(after.nodes) == 1:
        found.append((f"could run on {after.nodes[0]} alone",
                      "when that node fails, or is emptied, it runs nowhere"))
    if before.auto_run and not after.auto_run:
        found.append(("would not be started elsewhere any more", "its switching would be off"))
    if before.fence.kind != "none" and after.fence.kind == "none":
        found.append(("would have no storage fence any more",
                      "a takeover would wait for another proof"))
    if before.lease_is_proof and not after.lease_is_proof and after.fence.kind == "none":
        found.append(("would not be taken over at the end of a lease any more",
                      "without another proof it would wait for an operator"))
    return [
        problem("survivability-worse", f"package:{after.name}", what=f"{after.name} {what}.",
                because=f"{because[0].upper()}{because[1:]}.",
                fix="Leave it as it is, unless that is meant.", severity="warn")
        for what, because in found
    ]


def access_lost(name: str) -> Problem:
    return problem(
        "access-lost", f"operator:{name}", what=f"{name}, whose key you use, is let in no more.",
        because="The next command with this key is refused, and nobody can ask for it back with "
                "it.",
        fix="Another full-admin lets a new key in: vmsg operator add NAME --role full-admin --out "
            "DIR (docs/security.md says what root on a node's host can do)", severity="warn")


def gone_for_good(node: str) -> Problem:
    return problem(
        "node-gone", f"node:{node}", what=f"{node} is removed for good.",
        because="Its key and its operator's are let in no more, and its name is never given again.",
        fix=f"To have it away for a time only: vmsg node drain {node}", severity="warn")


def power_cut(node: str, packages: list[str]) -> Problem:
    held = f"{', '.join(packages)} end there as in a power cut" if packages else \
        "what runs there ends as in a power cut"
    return problem(
        "power-cut", f"node:{node}", what=f"The power of {node} is switched off.",
        because=f"{held[0].upper()}{held[1:]}, and start elsewhere where they may." if packages
        else f"{held[0].upper()}{held[1:]}.",
        fix=f"To move its packages online instead: vmsg node drain {node}", severity="warn")
