"""PySyncObj with its unsafe methods replaced, and its private parts under readable names.

Every `_SyncObj__name` of this project is in this file: inside the engine that is its private
method or attribute `__name`, and a subclass may define it. `pin.py` makes sure that the source is
the one these overrides were written for. The numbers of holes are those of docs/consensus.md.

What must never happen here: an entry that stops the log; a state half loaded; a command of a kind
this project does not make.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from cluster.config.schema import Timings
from cluster.raft.journal import Journal
from cluster.raft.members import KIND, Change, Members, change_in, encoded_change, is_single_change
from cluster.raft.pin import FAIL_REASON, Member, SyncObj, SyncObjConf, Transport, engine_time_s
from cluster.raft.problems import Fatal, apply_failed, diverged, journal_damaged, snapshot_damaged
from cluster.raft.replica import MAX_COMMAND_BYTES, Machine
from cluster.raft.snapshot import SnapshotDamaged, SnapshotStore
from packages.core.problem import problem

FOLLOWER, LEADER = 0, 2
"""The engine's numbers for its states; 1 is a candidate."""

COMMAND = b"\0"
"""The engine's type of an ordinary command; every other type but its own no-op is refused."""

BATCH_BYTES = 16 << 20
"""Above any command, so that the engine's own splitting of large entries is never used."""

COMPACT_AFTER_ENTRIES = 5000
COMPACT_EVERY_S = 300.0
"""Replaying 5,000 entries takes well below a second, and so does a snapshot of a usual state."""

Told = Callable[[object, int], None]
"""(the machine's result, or None; the engine's FAIL_REASON, 0 for success)"""

log = logging.getLogger(__name__)


