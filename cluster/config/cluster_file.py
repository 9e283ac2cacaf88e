"""What a cluster file must hold to be taken: the table of its keys and their rules.

Every node reads the same file; one that is not wholly right is not used.
"""

import re
from typing import Any

from cluster.config.addresses import address, loopback_for_all_or_none, subnet
from cluster.config.load import load
from cluster.config.schema import (
    ClusterConfig, FenceConfig, MigrationConfig, NodeConfig, NodeRole, Profile, Transport,
    VswitchConfig
)
from packages.core.allowed import Accounts, Programs
from packages.core.config import PATH, PORT, SWITCH, subject_of
from packages.core.limits import Limits
from packages.core.names import NAME, NODE_NAME
from packages.core.problem import Problem, problem
from packages.core.shape import (
    CONTROLS, Faults, block, choice, many, number, optional, read_tree, required, table, text,
    truth, whole
)
from packages.core.tree import Mapping, Tree, entry_of


def _ports_differ(values: dict[str, Any], tree: Mapping, where: str, faults: Faults) -> None:
    api, raft = values.get("api_port", 5471), values.get("raft_port", 5470)
    if api != raft:
        return
    entry = entry_of(tree, "api_port") or entry_of(tree, "raft_port")
    faults.add(
        "config-duplicate", entry.line if entry else tree.line,
        what=f"{where} has one port for two things",
        because=f"raft_port and api_port are both {api}", fix="give each its own port",
    )


def _places(node: NodeConfig) -> tuple[str, ...]:
    """Where this node listens; a node with one port for two things is complained of elsewhere."""
    return tuple(sorted({
        f"{node.address} port {node.raft_port}", f"{node.address} port {node.api_port}",
    }))


def _own_migration_address(node: NodeConfig) -> tuple[str, ...]:
    own = node.migration_address
    return () if own is None or own == node.address else (own,)


