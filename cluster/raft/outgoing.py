"""The engine's dictionaries as typed values, corrected where the engine says too much.

What must never happen here: an acknowledgement that rests on no message; a snapshot whose extent
is not said.
"""

from collections import Counter

from cluster.clock import Clock
from cluster.raft.engine import GuardedEngine
from cluster.raft.filters import Basis
from cluster.raft.lease import Lease
from cluster.raft.pin import Member
from cluster.raft.wire import (
    MOST_ENTRIES, Ack, Append, Body, Forward, Forwarded, Install, Message, Piece, Vote, VoteRequest
)

MOST_SENT = MOST_ENTRIES // 2
"""Entries in one message; the engine bounds their bytes alone."""


class Outgoing:
    def __init__(
        self, engine: GuardedEngine, *, lease: Lease, clock: Clock, drops: Counter[str],
    ) -> None:
        self._engine, self._lease, self._clock, self._drops = engine, lease, clock, drops
        self.most_sent = MOST_SENT

    def typed(self, peer: Member, message: Message, basis: Basis | None) -> Body | None:
        """None when the message must not be sent. `basis`: what an acknowledgement answers."""
        match message["type"]:
            case "append_entries" if "serialized" in message:
                return self._install(peer, message)
            case "append_entries":
                return self._append(peer, message)
            case "next_node_idx":
                return self._ack(message, basis)
            case "request_vote":
                return VoteRequest(
                    term=message["term"], last_index=message["last_log_index"],
                    last_term=message["last_log_term"],
                )
            case "response_vote":
                return Vote(term=message["term"], quiet_s=self._lease.quiet_s())
            case "apply_command":
                return Forward(command=message["command"], number=message["request_id"])
            case "apply_command_response":
                return Forwarded(
                    number=message["request_id"], index=message.get("log_idx"),
                    term=message.get("log_term"), error=message.get("error"),
                )
            case _:
                self._drops["engine-said-nonsense"] += 1
                return None

    def _append(self, peer: Member, message: Message) -> Append:
        entries = message["entries"]
        if len(entries) > self.most_sent:
            entries = entries[:self.most_sent]
            self._engine.next_index[peer] = entries[-1][1] + 1  # the engine goes on from there
        return Append(
            term=message["term"], commit_index=message["commit_index"],
            previous_index=message["prevLogIdx"], previous_term=message["prevLogTerm"],
            entries=entries, sent_s=self._clock.boottime_s(),
            quorum_age_s=self._lease.quorum_age_s(),
            is_answer_wanted=self._engine.is_answer_wanted or bool(entries),
        )

    def _install(self, peer: Member, message: Message) -> Install | Piece:
        engine = self._engine
        pieces = message["serialized"]
        if pieces is None:
            # Hole 18: with no snapshot ready the engine would repeat this for a whole period.
            engine.next_index[peer] = engine.last_index + 1
            piece = engine.store.piece_due(peer.name, term=message["term"], lease=self._lease)
            if piece is not None:
                return piece
        _, index, term = engine.log[1] if len(engine.log) > 1 else engine.log[0]
        return Install(
            term=message["term"], commit_index=message["commit_index"], last_index=index,
            last_term=term, snapshot=None if pieces is None else pieces[0],
            sent_s=self._clock.boottime_s(), quorum_age_s=self._lease.quorum_age_s(),
        )

    def _ack(self, message: Message, basis: Basis | None) -> Ack | None:
        if basis is None:
            self._drops["ack-without-basis"] += 1
            return None
        next_index = message["next_node_idx"]
        if message["success"]:
            if not basis.is_answer_wanted:
                return None
            proven_to = basis.proven_to
            if proven_to is None:
                if not self._engine.has_loaded_snapshot:
                    self._drops["ack-without-basis"] += 1
                    return None
                proven_to = self._engine.last_index
            next_index = proven_to + 1
        elif message["reset"] and basis.conflict_at is not None:
            # Hole 19: the engine would go back one entry per heartbeat.
            next_index = max(2, min(self._engine.commit_index + 1, next_index))
        return Ack(
            next_index=next_index, is_reset=message["reset"], is_success=message["success"],
            sent_s=basis.sent_s,
            last_index=self._engine.last_index if message["reset"] else None,
        )