class GuardedEngine(SyncObj):  # type: ignore[misc]  # the engine has no types
    """One node. `may_stand` is asked when an election is due, `elected` told when it is won and
    `stepped_down` when it leads no longer."""

    def __init__(
        self, name: str, peers: Sequence[str], *, journal: Journal, store: SnapshotStore,
        machine: Machine, transport: Transport, timings: Timings, may_stand: Callable[[], bool],
        elected: Callable[[], None], stepped_down: Callable[[], None],
        compact_after_entries: int = COMPACT_AFTER_ENTRIES,
    ) -> None:
        # Before super().__init__, which looks at every attribute of the object.
        self.name = name
        self.log = journal
        self._machine = machine
        self.store = store
        self._may_stand = may_stand
        self._elected, self._stepped_down = elected, stepped_down
        self._sent_mark = (0, 0)
        self._has_answered = False
        self.is_answer_wanted = True
        """Of the append entries that the engine sends just now."""
        self.has_loaded_snapshot = False
        self.members = Members()
        """Counted by now: those of the log's latest entry about them."""
        self.other_voters: frozenset[str] = frozenset()
        self.departing: frozenset[str] = frozenset()
        """Removed while this node leads; still sent the log, so that they learn of it."""
        configuration = SyncObjConf(
            autoTick=False, appendEntriesUseBatch=True, appendEntriesBatchSizeBytes=BATCH_BYTES,
            commandsWaitLeader=False, dynamicMembershipChange=False, journalFile=journal,
            fullDumpFile=None, raftMinTimeout=timings.raft_min_s,
            raftMaxTimeout=timings.raft_max_s, appendEntriesPeriod=timings.raft_append_s,
            leaderFallbackTimeout=timings.raft_max_s, connectionTimeout=timings.raft_max_s,
            logCompactionMinEntries=compact_after_entries, logCompactionMinTime=COMPACT_EVERY_S,
        )
        super().__init__(
            Member(name), [Member(peer) for peer in peers], configuration, nodeClass=Member,
            transport=transport,
        )
        self._SyncObj__serializer = store
        self._SyncObj__needLoadDumpFile = False  # it is loaded here, and a failure is not ignored
        self._load_at_start()

    def _load_at_start(self) -> None:
        try:
            stored = self.store.stored()
        except SnapshotDamaged as error:  # hole 15: the engine would go on with an empty state
            raise Fatal(snapshot_damaged(self.name, str(error))) from error
        if stored is not None:
            if self.last_index == 1 and self.log.boot == 1:
                raise Fatal(journal_damaged(self.name, "there is a snapshot, but no journal"))
            if self.log[0][1] > stored.previous[1]:  # the engine would throw the journal away
                raise Fatal(snapshot_damaged(
                    self.name, f"the journal begins at entry {self.log[0][1]}, and the snapshot, "
                    f"an earlier copy, ends at {stored.last[1]}",
                ))
            self._cut_journal_to(tuple(stored.previous), tuple(stored.last))
            self._SyncObj__loadDumpFile(False)
        first = self.log[0][1]
        if first > 1 and self.last_applied <= first:  # hole 14
            raise Fatal(snapshot_damaged(
                self.name, f"the journal begins at entry {first} and there is no snapshot",
            ))
        self.adopt_members()

    def _cut_journal_to(self, previous: tuple[Any, ...], last: tuple[Any, ...]) -> None:
        """Hole 2: after a crash between the snapshot and the compaction it allows, the engine
        would throw the whole journal away for not beginning where the snapshot ends."""
        position = previous[1] - self.log[0][1]
        if position > 0 and self.log[position:position + 2] == [previous, last]:
            self.log.deleteEntriesTo(position)

    # Readable names for what the engine hides

    @property
    def last_index(self) -> int:
        return self.log[-1][1]

    @property
    def last_term(self) -> int:
        return self.log[-1][2]

    @property
    def term(self) -> int:
        return int(self._SyncObj__raftCurrentTerm)

    @property
    def commit_index(self) -> int:
        return int(self._SyncObj__raftCommitIndex)

    @property
    def last_applied(self) -> int:
        return int(self._SyncObj__raftLastApplied)

    @property
    def is_leading(self) -> bool:
        """In its own eyes; whether that still holds is the lease's to say."""
        return bool(self._SyncObj__raftState == LEADER)

    @property
    def has_applied_first_entry(self) -> bool:
        """A leader's state is current only once the no-op of its own term is applied."""
        return 0 < self.first_own_index <= self.last_applied

    @property
    def first_own_index(self) -> int:
        """Of the no-op this node appended when it was last elected; 0 before."""
        return self._SyncObj__noopIDx or 0

    @property
    def leader_name(self) -> str | None:
        leader = self._SyncObj__raftLeader
        return None if leader is None else str(leader.id)

    @property
    def match_index(self) -> dict[Member, int]:
        matches: dict[Member, int] = self._SyncObj__raftMatchIndex
        return matches

    @property
    def next_index(self) -> dict[Member, int]:
        nexts: dict[Member, int] = self._SyncObj__raftNextIndex
        return nexts

    def forget_life(self, member: Member) -> None:
        """It was restarted: what it has is learned anew."""
        self.store.sending.forget(member.name)
        if member in self.match_index:
            self.match_index[member] = 0

    def has_entry(self, index: int, term: int) -> bool:
        position = index - self.log[0][1]
        return 0 <= position < len(self.log) and self.log[position][2] == term

    # Membership

    @property
    def has_vote(self) -> bool:
        return self.name in self.members.voters

    def adopt_members(self) -> None:
        """Count by the latest members of the log. To be called before anything is counted."""
        members = self.log.members.latest
        if members is self.members:
            return
        gone = self.members.names - members.names - {self.name} if self.is_leading else frozenset()
        self.members = members
        self.other_voters = members.voters - {self.name}
        self.departing = (self.departing | gone) - members.names
        self._seat()

    def dismiss(self) -> None:
        """Those who were removed are sent nothing any more."""
        self.departing = frozenset()
        self._seat()

    def _seat(self) -> None:
        """Hand the engine its sets: who counts, and who is only sent the log."""
        voters = {Member(name) for name in sorted(self.other_voters)}
        listening = (self.members.names | self.departing) - self.members.voters - {self.name}
        listeners = {Member(name) for name in sorted(listening)}
        for member in voters | listeners:
            self.match_index.setdefault(member, 0)
            self.next_index.setdefault(member, self.last_index + 1)
            self._SyncObj__lastResponseTime.setdefault(member, engine_time_s())
        for member in set(self.match_index) - voters - listeners:
            del self.match_index[member], self.next_index[member]
            self._SyncObj__lastResponseTime.pop(member, None)
        self._SyncObj__otherNodes, self._SyncObj__readonlyNodes = voters, listeners

    def may_change_members(self) -> bool:
        """Hole 16: one change at a time, and none before this term has an agreed entry."""
        return (
            self.is_leading and self.has_applied_first_entry
            and self.log.members.latest_index <= self.last_applied
        )

    def change_members(self, change: Change, told: Told) -> bool:
        """Append a change, which is in force at once; False when it is not allowed now."""
        members = change.members
        if not (
            self.may_change_members() and is_single_change(self.members, members)
            and self.name in members.voters
        ):
            return False
        index = self.last_index + 1
        self.log.add(encoded_change(change), index, self.term)
        self._SyncObj__commandsWaitingCommit[index].append((self.term, self._quieted(told)))
        self.adopt_members()
        return True

    def resign(self) -> None:
        """Lead no longer, without another leader being known."""
        self._SyncObj__setState(FOLLOWER)
        self.forget_leader()

    # What filters and transport make it do

    def submit(self, command: bytes, told: Told) -> Told:
        """Append here or forward to the leader at the next tick; `told` hears once, or never.
        What is returned withdraws it."""
        waiting = self._quieted(told)
        self._applyCommand(COMMAND + command, waiting)
        return waiting

    def _quieted(self, told: Told) -> Told:
        """Hole 12: an exception in a callback would make the engine apply the entry twice."""
        def tell(result: object, reason: int) -> None:
            self._has_answered = True
            try:
                told(result, reason)
            except Exception:  # the caller's bug; the log must go on
                log.exception("whoever proposed could not be told")
        return tell

    def take_has_answered(self) -> bool:
        """Whether somebody who proposed here was told its outcome since this was last asked."""
        has_answered, self._has_answered = self._has_answered, False
        return has_answered

    def withdraw(self, waiting: Told) -> None:
        """Nobody waits any more for the answer to a forwarded command, which may be lost."""
        replies = self._SyncObj__commandsWaitingReply
        for number in [each for each, told in replies.items() if told is waiting]:
            del replies[number]

    def forget(self, number: int) -> Told | None:
        """Take back the waiting for a forwarded command's answer."""
        told: Told | None = self._SyncObj__commandsWaitingReply.pop(number, None)
        return told

    def send_appends(self, *, is_answer_wanted: bool = True) -> None:
        self.is_answer_wanted = is_answer_wanted
        self._SyncObj__sendAppendEntries()
        self.is_answer_wanted = True
        self._sent_mark = (self.last_index, self.commit_index)

    @property
    def has_unsent_entries(self) -> bool:
        return self.is_leading and self._sent_mark[0] != self.last_index

    @property
    def has_unsent_commit(self) -> bool:
        return self.is_leading and self._sent_mark[1] != self.commit_index

    @property
    def is_heartbeat_due(self) -> bool:
        return self.is_leading and bool(engine_time_s() > self._SyncObj__newAppendEntriesTime)

    def election_in_s(self) -> float:
        """Until it is due if no leader is heard; not positive when it is."""
        return float(self._SyncObj__raftElectionDeadline - engine_time_s())

    def heard_leader(self) -> None:
        """It is there, though its message has to wait: no election for a while."""
        self._SyncObj__raftElectionDeadline = engine_time_s() + self._SyncObj__generateRaftTimeout()

    def heard_from(self, member: Member) -> None:
        """The same of one that follows: this leader is not alone."""
        self._SyncObj__lastResponseTime[member] = engine_time_s()

    def follow(self, term: int) -> None:
        """Adopt a higher term, without a vote in it."""
        was_leading = self.is_leading
        self._SyncObj__setCurrentTerm(term, None)
        self._SyncObj__setState(FOLLOWER)
        if was_leading:
            self._SyncObj__raftLeader = None

    def forget_leader(self) -> None:
        if self._SyncObj__raftLeader is not None:
            self._SyncObj__raftLeader = None
            self._SyncObj__onLeaderChanged()

    def know_committed(self, index: int) -> None:
        if index > self.commit_index:
            self._SyncObj__raftCommitIndex = index
            self.log.setRaftCommitIndex(index)

    def is_acceptable(self, command: bytes) -> bool:
        """Whether a peer's forwarded command is one this project makes (holes 11 and 13)."""
        return command[:1] == COMMAND and len(command) <= MAX_COMMAND_BYTES + 1

    def spread(self) -> float:
        """From 0 to 1, from the engine's dice."""
        low, high = self.conf.raftMinTimeout, self.conf.raftMaxTimeout
        return float((self._SyncObj__generateRaftTimeout() - low) / (high - low))

    # Overrides of the engine's private methods

    def _SyncObj__connectedToAnyone(self) -> bool:
        """The engine asks this only when an election is due: the place for the pre-vote."""
        if not super()._SyncObj__connectedToAnyone():
            self.forget_leader()  # quite alone, the engine would believe in the last one for ever
            return False
        return self._may_stand()

    def _SyncObj__setState(self, state: int) -> None:
        if self.is_leading and state != LEADER:
            self._stepped_down()
        super()._SyncObj__setState(state)

    def _SyncObj__onBecomeLeader(self) -> None:
        self._elected()  # before the first heartbeats, which count for the lease
        super()._SyncObj__onBecomeLeader()

    def _SyncObj__doApplyCommand(self, command: bytes) -> object:
        """Hole 11: an exception here would stop the log of every node for good."""
        if command[:1] == KIND:
            change = change_in(command)
            command = b"" if change is None or not change.command else COMMAND + change.command
        if command[:1] != COMMAND:
            return None
        index = self.last_applied + 1
        try:
            return self._machine.apply(index, command[1:])
        except (MemoryError, OSError, RecursionError) as error:  # this host's alone: not agreed
            raise Fatal(apply_failed(self.name, error)) from error
        except Exception as error:  # a bug, and the same one on every node: becomes the result
            log.exception("entry %d could not be applied", index)
            return problem(
                "internal-error", f"entry:{index}", what="The entry could not be applied.",
                because=repr(error), fix="Report it with the daemon's log.",
            )

    def _SyncObj__loadDumpFile(self, clearJournal: bool) -> None:
        super()._SyncObj__loadDumpFile(clearJournal)  # which swallows every exception
        stored = self.store.stored()
        if stored is None or self.last_applied != stored.last[1]:
            raise Fatal(snapshot_damaged(self.name, "the machine could not load it"))
        if stored.members is not None:
            self.log.members.rebased(stored.members, stored.last[1])
        self.store.loaded()
        self.adopt_members()
        self.has_loaded_snapshot = True
        self.know_committed(stored.last[1])
        if self.term < self.last_term:
            self._SyncObj__setCurrentTerm(self.last_term, None)
        self._tell_overtaken(stored.last[1])

    def _tell_overtaken(self, index: int) -> None:
        """Hole 20: proposals below an installed snapshot would never hear."""
        waiting = self._SyncObj__commandsWaitingCommit
        for position in [each for each in waiting if each <= index]:
            for _, told in waiting.pop(position):
                told(None, FAIL_REASON.UNKNOWN_OUTCOME)

    def must_not_conflict(self, index: int, leader: str) -> None:
        """An entry this node has applied can only be committed, hence the same everywhere."""
        if index <= self.last_applied:
            raise Fatal(diverged(
                self.name, f"leader {leader} has another entry {index}, applied here already",
            ))
