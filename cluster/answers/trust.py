"""Answers about keys: inviting and letting in, changing keys, operators.

An invited host may ask one thing (cluster/api/roles.py). What must never happen here: a host let
in that did not get everything it needs, or another than the one whose keys were taken down.
"""

import hashlib
import re

from cluster.answers.consent import access_lost, unconfirmed, with_consequences
from cluster.answers.desk import ENTRY_S, Desk, done, preview, refusal
from cluster.api.messages import (
    AddOperator, AskCertificate, AskKeyKnown, Changing, GetKeys, InviteNode, JoinNode,
    RemoveOperator, Reply, RotateNode, words_of
)
from cluster.api.roles import Caller, node_gives_no_orders
from cluster.config.addresses import tcp_endpoint
from cluster.config.certificates import key_of
from cluster.config.joining import JoinAnswer
from cluster.config.keys import OPERATOR_NAME_PATTERN, public_keys
from cluster.core import entries, refusals
from cluster.core.view import rfc3339
from cluster.sockets import bad_key, is_key
from packages.core.problem import Problem, problem
from packages.core.values import plain

LONGEST_S = 30 * 86400.0
"""An invitation that lasts longer than a month is a key lying about."""
PROOF_MS = 600_000
"""Clocks of hosts differ by less, and nobody takes longer to send what was signed."""
DOORS = 3
"""More addresses make the line long; one of three nodes is up when the cluster is."""


async def invite(desk: Desk, caller: Caller, ask: InviteNode) -> Reply:
    node = next((each for each in desk.config.nodes if each.name == ask.node), None)
    if node is None:
        return refusal(ask, refusals.unknown_node(ask.node))
    if not is_key(ask.key):
        return refusal(ask, bad_key(f"node:{ask.node}"))
    if not 0 < ask.for_s <= LONGEST_S:
        return refusal(ask, problem(
            "invitation-invalid", f"node:{ask.node}", what="An invitation cannot last so long.",
            because=f"{ask.for_s:g} s were asked for; at most {LONGEST_S:g} s are given.",
            fix="Make it for as long as it takes to set the host up: --for 1h",
        ))
    impossible = await desk.certifier.is_possible()
    if impossible is not None:
        return refusal(ask, impossible)
    until_ms = desk.clock.wall_ms() + int(ask.for_s * 1000)
    stopped = await _change(desk, ask, desk.entry(
        entries.NodeInvited, caller, ask, node=ask.node, key=ask.key, role=ask.role,
        until_ms=until_ms,
    ))
    return stopped or done(ask, {
        "node": ask.node, "cluster": desk.config.name, "until_ms": until_ms,
        "until": rfc3339(until_ms), "doors": _doors(desk, ask.node),
    })


def _doors(desk: Desk, invited: str) -> list[dict[str, str]]:
    """Nodes the invited host may ask, this one first: it is up."""
    here = [each for each in desk.config.nodes if each.name == desk.node]
    others = [each for each in desk.config.nodes if each.name not in (desk.node, invited)]
    known = [
        (node, keys.key) for node in (*here, *others)
        if (keys := desk.keyring.trust.node(node.name)) is not None
    ]
    return [{"address": tcp_endpoint(node.address, node.api_port), "key": key}
            for node, key in known[:DOORS]]


async def join(desk: Desk, caller: Caller, ask: JoinNode) -> Reply:
    """First the certificate, which changes nothing; then the keys are taken down; then the host
    hears the rest."""
    if not (is_key(ask.key) and is_key(ask.operator_key)):
        return refusal(ask, bad_key(f"node:{caller.name}"))
    certified = await desk.certifier.certify(caller.name, ask.certificate_request)
    if isinstance(certified, Problem):
        return refusal(ask, certified)
    asked = (ask.key, ask.operator_key, key_of(ask.certificate_request) or "")
    digest = hashlib.sha256("\0".join(asked).encode()).hexdigest()
    entry = entries.NodeAdmitted(
        id=desk.clock.token(), at_ms=desk.clock.wall_ms(), by=caller.name,
        because="it was invited", node=caller.name, invitation=caller.invitation, key=ask.key,
        operator_key=ask.operator_key, digest=digest,
    )
    stopped = await _change(desk, Changing(request=ask.request), entry)
    if stopped is not None:
        return stopped
    return done(ask, plain(JoinAnswer(
        cluster=desk.ledger.state.config_text or desk.config_text,
        keys=public_keys(desk.keyring.trust), authority=certified.authority,
        certificate=certified.certificate,
    )))


