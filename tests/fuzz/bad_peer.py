"""Somebody with one node's key, at the doors of the others: listens as that node would, so knows
their terms, indexes and boots, and says what it likes.

What must never happen here: a message given up because the other end was busy: it waits.
"""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

from cluster.api import messages as ask
from cluster.api.messages import Call
from cluster.config.addresses import tcp_endpoint
from cluster.config.keys import NodeFolder, load_node_folder
from cluster.core import codec, entries
from cluster.raft.engine import COMMAND
from cluster.raft.links import SocketLinks
from cluster.raft.wire import (
    Append, Envelope, Forward, HigherTerm, Install, PreVote, VoteRequest, opened
)
from cluster.seating import endpoint_of
from cluster.sockets import Sender, keys_of
from packages.core.values import changed, to_msgpack
from tests.fuzz.bad_bytes import mutated
from tests.raft.bad_node import BadNode

MUTATED, AT_REQUESTS = 0.5, 0.1
"""Shares of all that is said."""
PATIENCE_S = 30.0
LATER_BOOT = 1000
"""Than any the true node has had: the others take this one for it."""
LIFE = 200
"""Messages, after which it is a later life again: a number far ahead deafens for the rest of one,
and so does a boot far ahead for good, which is therefore left out."""


class Known:
    """Of one victim, from what it says."""

    term, index, boot = 0, 0, 0

    def heard(self, said: Envelope) -> None:
        self.term, self.boot = said.term, said.boot
        body = said.body
        if isinstance(body, (Append, Install)):
            self.index = max(self.index, body.commit_index)
        elif isinstance(body, VoteRequest):
            self.index = max(self.index, body.last_index)


class BadPeer:
    """`etc`: the folder of the node whose key was taken. Made on the running event loop."""

    def __init__(self, etc: Path, seed: int, *, boot: int = LATER_BOOT) -> None:
        folder = load_node_folder(etc)
        assert isinstance(folder, NodeFolder), folder
        keys = keys_of(folder.curve_secret)
        assert keys is not None
        self.dice = random.Random(seed)
        self.counts: Counter[str] = Counter()
        others = [each for each in folder.config.nodes if each.name != folder.name]
        me = next(each for each in folder.config.nodes if each.name == folder.name)
        self.victims = [each.name for each in others]
        self._links = SocketLinks(
            {each.name: (endpoint_of(each), folder.keys.nodes[each.name]) for each in others},
            bind=endpoint_of(me), keys=keys)
        self._doors = {each.name: Sender(
            tcp_endpoint(each.address, each.api_port), keys=keys, received=self._answered,
            server_key=folder.keys.nodes[each.name]) for each in others}
        self._bad = {name: BadNode(seed, boot) for name in self.victims}
        self._boot, self._said = boot, 0
        self._known = {name: Known() for name in self.victims}
        refused = self._links.start(self._heard)
        assert refused is None, refused

    def _heard(self, peer: str, raw: bytes) -> None:
        said = opened(raw)
        assert said is not None
        self.counts["heard"] += 1
        self._known[peer].heard(said)

    def _answered(self, raw: bytes) -> None:
        self.counts["answered"] += 1

    async def say(self, *, may_raise_terms: bool) -> None:
        """One more message, to either of them."""
        victim = self.dice.choice(self.victims)
        if self.dice.random() < AT_REQUESTS:
            return await self._ask(victim)
        raw = self._message(victim)
        while not self._may_say(raw, self._known[victim].term, may_raise_terms):
            raw = self._message(victim)
        urgent, end_s = self.dice.random() < 0.2, time.monotonic() + PATIENCE_S
        while not self._links.send(victim, raw, urgent=urgent):
            assert time.monotonic() < end_s, f"{victim} takes nothing"
            await asyncio.sleep(0.002)
        self.counts["said"] += 1

    def _message(self, victim: str) -> bytes:
        known = self._known[victim]
        self._said += 1
        if self._said % LIFE == 0:
            self._boot += 1
            self._bad = {
                name: BadNode(self.dice.getrandbits(32), self._boot) for name in self.victims}
        raw = self._bad[victim].said(known.term, known.index, boot=known.boot)
        if self.dice.random() < 0.1:
            raw = self._forwarded(raw)
        return mutated(raw, self.dice) if self.dice.random() < MUTATED else raw

    def _forwarded(self, raw: bytes) -> bytes:
        """An entry of the record that changes nothing, whole or not, in its envelope."""
        envelope = opened(raw)
        assert envelope is not None
        entry = codec.encode_entry(entries.Noted(
            id=f"{self.dice.getrandbits(64):x}", at_ms=self.dice.getrandbits(40), by="n1",
            because="x" * self.dice.randrange(2000)))
        if self.dice.random() < MUTATED:
            entry = mutated(entry, self.dice)
        return to_msgpack(changed(envelope, body=Forward(
            command=COMMAND + entry, number=self.dice.randrange(1 << 40))))

    def _may_say(self, raw: bytes, term: int, may_raise_terms: bool) -> bool:
        """Whether it does not end a leader's term, which is in any member's power, nor silences
        those that are to follow. Never does it claim to lead where nobody does: who is believed
        to lead gives the others a record of its own, and is not asked for votes he may not have."""
        said = opened(raw)
        if said is None:
            return True
        if isinstance(said.body, (Append, Install)) and said.body.term >= term + (
                not may_raise_terms):
            return False
        raises = isinstance(said.body, (HigherTerm, PreVote)) and said.term > term
        return said.boot <= self._boot and (may_raise_terms or not raises)

    async def _ask(self, victim: str) -> None:
        kind = self.dice.choice(ask.ALL_REQUESTS)
        raw = to_msgpack(Call(number=self.dice.randrange(1 << 30), ask=kind()))
        raw = mutated(raw, self.dice) if self.dice.random() < 0.8 else raw
        sent = await self._doors[victim].send_when_up(raw, deadline_s=PATIENCE_S)
        assert sent, f"{victim} takes no request"
        self.counts["asked"] += 1

    def close(self) -> None:
        self._links.close()
        for each in self._doors.values():
            each.close()
