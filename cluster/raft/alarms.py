"""What no honest node says, said in the log.

What must never happen here: a line for each message.
"""

import logging

from cluster.clock import Clock
from cluster.raft.wire import Envelope
from cluster.tally import Tally

log = logging.getLogger(__name__)


class Alarms:
    def __init__(self, clock: Clock) -> None:
        self._tally = Tally(log, clock.boottime_s)

    def raised(self, peer: str, reason: str, words: str) -> None:
        self._tally.refuse(reason, (
            f"from {peer}: {words}. No honest node says that: if it goes on, see what runs on "
            f"{peer}, and who else has its key (docs/security.md)"), who=peer)

    def dropped(self, peer: str, reason: str, envelope: Envelope, *, boot: int) -> None:
        """By its stamps; most of that is merely late. `boot`: this node's own."""
        if reason.endswith("-beyond-reason"):
            self.raised(peer, reason, "a message was dropped")
        elif reason == "for-another-boot" and envelope.known_boot > boot:
            self.raised(peer, "another-is-heard-as-us", (
                "it has heard a later life of this node than this one, and does not hear this one "
                "before its own daemon is started anew"))
