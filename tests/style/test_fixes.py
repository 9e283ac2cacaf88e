"""Each command that a message names can be typed, and each code whose fix names one is tried.

What is written into a message with braces (a name, a folder) stands here as a word of its kind.
"""

import ast
import re
from collections.abc import Iterator

import click

from cli.tree import TOP, Folder, root
from tests.scenarios.test_fixes import FIXES
from tests.style.sources import ROOT, Source, dotted, product
from tests.style.test_problems import first_argument

COMMAND = re.compile(r"vmsg ([a-z][^;:,()\n`\"]*)")
WORDS = {"NODE": "n1", "NAME": "n1", "ADDRESS": "10.0.0.1", "TEXT": "text", "DIR": "/tmp/x",
         "LINE": "line", "PKG": "web", "FILE": "x.yaml", "ID": "r1"}

BY_HAND = {
    "access-lost": "another operator makes a key: tests/commands/test_cli_consent.py",
    "authority-missing": "a key is put back on a host: tests/live/test_joining_live.py",
    "node-not-heard": "a cable or a daemon is looked at: tests/core/test_let_go.py",
    "program-not-allowed": "a full-admin decides what is root's to run: tests/core/test_allowed.py",
    "secret-on-command-line": "the next line is read: tests/commands/test_join_line.py",
    "request-differs": "another id is drawn by the command itself: tests/core/test_outcomes.py",
    "request-forgotten": "another id is drawn by the command itself: tests/core/test_outcomes.py",
    "backup-damaged": "another copy is looked for: tests/core/test_backup.py",
    "cluster-file-changed": "two ask at once; the file is looked at",
    "dependency-unmet": "test_fixes.py beside the table",
    "detached-unheard": "a host is looked at: tests/scenarios/test_out_of_sight.py",
    "disk-is-another": "a person knows which LUN is meant: tests/live/test_disk_identity_live.py",
    "disk-not-visible": "a LUN is shown to a host; preflight is looked at",
    "fence-failed": "a device is looked at: tests/live/test_fence_agents_live.py",
    "fence-self": "another node coordinates then: tests/scenarios/test_power_fencing.py",
    "file-unreadable": "a file is looked for: tests/commands/test_cli_trouble.py",
    "guest-will-not-end": "a host is looked at: tests/scenarios/pains",
    "invitation-invalid": "another host takes the line: tests/live/test_joining_live.py",
    "join-line-broken": "the line is copied again: tests/core/test_joining.py",
    "lab-failed": "a machine's load is looked at: tests/live/test_lab_life.py",
    "lab-is-up": "a lab is removed: tests/live/test_lab_life.py",
    "lab-no-network": "another lab is removed: tests/live/test_lab_life.py",
    "lab-not-up": "a lab is made: tests/live/test_lab_life.py",
    "last-admin": "another key is made: tests/live/test_rotation_live.py",
    "mac-in-use": "a person knows which package is to have it",
    "membership-changing": "it ends by itself: tests/core/test_members_rules.py",
    "move-failed": "its cause is looked at: tests/scenarios/pains",
    "no-cluster": "keys are brought to a host: tests/commands/test_find.py",
    "no-node-available": "nodes are looked at: tests/scenarios/pains",
    "no-quorum": "hosts are started: tests/commands/test_cli_trouble.py",
    "node-failed": "packages run elsewhere already: tests/scenarios/test_out_of_sight.py",
    "node-gone": "said before a removal, in place of one: tests/scenarios/test_consent.py",
    "node-heard": "the node is emptied instead: tests/scenarios/pains",
    "node-is-witness": "a witness is not emptied at all: test_fixes.py beside the table",
    "node-known": "a host joins: tests/live/test_joining_live.py",
    "node-left-out": "a file is mended, or a node removed first: tests/scenarios/test_consent.py",
    "node-not-left": "its host goes down, and waits for longer: tests/simulation/test_leave.py",
    "node-not-known": "the others are asked: tests/live/test_membership_live.py",
    "node-not-quarantined": "the record's own answer; an operator hears that it is so already",
    "node-not-voting": "a host is started: tests/live/test_membership_live.py",
    "node-quarantined": "three failures lie before it: tests/core/test_quarantine.py",
    "node-silent": "a host is looked at: tests/scenarios/pains",
    "not-authorised": "somebody else asks: tests/commands/test_cli_trouble.py",
    "nothing-to-prove": "nothing needs to be done: tests/scenarios/pains",
    "operator-known": "a key is made: tests/live/test_rotation_live.py",
    "owner-lost": "the lost guest is given up, or its node heard again: tests/scenarios/pains",
    "package-failed": "its cause is mended first: tests/scenarios/pains",
    "package-moving": "a move is ended: tests/live/test_moves_live.py",
    "package-not-moving": "its last move is looked at: tests/commands/test_cli_output.py",
    "package-on-one-node": "test_fixes.py beside the table",
    "package-start-failed": "its cause is mended first: tests/scenarios/pains",
    "package-stays-down": "a warning of a plan: tests/core/test_fail_plan.py",
    "power-cut": "said before it, in place of it: tests/scenarios/test_consent.py",
    "proof-missing": "a person sees that a host is off: tests/core/test_proof.py",
    "quorum-lost": "a host is added: tests/core/test_fail_plan.py",
    "rejoin-unsafe": "hosts are started: tests/live/test_rejoin_live.py",
    "restore-unconfirmed": "a person says so: tests/core/test_backup.py",
    "restore-unsafe": "what runs is halted first: tests/core/test_backup.py",
    "storage-fence-failed": "a storage is looked at: tests/contracts/test_fence_contract.py",
    "timed-out": "what goes on is followed: tests/commands/test_cli_waiting.py",
    "word-taken-back": "the node is emptied instead: tests/scenarios/test_words.py",
    "unknown-request": "how things are is looked at: tests/scenarios/test_out_of_sight.py",
    "unknown-operator": "a list is looked at: tests/live/test_rotation_live.py",
}
"""Codes whose fix names a command, but is not typed in tests/scenarios/test_fixes.py, and why."""


