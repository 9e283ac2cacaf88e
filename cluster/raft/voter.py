"""One voter without a socket or an event loop: journal, snapshot, engine and transport, assembled.

Everything outside is handed in (disk, clock, wire), so that the same voter runs behind sockets and
inside a simulation. What must never happen here: a voter assembled from files of two lives.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from cluster.clock import Clock
from cluster.config.schema import Timings
from cluster.raft.amnesia import Amnesia, NoteDamaged
from cluster.raft.attendance import Attendance
from cluster.raft.disk import Disk
from cluster.raft.engine import COMPACT_AFTER_ENTRIES, GuardedEngine
from cluster.raft.flusher import Flusher
from cluster.raft.journal import Journal, JournalDamaged, JournalOlder
from cluster.raft.members import Members, all_voting, endpoints_renewed, next_members
from cluster.raft.owner import owned
from cluster.raft.pin import install
from cluster.raft.problems import Fatal, disk_failed, folder_in_use, journal_damaged, journal_older
from cluster.raft.replica import Machine
from cluster.raft.snapshot import SnapshotStore
from cluster.raft.transport import GuardedTransport, Wire

CAUGHT_UP_ENTRIES = 100
"""A node that lags by no more is current with the next message."""

ELECTION_LATE_S = 0.001
"""The engine wants its moment to be past."""


class Voter:
    """Opening it reads its folder; raises Fatal, whose problem says how to go on. `founding`: the
    members for as long as its log names none; without it, this node and its peers, all voting.

    What it is made of are attributes, so that a test can leave out one protection and see what that
    was good for (tests/raft/unprotected.py)."""

    journal_type: type[Journal] = Journal
    transport_type: type[GuardedTransport] = GuardedTransport
    engine_type: type[GuardedEngine] = GuardedEngine
    store_type: type[SnapshotStore] = SnapshotStore

    def __init__(
        self, name: str, peers: Sequence[str], *, folder: Path, machine: Machine,
        timings: Timings, clock: Clock, disk: Disk, wire: Wire, wake: Callable[[], None],
        executor: Executor | None = None, compact_after_entries: int = COMPACT_AFTER_ENTRIES,
        founding: Members | None = None, flusher: Flusher | None = None,
        attendance: Attendance | None = None,
    ) -> None:
        install(clock)
        self._timings = timings
        self._disk = disk
        try:
            self._lock = disk.lock(folder / "lock")
        except BlockingIOError as error:
            raise Fatal(folder_in_use(name, folder)) from error
        except OSError as error:
            raise Fatal(disk_failed(name, error)) from error
        try:
            owned(folder, name, disk)
            self.amnesia = Amnesia(folder, disk)
            self.journal = self.journal_type(
                folder / "journal", disk=disk, boot_after=self.amnesia.boot,
                attendance=attendance)
            self.journal.members.founded(founding or all_voting([name, *peers]))
            self.store = self.store_type(
                folder / "snapshot", machine=machine, disk=disk, clock=clock, executor=executor,
                members=self.journal.members,
            )
            self.transport = self.transport_type(
                name, wire=wire, clock=clock, timings=timings, boot=self.journal.boot, wake=wake,
                amnesia=self.amnesia, flusher=flusher,
            )
            self.engine = self.engine_type(
                name, peers, journal=self.journal, store=self.store, machine=machine,
                transport=self.transport, timings=timings, may_stand=self.transport.may_stand,
                elected=self.transport.elected, stepped_down=self.transport.lease.stepped_down,
                compact_after_entries=compact_after_entries,
            )
            self.transport.attach(self.engine)
        except JournalOlder as error:
            self._unlock()
            raise Fatal(journal_older(name, str(error))) from error
        except (JournalDamaged, NoteDamaged) as error:
            self._unlock()
            raise Fatal(journal_damaged(name, str(error))) from error
        except OSError as error:
            self._unlock()
            raise Fatal(disk_failed(name, error)) from error
        except Fatal:
            self._unlock()
            raise

    def is_leader(self) -> bool:
        """Leads, holds a lease, and its state is current: safe to act upon at this instant."""
        return (
            not self.transport.is_stopped and self.engine.is_leading
            and self.transport.lease.left_s() > 0 and self.engine.has_applied_first_entry
        )

    def tick_within_s(self, most_s: float) -> float:
        """An election begins at its own moment: seen at the next tick only, those of two nodes
        would often begin at once, and split the votes."""
        left_s = self.engine.election_in_s()
        return min(most_s, left_s + ELECTION_LATE_S) if left_s > 0 else most_s

    def next_members(self, wanted: Members) -> Members | None:
        """On the leader: the one change that may be made now towards those who are wanted; None
        while there is none, or it would not leave a majority of nodes that are there."""
        engine, lease = self.engine, self.transport.lease
        if not self.is_leader() or not engine.may_change_members():
            return None
        alive = lease.confirmed_within(self._timings.raft_max_s) | {engine.name}
        matches = {member.name: index for member, index in engine.match_index.items()}
        known_to = [matches.get(name, 0) for name in alive & engine.other_voters]
        if any(index < engine.log.members.latest_index for index in known_to):
            return None  # whoever is there has the last change: else they might not know a voter
        if not engine.log.members.is_in_log:
            return endpoints_renewed(engine.members, wanted)
        caught_up = {
            name for name, index in matches.items()
            if name in alive and index >= engine.commit_index - CAUGHT_UP_ENTRIES
        }
        return next_members(engine.members, wanted, alive=alive, caught_up=caught_up)

    def stop(self) -> None:
        """Say nothing more; what was collected but not flushed was never promised."""
        self.transport.is_stopped = True

    def close(self) -> None:
        self.stop()
        self.store.close()
        self.engine.destroy()
        self._unlock()

    def _unlock(self) -> None:
        self._disk.close(self._lock)
