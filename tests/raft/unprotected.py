"""Voters with one protection left out, each named after what it then does.

For tests alone, to see what each protection is good for: the product has no switch for any of it.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster.raft.attendance import Attendance
from cluster.raft.disk import Disk
from cluster.raft.engine import GuardedEngine, Told
from cluster.raft.filters import Basis, Incoming
from cluster.raft.journal import BATCH, BATCH_MARK, Journal
from cluster.raft.outgoing import Outgoing
from cluster.raft.pin import Member, SyncObj
from cluster.raft.problems import Fatal
from cluster.raft.transport import GuardedTransport
from cluster.raft.voter import Voter
from cluster.raft.wire import Ack, Append, Envelope, Install, Message, Stamps, Vote
from packages.core.values import changed

SMALL_BATCH_BYTES = 1 << 10


class Hearing(Voter):
    """With other filters for what arrives."""

    def __init_subclass__(cls, incoming: type[Incoming]) -> None:
        cls.transport_type = type("Hearing", (GuardedTransport,), {"incoming_type": incoming})


class Saying(Voter):
    """With other filters for what is said."""

    def __init_subclass__(cls, outgoing: type[Outgoing]) -> None:
        cls.transport_type = type("Saying", (GuardedTransport,), {"outgoing_type": outgoing})


class InstallsAsTold(Incoming):
    def _install(self, peer: Member, body: Install) -> bool:
        return self._give(peer, body, Basis(sent_s=body.sent_s))


class BelievesSnapshotMessages(Hearing, incoming=InstallsAsTold):
    """Holes 1, 17 and 22."""


class CutsAgain(Incoming):
    def _without_known(
        self, peer: Member, body: Append, previous: int, entries: list[tuple[bytes, int, int]],
    ) -> Append:
        return changed(body, entries=entries)


class AppendsAgain(Hearing, incoming=CutsAgain):
    """Hole 6."""


class FallsBack(Incoming):
    def _stay_ahead(self, peer: Member, before: int) -> None:
        return


class SendsAgain(Hearing, incoming=FallsBack):
    """Hole 6, of a leader."""


class AsIfOfThisTerm(Incoming):
    def _ack(self, peer: Member, term: int, body: Ack) -> bool:
        return super()._ack(peer, self._engine.term, body)


class CountsOldAcknowledgements(Hearing, incoming=AsIfOfThisTerm):
    """Hole 7."""


class EveryVote(Incoming):
    def _vote(self, peer: Member, term: int, body: Vote) -> bool:
        return self._give(peer, body)


class CountsEveryVote(Hearing, incoming=EveryVote):
    """Hole 8."""


class Faithless(Incoming):
    def _is_bound(self) -> bool:
        return False


class DesertsItsLeader(Hearing, incoming=Faithless):
    """Hole 10."""


class OneBack(Outgoing):
    def _ack(self, message: Message, basis: Basis | None) -> Ack | None:
        return super()._ack(message, basis and changed(basis, conflict_at=None))


class GoesBackOneByOne(Saying, outgoing=OneBack):
    """Hole 19."""


class NotMovedOn(Outgoing):
    def _install(self, peer: Member, message: Message) -> Install:
        before = self._engine.next_index[peer]
        said = super()._install(peer, message)
        self._engine.next_index[peer] = before
        return said


class SaysItAgain(Saying, outgoing=NotMovedOn):
    """Hole 18."""


class SilentTransport(GuardedTransport):
    def _not_forwarded(self, number: int) -> None:
        return


class TellsNobody(Voter):
    """Hole 20."""

    transport_type = SilentTransport


class LyingDisk:
    """Says, from when it does, that everything is durable."""

    lies = False

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._disk, operation)

    def sync(self, handle: int) -> None:
        if not self.lies:
            self._disk.sync(handle)


class UnsyncedJournal(Journal):
    def __init__(
        self, path: Path, *, disk: Disk, boot_after: int, attendance: Attendance | None,
    ) -> None:
        lying = LyingDisk(disk)
        super().__init__(path, disk=lying, boot_after=boot_after, attendance=attendance)
        lying.lies = True


class SyncsNothing(Voter):
    """Hole 3."""

    journal_type = UnsyncedJournal


class NoStamps(Stamps):
    def refusal(self, peer: str, envelope: Envelope) -> str | None:
        return None


class UnstampedTransport(GuardedTransport):
    stamps_type = NoStamps


class HearsEarlierLives(Voter):
    """Hole 26."""

    transport_type = UnstampedTransport


class UncheckedJournal(Journal):
    def _intact_end(self, raw: bytes, offset: int) -> int | None:
        if offset + BATCH.size > len(raw):
            return None
        mark, size, _, number = BATCH.unpack_from(raw, offset)
        end = offset + BATCH.size + int(size)
        return end if mark == BATCH_MARK and number == self._number and end <= len(raw) else None


class ReadsWithoutChecksum(Voter):
    """Holes 4 and 5."""

    journal_type = UncheckedJournal


class BoastfulJournal(Journal):
    def getRaftCommitIndex(self) -> int:
        return self._commit


class BelievesItsCommitIndex(Voter):
    """Hole 9."""

    journal_type = BoastfulJournal


class UncutEngine(GuardedEngine):
    def _cut_journal_to(self, previous: tuple[Any, ...], last: tuple[Any, ...]) -> None:
        return


class LoadsWithoutCutting(Voter):
    """Hole 2."""

    engine_type = UncutEngine


WRONG_VERSION = vars(sys.modules[SyncObj.__module__])["SyncObjExceptionWrongVer"]
"""What the engine raises for a version entry, once it has unpickled it."""


class RaisingEngine(GuardedEngine):
    def _SyncObj__doApplyCommand(self, command: bytes) -> object:
        if command[:1] == b"\3":
            raise WRONG_VERSION(9)
        return self._machine.apply(self.last_applied + 1, command[1:]) if command[1:] else None


class LetsRaise(Voter):
    """Holes 11 and 13."""

    engine_type = RaisingEngine


class PlainEngine(GuardedEngine):
    def _quieted(self, told: Told) -> Told:
        return told


class LetsCallbacksRaise(Voter):
    """Hole 12."""

    engine_type = PlainEngine


class CarelessEngine(GuardedEngine):
    def _load_at_start(self) -> None:
        with suppress(Fatal):
            super()._load_at_start()
        self.adopt_members()


class StartsWithoutItsState(Voter):
    """Holes 14 and 15."""

    engine_type = CarelessEngine


class HastyEngine(GuardedEngine):
    def may_change_members(self) -> bool:
        return self.is_leading


class ChangesManyMembers(Voter):
    """Hole 16."""

    engine_type = HastyEngine


class ReadyEngine(GuardedEngine):
    @property
    def has_applied_first_entry(self) -> bool:
        return True


class IsReadyAtOnce(Voter):
    """Hole 21."""

    engine_type = ReadyEngine


class SplittingEngine(GuardedEngine):
    def _load_at_start(self) -> None:
        self.conf.appendEntriesBatchSizeBytes = SMALL_BATCH_BYTES
        super()._load_at_start()


class SplitsEntries(Voter):
    """Hole 23."""

    engine_type = SplittingEngine


PIPE_NOTIFIER = vars(sys.modules[SyncObj.__module__])["PipeNotifier"]


class NotifyingEngine(GuardedEngine):
    def _load_at_start(self) -> None:
        self.conf.appendEntriesUseBatch = False
        self._SyncObj__pipeNotifier = PIPE_NOTIFIER(self._poller)
        super()._load_at_start()


class NotifiesItself(Voter):
    """Hole 25."""

    engine_type = NotifyingEngine
