"""How a node changes its key while everything goes on.

The order is in the record, and this node carries it out step by step, each derived from the record
and its own files, so that it goes on after a crash at any point:

    ordered     make the next keys, on disk; offer the public half to the record
    offered     every other node says that it lets this one in by both; a certificate is issued
    (change)    once no move is under way, replace the files, listen and connect with the new key
    changed     have the old key retired

Nobody is left behind: a node that is down is waited for, because one that did not hear of the new
key could not be reached by anybody who has changed, and so would never hear of it. To listen anew
cuts every connection for some hundred milliseconds, which is longer than a move may wait in its
freeze; so moves come first, for a time. What must never happen here: the new key used before all
others know it.
"""

import asyncio
import logging
from collections.abc import Mapping

from cluster.api.messages import AskKeyKnown, Reply
from cluster.api.neighbour import Neighbour
from cluster.certifying import Certifier
from cluster.core.entries import NodeKeyOffered, NodeKeyRetired
from cluster.core.model import State
from cluster.core.trust import NodeKeys
from cluster.keyring import Keyring
from cluster.ledger import Ledger
from packages.core.problem import Problem

log = logging.getLogger(__name__)

AGAIN_S = 0.5
"""Between two attempts at a step that has to wait for somebody."""
ASK_S = 2.0
MOVES_FIRST_S = 900.0
"""So long moves come first: what a drain of a full node takes. Then it is better to break one,
which leaves its guest where it was, than to keep a key that somebody wants gone."""


class Rotation:
    def __init__(
        self, *, node: str, ledger: Ledger, keyring: Keyring, certifier: Certifier,
        neighbours: Mapping[str, Neighbour],
    ) -> None:
        self._node, self._ledger, self._keyring, self._host = node, ledger, keyring, keyring.host
        self._certifier, self._neighbours = certifier, neighbours

    async def run(self) -> None:
        while True:
            await self._ledger.until(self._is_ordered, deadline_s=None)
            mine = self._ledger.state.trust.node(self._node)
            assert mine is not None
            refused = await self._step(mine)
            if refused is not None:
                log.info("the change of keys waits: %s %s", refused.what, refused.because)
                await asyncio.sleep(AGAIN_S)

    def _is_ordered(self, state: State) -> bool:
        """A journal that is read again at start holds orders long carried out."""
        mine = state.trust.node(self._node)
        return self._keyring.follows_record and mine is not None and bool(mine.rotation)

    async def _step(self, mine: NodeKeys) -> Problem | None:
        if mine.next_key and mine.next_key == self._host.own_key():
            return await self._ledger.say(
                NodeKeyRetired, "the node uses its new key", node=self._node,
                rotation=mine.rotation)
        made = self._host.next_keys()
        if isinstance(made, Problem):
            return made
        if mine.next_key != made.key:
            return await self._ledger.say(
                NodeKeyOffered, "the node has made a new key", node=self._node, key=made.key,
                rotation=mine.rotation)
        certified = await self._certifier.certify(self._node, made.certificate_request)
        if isinstance(certified, Problem):
            return certified
        if not await self._is_known_to_all(made.key):
            await asyncio.sleep(AGAIN_S)
            return None
        await self._ledger.until(_has_no_move, deadline_s=MOVES_FIRST_S)
        log.info("changing over to the new key")
        return self._host.change_over(certified.certificate)

    async def _is_known_to_all(self, key: str) -> bool:
        others = [
            each.node for each in self._ledger.state.trust.nodes if each.node != self._node
        ]
        known = await asyncio.gather(*(self._is_known_to(each, key) for each in others))
        silent = [name for name, knows in zip(others, known, strict=True) if not knows]
        if silent:
            log.info("the change of keys waits for %s", ", ".join(silent))
        return not silent

    async def _is_known_to(self, name: str, key: str) -> bool:
        if name not in self._neighbours:
            return False
        reply = await self._neighbours[name].ask(AskKeyKnown(key=key), deadline_s=ASK_S)
        return (
            isinstance(reply, Reply) and isinstance(reply.result, dict)
            and reply.result.get("known") is True
        )


def _has_no_move(state: State) -> bool:
    return not any(each.moving for each in state.packages.values())
