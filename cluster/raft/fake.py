"""A Replica without Raft: one log for all, held by a network that can be cut, for scenarios.

It keeps the promises of the door (one order, an acknowledgement only from a majority, a leader
only with one) and leaves out how they are kept. Time is the clock that is handed in, so that an
election takes as long as a scenario says and nothing happens by itself: who leads is worked out
whenever it is asked, and by `settle` after the clock was moved. What must never happen here: a
promise the real replica does not make.
"""

import asyncio
from collections.abc import Callable
from itertools import count

from cluster.clock import Clock
from cluster.raft.members import Members, all_voting, next_members
from cluster.raft.problems import no_quorum, too_large
from cluster.raft.replica import MAX_COMMAND_BYTES, Announce, Machine
from packages.core.problem import Problem

ELECTION_S = 0.7
"""What the `lan` profile takes, from the loss of a leader to the next."""

SNAPSHOT_BEHIND = 1000
"""A node that missed more entries than this is given the state instead."""


class FakeNetwork:
    """`voters` are the names of the founding nodes, up or not; a majority of them decides."""

    def __init__(self, voters: tuple[str, ...], *, clock: Clock, election_s: float = ELECTION_S):
        self.clock = clock
        self.members = all_voting(voters)
        self._election_s = election_s
        self._replicas: dict[str, FakeReplica] = {}
        self._machines: dict[str, Machine] = {}
        self._island: dict[str, int] = {}
        self._log: list[bytes] = []
        self._applied: dict[str, int] = {}
        self._leader: str | None = None
        self._lost_at_s = clock.boottime_s() - election_s
        self.term = 0
        self.elected_at_s = self.earlier_until_s = 0.0
        self.quorum_age_s = 0.0
        """Since a majority has answered the leader, which does not know yet that it leads no more.
        """
        self.is_sure = True
        """Whether the leader says that it leads: it does not while its majority is silent, and does
        again in the same term once that answers."""

    # What a scenario does to it

    def replica(self, name: str, machine: Machine) -> "FakeReplica":
        """A node's replica, as a daemon that starts makes it; its machine begins empty."""
        self._machines[name] = machine
        self._applied[name] = 0
        return FakeReplica(name, self)

    def cut(self, *names: str) -> None:
        """From now on these reach only each other."""
        number = next(each for each in count(1) if each not in self._island.values())
        self._island.update({name: number for name in names})
        self._changed()

    def heal(self) -> None:
        self._island = {}
        self._changed()

    def settle(self) -> None:
        """Let happen what the clock, moved on, has made due."""
        self.leader()

    # What its replicas ask

    def joined(self, replica: "FakeReplica") -> None:
        self._replicas[replica.name] = replica
        self._changed()

    def left(self, replica: "FakeReplica") -> None:
        if self._replicas.get(replica.name) is replica:
            del self._replicas[replica.name]
        self._changed()

    def reachable(self, name: str) -> list[str]:
        """The nodes that are up on the same side, itself included."""
        if name not in self._replicas or name not in self.members.names:
            return []
        island = self._island.get(name, 0)
        return sorted(
            each for each in self._replicas.keys() & self.members.names
            if self._island.get(each, 0) == island
        )

    def has_majority(self, name: str) -> bool:
        voters = self.members.voters
        return name in voters and len(voters.intersection(self.reachable(name))) * 2 > len(voters)

    def leader(self) -> str | None:
        """Who leads now; an election ends `election_s` after the last leader was lost."""
        leader, now_s = self._leader, self.clock.boottime_s()
        if leader is not None and not self.has_majority(leader):
            self._leader = leader = None
        able = [each for each in sorted(self._replicas) if self.has_majority(each)]
        if leader is None and able and now_s >= self._lost_at_s + self._election_s:
            self._leader = leader = able[0]
            self.term += 1
            self.elected_at_s, self.earlier_until_s = now_s, self._lost_at_s
            self.commit(b"", is_command=False)
        return leader

    def commit(self, command: bytes, *, is_command: bool = True) -> None:
        """Append, and have everybody on the leader's side apply it."""
        if is_command:
            self._log.append(command)
        leader = self._leader or ""
        for name in sorted(self.reachable(leader), key=lambda each: each != leader):
            self._catch_up(name)
        for replica in list(self._replicas.values()):
            replica.tell()

    def change_members(self, members: Members, command: bytes) -> None:
        """Agreed at once; who was removed still hears of it."""
        audience = self.reachable(self._leader or "")
        self.members = members
        self._log.append(command)
        for name in audience:
            self._catch_up(name)
        self._changed()

    def applied(self, name: str) -> int:
        return self._applied.get(name, 0)

    def _catch_up(self, name: str) -> None:
        replica, machine = self._replicas[name], self._machines[name]
        donor = self._replicas.get(self._leader or "")
        behind = len(self._log) - self._applied[name]
        if behind > SNAPSHOT_BEHIND and donor is not None and donor is not replica:
            machine.load(self._machines[donor.name].dump())
            self._applied[name] = self._applied[donor.name]
        while self._applied[name] < len(self._log):
            index = self._applied[name] + 1
            replica.last_result = machine.apply(index, self._log[index - 1])
            self._applied[name] = index

    def _changed(self) -> None:
        had = self._leader
        if had is not None and not self.has_majority(had):
            self._leader, self._lost_at_s = None, self.clock.boottime_s()
        if self.leader() is not None:
            self.commit(b"", is_command=False)
        for replica in list(self._replicas.values()):
            replica.tell()


