"""The status as a table in the manner of cmviewcl: packages beneath their nodes, then the rest.

PURE: from the tree of `vmsg status -o json` to lines.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cli.output import size, span, table
from cli.problems import lines_of
from packages.core.problem import Problem
from packages.core.values import shaped

Tree = Mapping[str, Any]

NAME, WORD = 14, 11
"""Least widths, so that the tables of a small cluster stand beneath one another."""

PACKAGE_HEAD = ("PACKAGE", "STATUS", "STATE", "AUTO_RUN", "NODE", "MONITORING")


def status_lines(status: Tree, *, verbose: bool = False) -> list[str]:
    packages = status["packages"]
    known = {node["name"] for node in status["nodes"]}
    lines = ["", *cluster_lines(status["cluster"], verbose)]
    for node in status["nodes"]:
        mine = [each for each in packages if each["node"] == node["name"]]
        lines += ["", *node_lines(node, verbose)]
        lines += package_lines(mine, verbose)
    unowned = [each for each in packages if each["node"] not in known]
    if unowned:
        lines += ["", "UNOWNED_PACKAGES", *package_lines(unowned, verbose)]
    lines += move_lines(packages)
    lines += hold_lines(packages)
    lines += refused_lines(status.get("refused") or {})
    return [*lines, *problem_lines(status["problems"]), ""]


def cluster_lines(cluster: Tree, verbose: bool) -> list[str]:
    head = ["CLUSTER", "STATUS", "LEADER", "QUORUM"]
    row = [
        cluster["name"] or "-", cluster["status"], cluster["leader"] or "-",
        "yes" if cluster["quorum"] else "no",
    ]
    if verbose:
        head += ["TERM", "ENTRY"]
        row += [str(cluster["term"]), str(cluster["entry"])]
    return table(head, [row], widths=(NAME, WORD))


def node_lines(node: Tree, verbose: bool) -> list[str]:
    head = ["NODE", "STATUS", "STATE", "ADDRESS"]
    row = [node["name"], node["status"], node["state"], node["address"]]
    if node.get("role", "voter") != "voter":  # what is usual is not worth a column
        head, row = [*head, "ROLE"], [*row, node["role"]]
    lines = table(head, [row], indent=2, widths=(NAME, WORD, WORD))
    if node.get("awaited"):
        lines.append(f"    {waiting(node['awaited'])}")
    if verbose:
        lines += facts(node, ("since", "because", "version", "quarantined_until"), indent=4)
        lines.append(f"    watchdog: {watchdog(node)}")
        if node.get("proof"):
            lines.append(f"    proven dead by {said(node['proof'])}")
        lines += maintenance(node)
    return lines


def maintenance(node: Tree) -> list[str]:
    """How far a drain or a return is."""
    lines = []
    if node["state"] == "draining" and node.get("drain"):
        plan = node["drain"]
        lines.append(f"    drain: {len(plan['moves'])} packages in {len(plan['waves'])} waves, "
                     f"{len(node['packages'])} left")
    if node.get("returning"):
        lines.append(f"    brings home: {', '.join(node['returning'])}")
    return lines + [f"    not moved: {each['package']}" for each in node.get("stuck") or ()]


def package_lines(packages: list[Tree], verbose: bool) -> list[str]:
    """One table for all packages of a node; with -v one for each, with its details beneath."""
    if not packages:
        return []
    rows = [
        (each["name"], each["status"], each["state"],
         "enabled" if each["auto_run"] else "disabled", each["node"] or "unowned",
         each["monitoring"])
        for each in packages
    ]
    settings: dict[str, Any] = {"indent": 4, "widths": (NAME, WORD, WORD)}
    if not verbose:
        return ["", *table(PACKAGE_HEAD, rows, **settings)]
    lines = []
    for each, row in zip(packages, rows, strict=True):
        lines += ["", *table(PACKAGE_HEAD, [row], **settings), *details(each)]
    return lines


def details(package: Tree) -> list[str]:
    lines = facts(
        package, ("description", "because", "since", "boot_id", "epoch", "machine"), indent=6,
    )
    lines += [f"      disk: {path}" for path in package.get("disks") or ()]
    if package.get("not_runnable_on"):
        lines.append(f"      not runnable on: {package['not_runnable_on']}")
    if package.get("last_move"):
        move = package["last_move"]
        lines.append(
            f"      last move: {move['source']} -> {move['target']} {move['result']}, "
            f"freeze {span(move['freeze_ms'])}"
        )
    if package.get("proof"):
        lines.append(f"      taken over by proof of {said(package['proof'])}")
    lines.append(
        "      lease is proof: "
        + ("yes (though it does not stop a host that hangs as a whole and goes on later)"
           if package.get("lease_is_proof", True) else "no"))
    monitors = package.get("monitors") or ()
    if monitors:
        rows = [
            (each["kind"], span(each["interval_s"] * 1000), str(each["retries"]), each["name"])
            for each in monitors
        ]
        lines += ["", "      Monitors:"]
        lines += table(("KIND", "EVERY", "RETRIES", "NAME"), rows, indent=6, widths=(WORD,))
    return [*lines, "", "      Node_Switching_Parameters:", *switching(package)]


def said(proof: Tree) -> str:
    when = f", {moment(proof['at_ms'])}" if proof.get("at_ms") else ""
    return f"{proof['kind']}: {proof['because']}{when}"


def watchdog(node: Tree) -> str:
    if not node.get("watchdog"):
        return "none, so that a lease alone does not stop a host that hangs as a whole"
    if not node["watchdog_s"]:
        return f"{node['watchdog']}, which proves nothing: it hangs with the kernel"
    return f"{node['watchdog']}, resets a host that hangs after {node['watchdog_s']:g} s"


def waiting(awaited: Tree) -> str:
    """What keeps the packages of a silent or dead node where they are."""
    held = ", ".join(awaited["packages"]) or "nothing"
    until = f", at the latest by {awaited['until']}" if awaited["until"] else ""
    return f"waiting for a proof of its death ({' or '.join(awaited['for'])}){until}: {held}"


def switching(package: Tree) -> list[str]:
    rows = [
        ("Primary" if place == 0 else "Alternate",
         "enabled" if each["enabled"] else "disabled",
         each["node"] + ("  (current)" if each["node"] == package["node"] else ""))
        for place, each in enumerate(package.get("switching") or ())
    ]
    return table(("NODE_TYPE", "SWITCHING", "NAME"), rows, indent=6, widths=(WORD, WORD))


def facts(tree: Tree, names: Iterable[str], *, indent: int) -> list[str]:
    return [
        f"{' ' * indent}{name.replace('_', ' ')}: {tree[name]}" for name in names if tree.get(name)
    ]


def move_lines(packages: Iterable[Tree]) -> list[str]:
    rows = [
        (each["name"], each["move"]["source"], each["move"]["target"], each["move"]["phase"],
         "queued" if each["move"].get("queued") else f"{each['move']['percent']:.0f} %",
         size(each["move"]["transferred_bytes"]))
        for each in packages if each["move"]
    ]
    head = ("PACKAGE", "FROM", "TO", "PHASE", "DONE", "COPIED")
    return ["", "MOVES", *table(head, rows, indent=4, widths=(NAME,))] if rows else []


def refused_lines(refused: Tree) -> list[str]:
    """What the answering node has turned away since its daemon started."""
    rows = [
        (door, reason, str(count))
        for door, reasons in (refused.get("counts") or {}).items()
        for reason, count in reasons.items()
    ]
    if not rows:
        return []
    head = ("DOOR", "REFUSED", "TIMES")
    return ["", f"REFUSED_AT {refused['node']}", *table(head, rows, indent=4, widths=(NAME,))]


def hold_lines(packages: Iterable[Tree]) -> list[str]:
    """Everything that is switched off for now, by whom, why and until when."""
    rows = []
    for package in packages:
        if package["monitoring"] == "suspended":
            rows.append((package["name"], "monitoring", "-", "vmsg",
                         package["suspended_until"] or "-", "the freeze of its move"))
        for hold in package.get("holds") or ():
            rows.append((package["name"], hold["kind"], hold.get("node") or "-", hold["by"],
                         until_of(hold), hold["reason"]))
    head = ("PACKAGE", "WHAT", "NODE", "BY", "UNTIL", "REASON")
    return ["", "SUSPENSIONS", *table(head, rows, indent=4, widths=(NAME,))] if rows else []


def until_of(hold: Tree) -> str:
    until_ms = hold.get("until_ms")
    return moment(until_ms) if until_ms else "-"


def moment(at_ms: float) -> str:
    from datetime import UTC, datetime  # few suspensions have an end, few nodes died
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def problem_lines(problems: Iterable[Tree]) -> list[str]:
    lines = [
        f"    {line}" for each in problems for line in lines_of(shaped(dict(each), Problem))
    ]
    return ["", "PROBLEMS", *lines] if lines else []