def named_commands() -> Iterator[tuple[str, str]]:
    """Where a command is named in a message, and its words."""
    for source in product():
        skipped = {id(each) for each in (*docstrings(source), *pieces(source))}
        for node in ast.walk(source.tree):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in skipped:
                for line in COMMAND.findall(spoken(node)):
                    if line.split()[0] in TOP:  # else vmsg is the product
                        yield source.where(node), line


def pieces(source: Source) -> Iterator[ast.AST]:
    """What stands between two braces is looked at as a part of the whole."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.JoinedStr):
            yield from node.values


def docstrings(source: Source) -> Iterator[ast.AST]:
    for node in ast.walk(source.tree):
        body = getattr(node, "body", ())
        for each in body if isinstance(body, list) else ():
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                yield each.value


def spoken(node: ast.AST) -> str:
    """The text of a message, a word in place of everything that is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else "n1" for each in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w+\}", "n1", node.value)
    return ""


def test_commands_in_messages_can_be_typed():
    wrong = [f"{where}: vmsg {line}" for where, line in named_commands() if not is_typed(line)]
    assert not wrong, "\n".join(wrong)


def is_typed(line: str) -> bool:
    """Whether some beginning of these words, all that belong to it, is a whole command."""
    words = [WORDS.get(word, word) for word in line.rstrip(". ").split()]
    return any(parses(words[:end]) for end in range(len(words), 0, -1)
               if not any(word.startswith("-") for word in words[end:end + 1]))


def parses(words: list[str]) -> bool:
    command: click.Command = root
    context = click.Context(root, info_name="vmsg", **root.context_settings)
    while words and isinstance(command, Folder):
        if words[0] not in command.list_commands(context):
            return False
        found = command.get_command(context, words[0])
        assert found is not None
        command, words = found, words[1:]
    if isinstance(command, Folder):
        return not words  # `vmsg lab`, of all of its commands
    try:
        command.make_context(command.name, list(words), resilient_parsing=False)
    except click.UsageError:
        return False
    return True


def codes_with_commands() -> set[str]:
    found = set()
    for source in product():
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call) or not dotted(node.func).endswith("problem"):
                continue
            fix = next((each.value for each in node.keywords if each.arg == "fix"), None)
            if fix is not None and any(
                    COMMAND.search(spoken(each)) for each in ast.walk(fix)):
                found |= set(first_argument(node))
    return found


def test_each_code_whose_fix_is_a_command_is_tried_in_the_state_that_prints_it():
    tried = {row.code for row in FIXES} | set(BY_HAND)
    assert not sorted(codes_with_commands() - tried)
    named = re.findall(r"tests/[\w/.]+", " ".join(BY_HAND.values()))
    assert not [each for each in named if not (ROOT / each).exists()]
    assert not sorted(set(BY_HAND) & {row.code for row in FIXES}), "once is enough"