async def rotate(desk: Desk, caller: Caller, ask: RotateNode) -> Reply:
    impossible = await desk.certifier.is_possible()
    if impossible is not None:
        return refusal(ask, impossible)
    entry = desk.entry(entries.RotationAsked, caller, ask, node=ask.node)
    return await _change(desk, ask, entry) or done(
        ask, {"node": ask.node, "rotation": entry.id})


async def keys(desk: Desk, _: Caller, ask: GetKeys) -> Reply:
    trust = desk.keyring.trust
    if ask.current and not desk.keyring.is_founding:
        trust = desk.ledger.state.trust  # which this host may not go by yet
    return done(ask, {
        "nodes": [plain(each) for each in trust.nodes],
        "operators": [plain(each) for each in trust.operators],
        "invitations": [
            {
                "node": each.node, "role": each.role, "until": rfc3339(each.until_ms),
                "by": each.by, "used": bool(each.used),
            }
            for each in trust.invitations if each.until_ms > desk.clock.wall_ms()
        ],
    })


async def add_operator(desk: Desk, caller: Caller, ask: AddOperator) -> Reply:
    if re.fullmatch(OPERATOR_NAME_PATTERN, ask.name) is None:
        return refusal(ask, problem(
            "config-bad-value", f"operator:{ask.name[:60]}", what="This is no operator's name.",
            because="A name has 1 to 64 letters, digits, '.', '-', '_' or '@'.",
            fix="Choose another name.",
        ))
    if not is_key(ask.key):
        return refusal(ask, bad_key(f"operator:{ask.name}"))
    if caller.is_node and not _is_authoritys(desk, ask):
        return refusal(ask, node_gives_no_orders(caller))
    return await _change(desk, ask, desk.entry(
        entries.OperatorAdded, caller, ask, name=ask.name, key=ask.key, role=ask.role,
    )) or done(ask, {"operator": ask.name, "role": ask.role})


def _is_authoritys(desk: Desk, ask: AddOperator) -> bool:
    """Lately: who was let in so and struck off again is not let in by the same words."""
    age_ms = abs(desk.clock.wall_ms() - ask.proof_at_ms)
    return age_ms <= PROOF_MS and desk.keyring.host.is_authoritys(words_of(ask), ask.proof)


async def remove_operator(desk: Desk, caller: Caller, ask: RemoveOperator) -> Reply:
    follows = [access_lost(ask.name)] if caller.name == ask.name and not caller.is_node else []
    possible = preview(desk.keyring.state, ask, desk.entry(
        entries.OperatorRemoved, caller, ask, name=ask.name))
    if ask.dry_run or possible.verdict != "done":
        return with_consequences(possible, follows)
    return unconfirmed(ask, follows) or await _change(desk, ask, desk.entry(
        entries.OperatorRemoved, caller, ask, name=ask.name,
    )) or done(ask, {"operator": ask.name})


async def certificate(desk: Desk, caller: Caller, ask: AskCertificate) -> Reply:
    """Another node asks, for itself or for one that is invited; nobody gets one in the name of a
    third."""
    invited = {each.node for each in desk.keyring.trust.invitations}
    if ask.node != caller.name and ask.node not in invited:
        return refusal(ask, problem(
            "not-authorised", f"node:{caller.name}", what="No certificate is issued.",
            because=f"{caller.name} is not {ask.node}, and {ask.node} is not invited.",
            fix=f"Invite it first: vmsg node invite {ask.node}",
        ))
    found = desk.keyring.host.certify(ask.node, ask.certificate_request)
    return refusal(ask, found) if isinstance(found, Problem) else done(ask, plain(found))


async def key_known(desk: Desk, caller: Caller, ask: AskKeyKnown) -> Reply:
    return done(ask, {"known": desk.keyring.knows(caller.name, ask.key)})


async def _change(desk: Desk, ask: Changing, entry: entries.Entry) -> Reply | None:
    """Have it agreed upon, or decided by the founder while nobody else can."""
    keyring = desk.keyring
    if ask.dry_run:
        return preview(keyring.state, ask, entry)
    if keyring.is_founding:
        refused = keyring.found(entry)
        return None if refused is None else refusal(ask, refused)
    refused = await desk.ledger.propose(entry, deadline_s=ENTRY_S)
    if refused is not None:
        return refusal(ask, refused)
    return None
