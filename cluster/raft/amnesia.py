"""A voter that lost its journal: it follows, and counts for nothing, until it can do no harm.

It has forgotten which entries it acknowledged and whom it voted for. With it a majority that
decided something may be a majority no longer, and a vote it gave may be given twice. So the node
begins again with an empty log and a note, `<folder>/rejoin`, that names an entry E. E was proposed
after the node's old life had ended for certain (whoever writes the note holds its lock), and agreed
upon by the others. Until it has applied E the node votes for nobody, does not stand, and
acknowledges nothing; the term it is in when it has, and every earlier one, it never votes in.

Why that is enough. Call the node X, the leader that had E agreed upon L, its term T, and the
majority that stored E, in which X is not, Q.

*Entries.* What is agreed upon before E lies before E in the log of L, hence in every log of Q,
whoever had counted X for it; X has it again before it votes. What comes after E in the log was
never acknowledged by X's old life, which had ended.

*Votes.* Suppose a vote that X's old life gave to some C in term U is still under way when X votes
again. X votes only in terms above T, for E reached it from a leader of T or later; so only U > T
matters. C needs a majority that has a node M in common with Q. If M voted for C in U before it
stored E, M was in term U > T already and would have refused E from L. So M voted afterwards, C's
log was as good as M's, and by Raft's own argument held E when C began to stand; then C asked for
votes after E existed, and X's old life, which had ended, never heard it. No such vote exists.

That the leader confirms its commit index to a majority without X (a read index) would not do: a C
may have asked X's old life in a term above T, and have everything agreed upon so far.

Its messages carry a count of boots above any of its old life, so that what is still under way from
then is dropped once it has been heard. What must never happen here: a promise before E; a vote in
a term in which the old life may have voted.
"""

from pathlib import Path

from cluster.raft.disk import Disk, write_whole
from cluster.raft.wire import Ack, Body, PreVote, PreVoteRequest, Vote, VoteRequest
from packages.core.values import Natural, Undecodable, Value, changed, from_json, to_json

NOTE_FILE = "rejoin"


class Note(Value):
    index: Natural
    """Of E."""
    boot: Natural
    """The count of boots to begin after."""
    ended_in: Natural | None = None
    """The term in which the node had E; it votes in later ones only."""


class NoteDamaged(Exception):
    """There is a note, and it cannot be read: the node must not vote, and cannot know how long."""


class Amnesia:
    """The note of one folder; none is as good as one whose time is long over."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._path, self._disk = folder / NOTE_FILE, disk
        raw = disk.read(self._path)
        try:
            self._note: Note | None = None if raw is None else from_json(raw, Note)
        except Undecodable as error:
            raise NoteDamaged(f"{self._path}: {error}") from error

    @property
    def lasts(self) -> bool:
        return self._note is not None and self._note.ended_in is None

    @property
    def boot(self) -> int:
        return 0 if self._note is None else self._note.boot

    def look(self, *, applied: int, term: int) -> None:
        """End it once E is applied here. Raises OSError."""
        if self._note is None or not self.lasts or applied < self._note.index:
            return
        ended = changed(self._note, ended_in=term)
        write_note(self._disk, self._path, ended)
        self._note = ended

    def allowed(self, body: Body) -> Body | None:
        """What this node may say of it; None: nothing. A reset asks for older entries and promises
        nothing, and without its stamp it does not prolong a lease."""
        note = self._note
        if note is None:
            return body
        if isinstance(body, Vote):
            return None if note.ended_in is None or body.term <= note.ended_in else body
        return self._muted(body) if note.ended_in is None else body

    def _muted(self, body: Body) -> Body | None:
        match body:
            case VoteRequest() | PreVoteRequest():
                return None
            case PreVote():
                return changed(body, is_granted=False)
            case Ack(is_success=True):
                return changed(body, is_reset=False, is_success=False, sent_s=None)
            case Ack():
                return changed(body, sent_s=None, last_index=None)
            case _:
                return body


def write_note(disk: Disk, path: Path, note: Note) -> None:
    """At once or not at all, and durably. Raises OSError."""
    write_whole(disk, path, to_json(note) + b"\n")
