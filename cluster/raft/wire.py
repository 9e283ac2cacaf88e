"""What nodes say to each other about agreement, as typed values in one versioned envelope.

PySyncObj's own messages are dictionaries, pickled; here each has a type with bounds, and bytes
that are not of it are dropped. The sender is not in the envelope: it is the key of the connection
the bytes came by. What must never happen here: code run, or a value half checked, because of bytes.
"""

from collections import Counter
from typing import Annotated, Any

from packages.core.values import Bound, Natural, Undecodable, Value, from_msgpack, to_msgpack

WIRE_VERSION = 1
"""Grows when an older node could not read what a newer one writes; others are not understood."""

MOST_ENTRIES = 1 << 17
"""In one message: decoding as many takes a tenth of a second. Sent are half of that; a sender of an
earlier release bounds bytes alone, and has a snapshot ready before it has so many."""

MOST_PEERS = 128
"""Whom one message may name, and who is connected to: ten times a large cluster."""

MOST_TEXT = 256
"""A name, an endpoint or a key, in characters."""

MOST_PIECE_BYTES = 4 << 20
MOST_SNAPSHOT_BYTES = (1 << 30) + (64 << 20)
"""A state of a gigabyte that does not deflate, and what stands beside it."""

Term = Annotated[int, Bound(ge=0, le=(1 << 63) - 2)]
"""Higher than what a release before 0.3 could be made to follow, so that there are terms left to
be elected in."""

Text = Annotated[str, Bound(max_length=MOST_TEXT)]
Keys = Annotated[list[Text], Bound(max_length=4)]

Message = dict[str, Any]
"""A message as PySyncObj makes and takes it"""


class Append(Value, array_like=True, tag=1):
    """The leader's heartbeat and its new entries."""

    term: Term
    commit_index: Natural
    previous_index: Natural | None
    previous_term: Term | None
    entries: Annotated[list[tuple[bytes, Natural, Term]], Bound(max_length=MOST_ENTRIES)]
    sent_s: float
    """The leader's clock; comes back in the Ack and means nothing to anyone else."""
    quorum_age_s: float
    """How long ago the round began that a majority last confirmed to this leader."""
    is_answer_wanted: bool = True
    """Not for what only tells that entries are committed; that the log here is another is said
    all the same."""


class Install(Value, array_like=True, tag=2):
    """The leader's snapshot, for a node whose next entry the leader no longer has; without
    `snapshot` it is a heartbeat: the leader has none ready."""

    term: Term
    commit_index: Natural
    last_index: Natural
    last_term: Term
    snapshot: bytes | None
    sent_s: float
    quorum_age_s: float


class Ack(Value, array_like=True, tag=3):
    """`is_success`: the log here equals the leader's below `next_index`. `is_reset`: it does not;
    go back to `next_index`. Neither: only heard."""

    next_index: Natural
    is_reset: bool
    is_success: bool
    sent_s: float | None
    last_index: Natural | None = None
    """Of a reset: where the log here ends, from whoever promises anything."""
    loyal_s: float | None = None
    """For how long its sender votes for nobody else."""


class VoteRequest(Value, array_like=True, tag=4):
    term: Term
    last_index: Natural
    last_term: Term


class Vote(Value, array_like=True, tag=5):
    term: Term
    quiet_s: float | None = None
    """How long ago its voter last confirmed a round of a leader, or led."""


class Forward(Value, array_like=True, tag=6):
    """A follower's command, for the leader to append."""

    command: bytes
    number: Natural


class Forwarded(Value, array_like=True, tag=7):
    """Where the leader appended it, or the engine's reason why not."""

    number: Natural
    index: Natural | None = None
    term: Term | None = None
    error: Natural | None = None


class PreVoteRequest(Value, array_like=True, tag=8):
    """Would you vote for me in this term? Asked before the term is raised."""

    round: Natural
    term: Term
    last_index: Natural
    last_term: Term


class PreVote(Value, array_like=True, tag=9):
    round: Natural
    is_granted: bool


class HigherTerm(Value, array_like=True, tag=10):
    """Your term is over; mine is in the envelope."""


class Ping(Value, array_like=True, tag=11):
    """I am here: the engine elects and replicates only among nodes that are."""

    members_index: Natural = 0
    """Of the latest agreed change of the members here."""
    has_leader: bool = True


class AskIndex(Value, array_like=True, tag=12):
    """How far must I have applied, to be current as of now?"""

    number: Natural


class TellIndex(Value, array_like=True, tag=13):
    number: Natural
    index: Natural


class Introduction(Value, array_like=True, tag=14):
    """To a member without a leader whose log misses changes of the members: who else may bring it
    the log. They are heard, and count for nothing before its log says so."""

    members_index: Natural
    peers: Annotated[list[tuple[Text, Text, Keys]], Bound(max_length=MOST_PEERS)]
    """(name, endpoint, keys accepted of it)"""


class Regressed(Value, array_like=True, tag=15):
    """From a leader, in its term: this node has acknowledged entries up to `index` in it, and its
    log ends before. It must not go on."""

    index: Natural


class Pulse(Value, array_like=True, tag=16):
    """The leader is there, said beside its heartbeats and promising nothing about the log."""

    term: Term
    sent_s: float
    quorum_age_s: float


class PulseAck(Value, array_like=True, tag=17):
    """Heard; brings the pulse's stamp back."""

    sent_s: float
    loyal_s: float | None = None
    """As in Ack."""


