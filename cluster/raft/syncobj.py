"""The Replica that runs: a voter and its links to the others, ticked by the event loop.

What must never happen here: an exception for trouble that is expected; a wait without a deadline;
anything said or acknowledged after a fatal error.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from cluster.clock import Clock
from cluster.config.schema import Timings
from cluster.raft.attendance import Attendance
from cluster.raft.disk import Disk, HostDisk
from cluster.raft.engine import COMPACT_AFTER_ENTRIES
from cluster.raft.flusher import Flusher, ThreadFlusher
from cluster.raft.journal import SPARE_BYTES
from cluster.raft.links import Circle, Links
from cluster.raft.members import Change, Members, all_voting
from cluster.raft.pin import FAIL_REASON, check_pin
from cluster.raft.problems import Fatal, disk_failed, no_quorum, timed_out, too_large
from cluster.raft.replica import MAX_COMMAND_BYTES, Announce, Machine
from cluster.raft.voter import Voter
from cluster.raft.wire import AskIndex
from packages.core.problem import Problem

TICK_S = 0.05
"""Messages and proposals are served at once; the tick is for what falls due: half the shortest
heartbeat period, and far below any election timeout."""

PROBE_BYTES = 4 * SPARE_BYTES
"""A disk with less room would fail again at once: the journal grows by one of these at a time, and
a compaction writes another journal and a snapshot beside the old ones."""

NOT_PROPOSED = frozenset({
    FAIL_REASON.QUEUE_FULL, FAIL_REASON.MISSING_LEADER, FAIL_REASON.NOT_LEADER,
    FAIL_REASON.REQUEST_DENIED, FAIL_REASON.DISCARDED,
})
"""Reasons after which the command certainly takes no effect, so it may be proposed again. The
others (the leader changed, a snapshot came in between) leave its fate unknown."""

Fate = tuple[object, int]  # what `Told` heard


class SyncObjReplica:
    """`on_fatal` hears once, when this node has stepped out and its daemon should end. Snapshots
    are written by a thread, unless there is to be none (`has_thread`), and the journal by one too,
    unless there is another `flusher`. `founding`: the members for as long as the log names none, or
    this node and those its links reach, all voting. `circle` is told whom the links are to speak
    to, where they do not find all anyway. `vouched`: filters.Incoming."""

    def __init__(
        self, *, name: str, links: Links, folder: Path, machine: Machine, timings: Timings,
        clock: Clock, on_fatal: Callable[[Problem], None], disk: Disk | None = None,
        has_thread: bool = True, compact_after_entries: int = COMPACT_AFTER_ENTRIES,
        founding: Members | None = None, circle: Circle | None = None,
        attendance: Attendance | None = None, flusher: Flusher | None = None,
        vouched: Callable[[str, bytes], bytes] = lambda peer, command: command,
    ) -> None:
        self.name, self._vouched = name, vouched
        self._founding = founding or all_voting([name, *links.peers])
        self._circle = circle
        self._links, self._folder, self._has_thread = links, folder, has_thread
        self._machine, self._timings, self._clock = machine, timings, clock
        self._blank = machine.dump()
        self._attendance = attendance
        self._on_fatal, self._disk = on_fatal, disk or HostDisk()
        self._compact_after_entries = compact_after_entries
        self._voter: Voter | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._flusher = flusher
        self._thread: ThreadFlusher | None = None
        self._watchers: list[Callable[[], None]] = []
        self._seen: tuple[object, ...] = ()
        self._moved = asyncio.Event()
        self._proposed: dict[asyncio.Future[Fate], None] = {}
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._questions, self._is_pump_due = 0, False
        self._timer: asyncio.TimerHandle | None = None

    # Beginning and end

    async def start(self) -> Problem | None:
        self._loop = asyncio.get_running_loop()
        known = self._attendance
        found = check_pin() or (known.trouble() if known is not None else None)
        found = found or self._open_voter() or self._links.start(self._received)
        if found is not None:
            await self.close()
            return found
        self._tick()
        return None

    def _open_voter(self) -> Problem | None:
        if self._has_thread:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
            self._thread = ThreadFlusher(self._wake_from_thread)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._machine.load(self._blank)  # of an earlier start in this process
            self._voter = Voter(
                self.name, list(self._links.peers), folder=self._folder, machine=self._machine,
                timings=self._timings, clock=self._clock, disk=self._disk, wire=self._links,
                wake=self._wake, executor=self._executor, founding=self._founding,
                flusher=self._flusher or self._thread, attendance=self._attendance,
                compact_after_entries=self._compact_after_entries,
            )
        except Fatal as fatal:
            return fatal.problem
        except OSError as error:
            return disk_failed(self.name, error)
        self._voter.transport.serve(self._index_told, self._vouched, self._circle)
        return None

    async def disk_trouble(self) -> Problem | None:
        probe = self._folder / "probe"
        if not self._has_thread:
            return tried(self._disk, probe, self.name)
        # A sick disk takes seconds to say so, and other work goes on.
        return await asyncio.to_thread(tried, self._disk, probe, self.name)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._links.close()
        voter, self._voter = self._voter, None
        thread, self._thread = self._thread, None
        if voter is not None:
            voter.stop()
        # A thread that still writes keeps the journal and its lock: it would write over what the
        # next life has written.
        has_ended = thread is None or await asyncio.to_thread(thread.close)
        if voter is not None and has_ended:
            voter.close()
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None
        self._give_up_proposals()
        self._tell_watchers()

    def _step_out(self, found: Problem) -> None:
        """Say nothing more, and let the daemon know that it should end."""
        if self._voter is not None:
            self._voter.stop()
        self._give_up_proposals()
        self._tell_watchers()
        self._on_fatal(found)

    def _give_up_proposals(self) -> None:
        for future in tuple(self._proposed):
            settle(future, (None, FAIL_REASON.UNKNOWN_OUTCOME))

    def _live(self) -> Voter | None:
        """The voter while it takes part."""
        voter = self._voter
        return None if voter is None or voter.transport.is_stopped else voter

    # Messages and time

    def _received(self, peer: str, payload: bytes) -> None:
        if (voter := self._live()) is not None:
            try:
                voter.transport.receive(peer, payload)
            except Fatal as fatal:
                self._step_out(fatal.problem)

    def _tick(self) -> None:
        voter = self._live()
        next_s = TICK_S if voter is None else voter.tick_within_s(TICK_S)
        self._timer = self._loop.call_later(next_s, self._tick)
        if voter is not None:
            voter.transport.check_peers()
            self._pump()

    def _wake(self) -> None:
        if not self._is_pump_due:
            self._is_pump_due = True
            self._loop.call_soon(self._pump)

    def _wake_from_thread(self) -> None:
        with suppress(RuntimeError):  # a write that outlasted the loop has nobody to wake
            self._loop.call_soon_threadsafe(self._wake)

    def _pump(self) -> None:
        self._is_pump_due = False
        if (voter := self._live()) is not None:
            try:
                voter.transport.pump()
            except Fatal as fatal:
                self._step_out(fatal.problem)
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        seen = (self.applied(), self.leader(), self.term(), self.is_leader(), self._live() is None)
        if seen == self._seen:
            return
        self._seen = seen
        self._moved.set()
        self._moved = asyncio.Event()
        for changed in self._watchers:
            self._loop.call_soon(changed)

    async def _move(self, within_s: float) -> None:
        """Return when something was applied or leadership changed, or the time is over."""
        try:
            async with asyncio.timeout(within_s):
                await self._moved.wait()
        except TimeoutError:
            return

    # Asking for agreement

    async def propose(self, command: bytes, *, deadline_s: float) -> object | Problem:
        if len(command) > MAX_COMMAND_BYTES:
            return too_large(self.name, len(command))
        loop = asyncio.get_running_loop()
        due_s = loop.time() + deadline_s
        while (left_s := due_s - loop.time()) > 0 and (voter := self._live()) is not None:
            if voter.engine.leader_name is None:
                await self._move(left_s)
                continue
            result, reason = await self._submitted(voter, command, left_s)
            if reason == FAIL_REASON.SUCCESS:
                return result
            if reason not in NOT_PROPOSED:
                return timed_out(self.name)
            await self._move(min(left_s, TICK_S))
        return no_quorum(self.name)

    async def _submitted(self, voter: Voter, command: bytes, within_s: float) -> Fate:
        fate: asyncio.Future[Fate] = self._loop.create_future()
        self._proposed[fate] = None
        waiting = voter.engine.submit(
            command, lambda result, reason: settle(fate, (result, reason)),
        )
        self._wake()
        try:
            # Not wait_for, which in Python 3.11 forgets a cancellation that arrives together with
            # the result: a daemon that ends would wait for ever.
            async with asyncio.timeout(within_s):
                return await fate
        except TimeoutError:
            return None, FAIL_REASON.UNKNOWN_OUTCOME
        finally:
            self._proposed.pop(fate, None)
            if not fate.done() or fate.cancelled():
                voter.engine.withdraw(waiting)

    async def confirm(self, *, deadline_s: float) -> Problem | None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + deadline_s
        needed: int | None = None
        while (left_s := due_s - loop.time()) > 0 and (voter := self._live()) is not None:
            if needed is None:
                # A question that was lost is asked again; an answer takes a round trip or two.
                needed = await self._needed_index(voter, min(left_s, self._timings.raft_min_s))
            elif voter.engine.last_applied < needed:
                await self._move(left_s)
            else:
                return None
        return no_quorum(self.name)

    async def _needed_index(self, voter: Voter, within_s: float) -> int | None:
        """How far a node must have applied to be current as of now; None: no answer."""
        leader = voter.engine.leader_name
        if leader is None:
            await self._move(within_s)
            return None
        self._questions += 1
        number = self._questions
        answer: asyncio.Future[int] = self._loop.create_future()
        self._asked[number] = answer
        if leader == self.name:
            voter.transport.reads.ask(lambda index: self._index_told(number, index))
            self._wake()
        else:
            voter.transport.post(leader, AskIndex(number=number))
        try:
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def _index_told(self, number: int, index: int) -> None:
        if (answer := self._asked.get(number)) is not None:
            settle(answer, index)

    # Who belongs

    def members(self) -> Members:
        return self._founding if self._voter is None else self._voter.engine.members

    def present(self) -> frozenset[str]:
        voter = self._live()
        return frozenset() if voter is None else voter.transport.present() | {self.name}

    def heard_from_s(self, peer: str) -> float:
        voter = self._live()
        return 0.0 if voter is None else voter.transport.heard_from_s(peer)

    async def step_members(
        self, wanted: Members, announce: Announce, *, deadline_s: float,
    ) -> Problem | None:
        voter = self._live()
        step = None if voter is None else voter.next_members(wanted)
        if voter is None or step is None:
            return None
        if self.name not in step.voters:
            voter.transport.resign()
            return None
        fate: asyncio.Future[Fate] = self._loop.create_future()
        change = Change(members=step, command=announce(step))
        if not voter.engine.change_members(change, lambda *told: settle(fate, told)):
            return None
        self._proposed[fate] = None
        self._wake()
        try:
            async with asyncio.timeout(deadline_s):
                _, reason = await fate
        except TimeoutError:
            return timed_out(self.name)
        finally:
            self._proposed.pop(fate, None)
        return None if reason == FAIL_REASON.SUCCESS else timed_out(self.name)

    # What is known here

    def leader(self) -> str | None:
        voter = self._live()
        return None if voter is None else voter.engine.leader_name

    def is_leader(self) -> bool:
        voter = self._live()
        return voter is not None and voter.is_leader()

    def _leading(self) -> Voter | None:
        voter = self._live()
        return voter if voter is not None and voter.engine.is_leading else None

    def quorum_at_s(self) -> float:
        voter = self._leading()
        return 0.0 if voter is None else voter.transport.lease.quorum_at_s()

    def elected_at_s(self) -> float:
        voter = self._leading()
        return 0.0 if voter is None else voter.transport.lease.elected_at_s

    def earlier_until_s(self) -> float:
        voter = self._leading()
        return 0.0 if voter is None else voter.transport.lease.earlier_until_s

    def heard_at_s(self) -> float:
        return 0.0 if self._voter is None else self._voter.transport.lease.heard_at_s()

    def term(self) -> int:
        return 0 if self._voter is None else self._voter.engine.term

    def known_boot(self, peer: str) -> int:
        return 0 if self._voter is None else self._voter.transport.known_boot(peer)

    def applied(self) -> int:
        return 0 if self._voter is None else self._voter.engine.last_applied

    def drops(self) -> dict[str, int]:
        return {} if self._voter is None else self._voter.transport.drops

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)


def tried(disk: Disk, probe: Path, name: str) -> Problem | None:
    """Write and sync more than the journal will ask for next."""
    try:
        probe.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk.remove(probe)
        handle = disk.open(probe)
        try:
            disk.write_at(handle, bytes(PROBE_BYTES), 0)
            disk.sync(handle)
        finally:
            disk.close(handle)
            disk.remove(probe)
    except OSError as error:
        return disk_failed(name, error)
    return None


T = TypeVar("T")


def settle(future: asyncio.Future[T], value: T) -> None:
    """Whoever waited may have given up meanwhile."""
    if not future.done():
        future.set_result(value)
