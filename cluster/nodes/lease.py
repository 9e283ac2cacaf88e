"""Leases: until when a node may run guests, on the node's side and on the coordinator's.

The first of the three proofs of death, and the one that needs no hardware: a node whose lease is
over has frozen its guests, so who knows when its lease is over at the latest may give its guests
to somebody else. Nothing here sends, waits or reads a clock; all times are CLOCK_BOOTTIME (it
counts suspend) of the host that took them, and no two hosts' clocks are ever compared.

Why the node's lease always ends before the coordinator counts it dead. Let L be the lease, s the
moment the node sent its request, r the moment the coordinator took it up, t_q the beginning of
the coordinator's last heartbeat round that a majority confirmed, and e an election.

1. The coordinator answers L - (r - t_q), measured on its own clock alone; the node's lease ends at
   s + that. As s <= r, it ends no later than t_q + L, and never later than s + L.
2. So a coordinator that lost its majority grants nothing that outlives its last good t_q by more
   than L, however long it goes on believing in itself, and however late its answers arrive.
3. Whoever confirmed the round t_q and later voted for the next coordinator did so in that order
   (after its vote it confirms nothing of an older term), and two majorities share a member: t_q of
   every older coordinator lies before the moment at which one of the new one's voters last
   confirmed a round. With its vote each says how long ago, a, that was for it; one that led itself
   counts its own leadership as confirmed to the end, and one that was started since, and forgot,
   its start. Let u be the latest of the moments (arrival of the vote - a) of those who elected the
   coordinator, its own last confirmation among them, with a = 0 where a vote said nothing. A vote
   takes time to arrive, so u is never too early; and never after e. So all older grants are over
   at u + L.
4. A coordinator therefore counts a node dead L + margin after its own last answer to it, or after
   u if it never answered it: after that only its own later answers could lengthen the node's
   lease, and it stopped granting *before* it began to count on the silence.
5. L is not this host's own: it stands in the record (cluster/core/leases.py) and travels with
   each grant. When it changes, what was granted by the old one, L', still ends at t_q + L'. Until
   the life of the node's daemon has said in the record that it takes nothing by L' any more, and
   waited L' since then, the longer of the two counts for that node in 4; a coordinator counts its
   own answers by what it answered. A life takes no answer by older numbers than it has seen in its
   record, so one by L' that comes later (from a coordinator that does not know of the change, and
   cannot have the new life in its record without knowing it) changes nothing.
6. Clocks do not tick alike: while the coordinator's clock counts L + margin, the node's must count
   L. Clock rates may differ by margin / (2 L + margin) each; the margin has to hold the time to
   freeze and I/O already submitted as well, and real clocks differ by far less than a thousandth.
   That a was counted by the voter's clock, and only the rest by the coordinator's, changes nothing:
   each of the two stretches was counted by a clock that is at most so much too fast.
7. A request may come through a peer that hears both (lease_ways.py). The peer passes on the node's
   own number and brings back the coordinator's own answer, and no clock of the peer's enters into
   either. s is still the node's own and r the coordinator's; the way between them is only longer,
   so s <= r holds, and with it 1: a detour makes a lease shorter in effect, never longer. That the
   coordinator counts the node as heard at r, for a request up to the peer's deadline old, can only
   put its death off.

What must never happen here: an answer matched to another request than its own (the lease would
run from a later moment than the truth); a death declared while granting goes on. The entry that
declares a node dead must carry the coordinator's term and be refused once a later coordinator
began: one that is forwarded or retried after an election rests on a promise (to grant no more)
that the next coordinator never gave.
"""

from math import inf

from packages.core.values import Map, Value, changed

__all__ = ["LeaseBook", "LeaseHolder", "new_lease_book", "new_lease_holder"]