class Piece(Value, array_like=True, tag=18):
    """A part of the leader's snapshot, where that is too large for one message; a heartbeat too."""

    term: Term
    last_index: Natural
    last_term: Term
    size: Annotated[int, Bound(ge=1, le=MOST_SNAPSHOT_BYTES)]
    """Of the whole, in bytes."""
    offset: Annotated[int, Bound(ge=0, le=MOST_SNAPSHOT_BYTES)]
    raw: Annotated[bytes, Bound(max_length=MOST_PIECE_BYTES)]
    """Empty, it only asks how much is there."""
    sent_s: float
    quorum_age_s: float


class PieceHeld(Value, array_like=True, tag=19):
    """Of that snapshot so many bytes, from its beginning, are here."""

    last_index: Natural
    last_term: Term
    size: Annotated[int, Bound(ge=1, le=MOST_SNAPSHOT_BYTES)]
    offset: Annotated[int, Bound(ge=0, le=MOST_SNAPSHOT_BYTES)]


Body = (
    Append | Install | Ack | VoteRequest | Vote | Forward | Forwarded | PreVoteRequest | PreVote
    | HigherTerm | Ping | AskIndex | TellIndex | Introduction | Regressed | Pulse | PulseAck
    | Piece | PieceHeld
)


class Envelope(Value, array_like=True):
    version: Natural
    boot: Natural
    """How often the sender was started, from its journal."""
    known_boot: Natural
    """The receiver's boot as the sender knows it; 0 before it heard anything."""
    number: Natural
    """Grows with every message from this boot to this peer."""
    term: Term
    """The sender's term at the moment of sending."""
    body: Body


def opened(raw: bytes) -> Envelope | None:
    """None when the bytes are not an envelope of this version."""
    try:
        envelope: Envelope = from_msgpack(raw, Envelope)
    except Undecodable:
        return None
    return envelope if envelope.version == WIRE_VERSION else None


BOOTS_AHEAD = 1 << 20
"""Restarts of a peer that this node has not heard of."""

REJOINED_BOOT = 1 << 54
"""A node that begins anew counts its boots on from the clock (cluster/answers/rejoin.py): seconds
since 1970 times 2^22, which stays below this until the year 2106."""

NUMBERS_AHEAD = 1 << 40
"""Messages of one boot to one peer; those that were not sent count too."""


class Stamps:
    """Numbers what is sent and refuses what is old: a message from or for an earlier life of
    either end, a duplicate, and one that was overtaken."""

    def __init__(self, boot: int) -> None:
        self._boot = boot
        self._sent: Counter[str] = Counter()
        self._boots: dict[str, int] = {}
        self._received: dict[str, int] = {}

    def sealed(self, peer: str, term: int, body: Body) -> bytes:
        self._sent[peer] += 1
        return to_msgpack(Envelope(
            version=WIRE_VERSION, boot=self._boot, known_boot=self._boots.get(peer, 0),
            number=self._sent[peer], term=term, body=body,
        ))

    def is_restart(self, peer: str, envelope: Envelope) -> bool:
        """The peer was known in an earlier boot."""
        return 0 < self._boots.get(peer, 0) < envelope.boot

    def known_boot(self, peer: str) -> int:
        return self._boots.get(peer, 0)

    def refusal(self, peer: str, envelope: Envelope) -> str | None:
        """Why the message must be dropped; None takes note of it."""
        known = self._boots.get(peer, 0)
        if envelope.boot > max(known, REJOINED_BOOT) + BOOTS_AHEAD:
            return "boot-beyond-reason"
        received = self._received.get(peer, 0) if envelope.boot == known else 0
        if envelope.number > received + NUMBERS_AHEAD:
            return "number-beyond-reason"
        if envelope.boot < known:
            return "earlier-boot"
        if envelope.known_boot and envelope.known_boot != self._boot:
            return "for-another-boot"
        if envelope.boot > known:
            self._boots[peer], self._received[peer] = envelope.boot, 0
        if envelope.number <= self._received[peer]:
            return "overtaken"
        self._received[peer] = envelope.number
        return None


# PySyncObj's dictionaries, for the messages it makes and takes itself

def as_message(body: Body) -> Message:
    """What the engine is given for a body that the filters let through."""
    match body:
        case Append():
            return {
                "type": "append_entries", "term": body.term, "commit_index": body.commit_index,
                "prevLogIdx": body.previous_index, "prevLogTerm": body.previous_term,
                "entries": body.entries,
            }
        case Install():
            pieces = None if body.snapshot is None else (body.snapshot, True, True)
            return {
                "type": "append_entries", "term": body.term, "commit_index": body.commit_index,
                "serialized": pieces,
            }
        case Ack():
            return {
                "type": "next_node_idx", "next_node_idx": body.next_index,
                "reset": body.is_reset, "success": body.is_success,
            }
        case VoteRequest():
            return {
                "type": "request_vote", "term": body.term, "last_log_index": body.last_index,
                "last_log_term": body.last_term,
            }
        case Vote():
            return {"type": "response_vote", "term": body.term}
        case Forward():
            return {
                "type": "apply_command", "command": body.command, "request_id": body.number,
            }
        case Forwarded():
            return {
                "type": "apply_command_response", "request_id": body.number,
                "log_idx": body.index, "log_term": body.term, "error": body.error,
            }
        case _:
            raise ValueError(f"{type(body).__name__} is not for the engine")
