"""Whom this node trusts, from the first file to the record, and how that changes.

Before a cluster has ever agreed, its founder says who is trusted (cluster/config/founding.py), or
the file every node was given. From then on the record does. A node follows it only once it knows
that its copy is current: a journal that is read again at start passes through keys long retired.

What must never happen here: an invitation taken for good after its time; the founder letting
somebody in after it has handed everything to the record.
"""

import asyncio
import logging
from collections.abc import Collection
from typing import Protocol

from cluster.clock import Clock
from cluster.config.founding import Founding
from cluster.config.schema import ClusterConfig
from cluster.config.vault import Certified, NextKeys, authority_missing
from cluster.core.apply import decide
from cluster.core.entries import Entry, TrustFormed
from cluster.core.model import NodeRecord, State, with_node
from cluster.core.trust import Trust
from cluster.ledger import Ledger
from packages.core.problem import Problem
from packages.core.values import changed

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Invitations end without an event."""
PROPOSE_S = 5.0


class HostKeys(Protocol):
    """The door to this host's own keys, and to everything that opens by keys here."""

    def first_trust(self) -> Trust:
        """What the node's folder says."""

    def own_key(self) -> str:
        """The public key this node proves at present."""

    def founding(self) -> Founding | None: ...

    def was_invited(self) -> bool:
        """Somebody else founded the cluster, and knows whom it trusts."""

    def keep_founding(self, founding: Founding) -> Problem | None: ...

    def trust(self, trust: Trust) -> Problem | None:
        """Let in these and nobody else from now on, and write it down."""

    def follow(self, config: ClusterConfig, text: str) -> Problem | None:
        """Find the others where this agreed cluster file has them, and write it down."""

    def certify(self, node: str, request: str) -> Certified | Problem: ...

    def is_authoritys(self, words: str, signature: str) -> bool:
        """Whether the cluster's authority has signed these words."""

    def next_keys(self) -> NextKeys | Problem: ...

    def change_over(self, certificate: str) -> Problem | None:
        """Prove the next key from now on."""


class Keyring:
    def __init__(
        self, *, nodes: Collection[str], ledger: Ledger, clock: Clock, host: HostKeys,
    ) -> None:
        self._nodes = nodes
        self._ledger, self._clock, self.host = ledger, clock, host
        self._first = host.first_trust()
        self._founding = host.founding()
        self.follows_record = False
        """The record here is known to be what the cluster has agreed upon."""
        self._applied: Trust | None = None
        """What was last given to the host, without what was over by then."""
        ledger.watch(self._look)

    @property
    def is_founding(self) -> bool:
        """Whether this node alone says who comes in."""
        return self._founding is not None and not self._founding.closed

    @property
    def trust(self) -> Trust:
        if self._founding is not None and not self._founding.closed:
            return self._founding.trust
        if self.follows_record and self._ledger.state.trust.nodes:
            return self._ledger.state.trust
        return self._first

    @property
    def state(self) -> State:
        """What entries about keys are decided on here."""
        if not self.is_founding:
            return self._ledger.state
        state = changed(self._ledger.state, trust=self.trust)
        for name in self._nodes:
            if name not in state.nodes:
                state = with_node(state, NodeRecord(name=name))
        return state

    def knows(self, node: str, key: str) -> bool:
        """Whether the host lets that node in by this key, and will after a restart."""
        keys = self._applied.node(node) if self._applied is not None else None
        return keys is not None and key in keys.accepted

    def found(self, entry: Entry) -> Problem | None:
        """The founder's own decision, by the rules the record goes by."""
        assert self._founding is not None and self.is_founding
        after = decide(self.state, entry)
        if isinstance(after, Problem):
            return after
        founding = changed(self._founding, trust=after.trust)
        refused = self.host.keep_founding(founding)
        if refused is None:
            self._founding = founding
            self._look()
        return refused

    def follow_record(self) -> None:
        """It is current from now on."""
        self.follows_record = True
        self._look()

    async def run(self) -> None:
        self._look()
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()
            await self.form()

    async def form(self) -> None:
        """Give the record what was trusted without it, unless it has it. Only who knows all may:
        the founder, or, where all folders were made at once, a node whose file names every
        node. An invited one's names those that were trusted when it came."""
        if not self.follows_record or self._ledger.state.trust.nodes or self.host.was_invited():
            return
        if self._founding is not None:
            if not self._closed():
                return
            trust = self._founding.trust
        else:
            trust = self._first
            if {each.node for each in trust.nodes} != set(self._nodes):
                return
        await self._ledger.say(
            TrustFormed, "the nodes met for the first time", deadline_s=PROPOSE_S, trust=trust)

    def _closed(self) -> bool:
        """The founder lets nobody in any more, and that is on its disk."""
        assert self._founding is not None
        if not self._founding.closed:
            closed = changed(self._founding, closed=True)
            refused = self.host.keep_founding(closed)
            if refused is not None:
                log.error("%s %s", refused.what, refused.because)
                return False
            self._founding, self._first = closed, closed.trust
        return True

    def _look(self) -> None:
        now_ms = self._clock.wall_ms()
        trust = self.trust
        lasting = tuple(each for each in trust.invitations if each.until_ms > now_ms)
        if len(lasting) != len(trust.invitations):
            trust = changed(trust, invitations=lasting)
        if trust == self._applied:
            return
        refused = self.host.trust(trust)
        if refused is not None:  # tried again at the next look
            log.error("%s %s", refused.what, refused.because)
            return
        self._applied = trust


class NoKeys:
    """A host whose messages need none: a simulation's."""

    def first_trust(self) -> Trust:
        return Trust()

    def own_key(self) -> str:
        return ""

    def founding(self) -> Founding | None:
        return None

    def was_invited(self) -> bool:
        return False

    def keep_founding(self, founding: Founding) -> Problem | None:
        return None

    def trust(self, trust: Trust) -> Problem | None:
        return None

    def follow(self, config: ClusterConfig, text: str) -> Problem | None:
        return None

    def certify(self, node: str, request: str) -> Certified | Problem:
        return authority_missing(node)

    def is_authoritys(self, words: str, signature: str) -> bool:
        return False

    def next_keys(self) -> NextKeys | Problem:
        return NextKeys(key="", certificate_request="")

    def change_over(self, certificate: str) -> Problem | None:
        return None