class FakeReplica:
    """Made by `FakeNetwork.replica`."""

    def __init__(self, name: str, network: FakeNetwork) -> None:
        self.name = name
        self.last_result: object = None
        self._network = network
        self._watchers: list[Callable[[], None]] = []
        self._heard_at_s = 0.0

    async def start(self) -> Problem | None:
        self._network.joined(self)
        return None

    async def disk_trouble(self) -> Problem | None:
        return None

    async def propose(self, command: bytes, *, deadline_s: float) -> object | Problem:
        """Does not wait for a leader: simulated time stands still meanwhile."""
        await asyncio.sleep(0)
        if len(command) > MAX_COMMAND_BYTES:
            return too_large(self.name, len(command))
        if not self._is_served():
            return no_quorum(self.name)
        self._network.commit(command)
        return self.last_result

    async def confirm(self, *, deadline_s: float) -> Problem | None:
        await asyncio.sleep(0)
        return None if self._is_served() else no_quorum(self.name)

    def _is_served(self) -> bool:
        return self.leader() is not None

    def members(self) -> Members:
        return self._network.members

    def present(self) -> frozenset[str]:
        return frozenset(self._network.reachable(self.name))

    def heard_from_s(self, peer: str) -> float:
        return self._network.clock.boottime_s() if peer in self.present() else 0.0

    async def step_members(
        self, wanted: Members, announce: Announce, *, deadline_s: float,
    ) -> Problem | None:
        await asyncio.sleep(0)
        if not self.is_leader():
            return None
        step = next_members(
            self.members(), wanted, alive=self.present(), caught_up=self.present())
        if step is not None:
            self._network.change_members(step, announce(step))
        return None

    def leader(self) -> str | None:
        leader = self._network.leader()
        if leader is None or leader not in self._network.reachable(self.name):
            return None
        self._heard_at_s = self._network.clock.boottime_s()
        return leader

    def is_leader(self) -> bool:
        return self.leader() == self.name and self._network.is_sure

    def quorum_at_s(self) -> float:
        now_s = self._network.clock.boottime_s()
        return now_s - self._network.quorum_age_s if self.is_leader() else 0.0

    def elected_at_s(self) -> float:
        return self._network.elected_at_s if self.is_leader() else 0.0

    def earlier_until_s(self) -> float:
        return self._network.earlier_until_s if self.is_leader() else 0.0

    def heard_at_s(self) -> float:
        self.leader()
        return self._heard_at_s

    def term(self) -> int:
        return self._network.term

    def known_boot(self, peer: str) -> int:
        return 0

    def applied(self) -> int:
        return self._network.applied(self.name)

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def tell(self) -> None:
        for changed in self._watchers:
            changed()

    async def close(self) -> None:
        self._network.left(self)