def _action_and_secrets_are_elsewhere(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    """The file is shown to everybody who may look at the cluster."""
    options = entry_of(tree, "options")
    for name in values.get("options", ()):
        entry = entry_of(options.value, name) if options else None
        line = entry.line if entry else tree.line
        if name == "action":
            faults.add(
                "config-bad-value", line, what=f"{where}.options names the action",
                because="vmsg says what the agent is to do", fix="take `action` out",
            )
        if SECRET.search(name):
            faults.add(
                "config-bad-value", line, what=f"{where}.options.{name} is a secret",
                because="this file is shown to everybody who may look at the cluster",
                fix=f"write it to a file of mode 0600 on every node, and its path under "
                    f"`secrets: {{{name}: PATH}}`",
            )


SECRET = re.compile(r"(^|_)(passwd|password|passphrase|secret|token)$")
PARAMETER = {"key": r"[A-Za-z0-9_-]{1,100}", "says": "a parameter's name"}
FENCE = block(FenceConfig, {
    "agent": required(text(
        r"(?:/[!-~]*/)?fence_[A-Za-z0-9_]+", says="an agent such as fence_ipmilan")),
    "level": optional(whole(1, 9)),
    "options": optional(table(text(longest=1000), **PARAMETER)),
    "secrets": optional(table(PATH, **PARAMETER)),
    # Longer than any management controller needs, and still a wait an operator sits through.
    "timeout_s": optional(number(0.1, 600)),
}, checks=(_action_and_secrets_are_elsewhere,))
NODE = block(NodeConfig, {
    "name": required(NODE_NAME),
    "address": required(address),
    "migration_address": optional(address),
    "raft_port": optional(PORT),
    "api_port": optional(PORT),
    "role": optional(choice(NodeRole)),
    "fences": optional(many(FENCE, most=18)),
}, checks=(_ports_differ,))


def _few_witnesses(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    nodes = values.get("nodes") or ()
    witnesses = [each.name for each in nodes if each.role == "witness"]
    if not witnesses or len(witnesses) * 2 < len(nodes):
        return
    entry = entry_of(tree, "nodes")
    faults.add(
        "config-bad-value", entry.line if entry else tree.line,
        what=f"{where} has too many witnesses",
        because=f"{', '.join(witnesses)} of {len(nodes)} nodes would decide without the others",
        fix="have fewer witnesses than nodes that run packages",
    )


def _commands_are_whole(
    values: dict[str, Any], tree: Mapping, where: str, faults: Faults,
) -> None:
    """What is searched for in some PATH is whatever lies there; a command that is `*` is all."""
    for words in values.get("commands") or ():
        if words[0].startswith("/") and not words[0].endswith("*"):
            continue
        entry = entry_of(tree, "commands")
        faults.add(
            "config-bad-value", entry.line if entry else tree.line,
            what=f"{where}.commands has {words[0]!r}",
            because="a command begins with a program's absolute path",
            fix="write the program's whole path first, such as /usr/bin/ssh",
        )


# A folder is named as it is: what goes up again could be anywhere.
FOLDER = text(
    rf"(?:/(?!\.{{1,2}}(?:/|\Z))[^/{CONTROLS}]+)+", longest=4095,
    says="the absolute path of a folder, without '.' and '..', not ending with '/'",
)
PROGRAMS = block(Programs, {
    "folders": optional(many(FOLDER, most=100)),
    "commands": optional(many(many(text(longest=4095), least=1, most=100), most=1000)),
}, checks=(_commands_are_whole,))
ACCOUNT = text(
    r"[a-z_][a-z0-9_-]{0,31}|[1-9][0-9]{0,8}:[1-9][0-9]{0,8}", longest=32,
    says="an account's name, or UID:GID, and not root's",
)
CLUSTER = block(ClusterConfig, {
    "name": required(NAME),
    "profile": optional(choice(Profile)),
    # More than 64 nodes are not the job; up to seven of them vote.
    "nodes": required(many(NODE, least=1, most=64, claims={
        "name": lambda node: (node.name.lower(),),
        "address": _places,
        "migration_address": _own_migration_address,
    })),
    "vswitches": optional(many(
        block(VswitchConfig, {"name": required(SWITCH), "subnet": required(subnet)}),
        claims={"name": lambda vswitch: (vswitch.name,)},
    )),
    "migration": optional(block(MigrationConfig, {
        "transport": optional(choice(Transport)),
        "private": optional(truth()),
    })),
    # More at once than this nobody could follow, and no host could serve.
    "limits": optional(block(Limits, {
        "moves_per_node": optional(whole(1, 100)),
        "moves_per_link": optional(whole(1, 100)),
        "starts_per_node": optional(whole(1, 1000)),
    })),
    # Shorter than this, an election that takes long would cost guests.
    "end_frozen_after_s": optional(number(60, 1e6)),
    "takeover_reserve_mib": optional(whole(0, 16 * 1024 * 1024)),
    "programs": optional(PROGRAMS),
    "images": optional(many(FOLDER, most=100)),
    "accounts": optional(block(Accounts, {
        "guests": optional(ACCOUNT), "checks": optional(ACCOUNT)})),
}, checks=(_few_witnesses, loopback_for_all_or_none))


def cluster_from_tree(
    tree: Tree, *, source: str = "the cluster file",
) -> tuple[ClusterConfig | None, list[Problem]]:
    """The cluster the tree describes, or None with all of its faults."""
    config, problems = read_tree(
        CLUSTER, tree, subject=subject_of(tree, "cluster", source), source=source,
    )
    return config, problems


def cluster_from_text(
    raw: str | bytes, *, source: str = "cluster.yaml",
) -> tuple[ClusterConfig | None, list[Problem]]:
    """The one cluster a file describes, or None with everything that is wrong with the file."""
    documents, problems = load(raw, source=source)
    found = [cluster_from_tree(tree, source=source) for tree in documents[:2]]
    problems += [fault for _, faults in found for fault in faults]
    if len(found) > 1:
        line = documents[1].line
        problems.append(problem(
            "config-duplicate", f"file:{source}",
            what=f"{source} line {line}: a second cluster begins",
            because=f"line {line}: a cluster file describes one cluster",
            fix="keep one of them",
        ))
    return (None, problems) if problems else (found[0][0], [])