class LeaseHolder(Value):
    """The node's side. `expiry_s` only grows; 0 is a node that was never granted anything."""

    lease_s: float
    next_number: int
    asked: Map[int, float] = Map()
    """Requests not answered yet: number -> when it was sent. None is older than a lease."""
    expiry_s: float = 0.0

    def ask(self, now_s: float) -> tuple["LeaseHolder", int]:
        """The number to send. `now_s` has to be read before the request leaves the node."""
        number = self.next_number
        fresh = {each: sent for each, sent in self.asked.items() if now_s - sent < self.lease_s}
        asked = Map({**fresh, number: now_s})
        return changed(self, next_number=number + 1, asked=asked), number

    def answered(self, number: int, remaining_s: float) -> "LeaseHolder":
        """After an answer. Unknown, late and repeated ones change nothing: a request is forgotten
        with its answer, with the answer to a later one, and after a lease, when no answer to it
        could be of use."""
        sent_at_s = self.asked.get(number)
        if sent_at_s is None or not remaining_s > 0:  # so written that NaN is refused too
            return self
        expiry_s = max(self.expiry_s, sent_at_s + min(remaining_s, self.lease_s))
        later = Map({each: sent for each, sent in self.asked.items() if each > number})
        return changed(self, asked=later, expiry_s=expiry_s)

    def is_over(self, now_s: float) -> bool:
        return now_s >= self.expiry_s


def new_lease_holder(*, lease_s: float, token: str) -> LeaseHolder:
    """For a daemon that starts. `token` is the clock's: numbering begins at a random place, so
    that an answer to the daemon's earlier life cannot be taken for one to this life's request."""
    return LeaseHolder(lease_s=lease_s, next_number=int(token, 16) >> 16)  # 48 bits: JSON-safe


class LeaseBook(Value):
    """The coordinator's side, for one term: opened at its election, thrown away with its end."""

    elected_at_s: float
    earlier_until_s: float
    """No older coordinator's t_q is later (u in the proof)."""
    lease_s: float
    """What is granted; what was granted counts by what it was then (`over_at_s`)."""
    margin_s: float
    longest_s: Map[str, float] = Map()
    """Node -> by what an earlier coordinator may have granted to it, where that is longer."""
    heard_at_s: Map[str, float] = Map()
    over_at_s: Map[str, float] = Map()
    """When all that this coordinator granted to the node is over, by this clock."""
    stopped: frozenset[str] = frozenset()
    """Nodes that are granted nothing: dead by the record, or about to be declared so."""

    def answer(
        self, node: str, *, received_at_s: float, quorum_at_s: float,
    ) -> tuple["LeaseBook", float | None]:
        """What is left of the node's lease counted from its sending, or None: no grant, because
        granting to it was stopped or because no majority has confirmed us for a lease."""
        book = changed(self, heard_at_s=self.heard_at_s.set(node, received_at_s))
        remaining_s = min(self.lease_s, self.lease_s - (received_at_s - quorum_at_s))
        if node in self.stopped or not remaining_s > 0:
            return book, None
        over_s = max(self.over_at_s.get(node, -inf), received_at_s + self.lease_s)
        return changed(book, over_at_s=self.over_at_s.set(node, over_s)), remaining_s

    def silent_since_s(self, node: str) -> float:
        """When it was last heard by us; the election if never, since nobody asked us before."""
        return self.heard_at_s.get(node, self.elected_at_s)

    def stop_granting(self, node: str) -> "LeaseBook":
        """Before anything is built on the node's silence."""
        return changed(self, stopped=self.stopped | {node})

    def resume_granting(self, node: str) -> "LeaseBook":
        """It was heard again before it was declared dead, or it has rejoined and shown that
        nothing runs there. The clock of its death starts again with the next answer."""
        return changed(self, stopped=self.stopped - {node})

    def dead_after_s(self, node: str) -> float:
        """From when on its lease is over for certain, if nothing more is granted to it."""
        earlier_s = self.earlier_until_s + self.earlier_lease_s(node)
        return max(earlier_s, self.over_at_s.get(node, -inf)) + self.margin_s

    def earlier_lease_s(self, node: str) -> float:
        """By what an earlier coordinator granted to it, at the most."""
        return max(self.lease_s, self.longest_s.get(node, 0.0))

    def may_declare_dead(self, node: str, now_s: float) -> bool:
        """Whether the lease proves it: granting has stopped, and all that was granted is over."""
        return node in self.stopped and now_s >= self.dead_after_s(node)


def new_lease_book(
    *, elected_at_s: float, earlier_until_s: float, lease_s: float, margin_s: float,
    dead: frozenset[str] = frozenset(),
) -> LeaseBook:
    """For a coordinator at its election; `dead` are the nodes the applied record calls dead."""
    return LeaseBook(
        elected_at_s=elected_at_s, earlier_until_s=earlier_until_s, lease_s=lease_s,
        margin_s=margin_s, stopped=dead,
    )
