"""A node: everything on one host that decides and acts, put together from the doors it is given.

The daemon gives it sockets, processes and the host's clock, the simulation gives it others; what
happens between the doors is the same. Ending it does not end guests: they run on under their
lease, and a node that comes back within it takes them up untouched.

What must never happen here: guests let run before the node has joined and knows what the record
gives to it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Protocol

from cluster.answers.desk import Desk
from cluster.answers.survey import Host, Survey
from cluster.answers.table import HANDLERS
from cluster.api.messages import AskPatience, AskReady, Reply
from cluster.api.neighbour import Neighbour
from cluster.certifying import Certifier
from cluster.clock import Clock
from cluster.comeback import Comeback
from cluster.config.schema import NEVER_S, PROFILES, ClusterConfig, Timings, allowed_by
from cluster.coordination import Coordination
from cluster.core import entries
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.machine import StateMachine
from cluster.core.model import State
from cluster.deaths import Deaths
from cluster.fencing import PowerFencing
from cluster.keyring import HostKeys, Keyring, NoKeys
from cluster.ledger import Ledger
from cluster.nodes.granting import Landlord
from cluster.nodes.guardian_link import Guardian, GuardianNews
from cluster.nodes.guarding import Guarding
from cluster.nodes.lease_ways import LeaseWays
from cluster.nodes.leasing import Tenant
from cluster.nodes.mtu import MtuProbe
from cluster.nodes.skew import Skew
from cluster.nodes.terms import Terms, numbers_of
from cluster.power.fence import PowerFence
from cluster.raft.replica import Replica
from cluster.residence import Residence
from cluster.rotation import Rotation
from cluster.seating import file_members
from cluster.vigil import Vigil
from packages.core.limits import Limits
from packages.core.model import PackageSpec
from packages.core.problem import Problem, refusals
from packages.core.standing import target_word
from packages.fencing.fences import Fences
from packages.lookout import Lookout
from packages.storage.probe import Probe
from packages.strangers import Strangers
from packages.surroundings import Surroundings
from packages.vetting import Vetting
from packages.vm.carrier import Carrier
from packages.vm.driver import Driver
from packages.worker import Worker

VERSION = "0.2.0"

log = logging.getLogger("vmsgd")

GUARDIAN_S = 5.0
GUARDIAN_FIRST_S = 1.0
"""What runs here is nobody's while it is not found, so this daemon does not wait long to see to it
itself (cluster/nodes/guarding.py)."""
JOIN_S = 5.0
JOIN_AGAIN_S = 0.3
PATIENCE_S = 0.5
"""A neighbour that does not answer within this is not waited for by a daemon that ends."""
READY_S = 0.5
"""A target that does not answer within this is not moved to: it could not thaw the guest either."""


class Server(Protocol):
    """What hears requests and has them answered by the node's desk."""

    def start(self) -> Problem | None: ...
    async def close(self) -> None: ...


class Node:
    """`run` returns when it is told to stop or must not go on. `machine` is what `replica` applies
    to; `neighbours` are the other nodes, by name; without `host_keys` nothing opens by keys.
    `begun` is called once it answers and asks for its lease."""

    def __init__(
        self, *, name: str, config: ClusterConfig, config_text: str, timings: Timings, clock: Clock,
        machine: StateMachine, replica: Replica, neighbours: Mapping[str, Neighbour],
        guardian: Guardian, driver: Driver, carrier: Carrier, host: Host, fences: Fences,
        probe: Probe, power: PowerFence, strangers: Strangers, host_boot: str = "",
        host_keys: HostKeys | None = None, profiles: Mapping[str, Timings] = PROFILES,
        vetting: Vetting | None = None,
    ) -> None:
        self.vetting = vetting or Vetting()
        self.vetting.allowed = allowed_by(config)
        self.name, self.config, self.clock = name, config, clock
        self.replica, self.guardian, self.driver = replica, guardian, driver
        self.timings, self.incarnation, self.profiles = timings, clock.token(), profiles
        self.stopping, self._neighbours, self._boot = asyncio.Event(), neighbours, host_boot
        self.why: Problem | None = None
        self.begun: Callable[[], None] = lambda: None
        self.ledger = Ledger(replica, machine, clock, name)
        self.comeback = Comeback(replica)
        self.landlord = Landlord(
            node=name, timings=self.timings, clock=clock, ledger=self.ledger)
        self._take_leases()
        self.worker = Worker(self._around(carrier, fences, probe, strangers))
        self.survey = Survey(
            node=name, config=config, ledger=self.ledger, host=host, peers=neighbours,
            worker=self.worker, fences=fences,
        )
        self.keyring = Keyring(
            nodes=[each.name for each in config.nodes], ledger=self.ledger, clock=clock,
            host=host_keys or NoKeys())
        self.fencing = self._fencing(power)
        self.lookout = Lookout(worker=self.worker, strangers=strangers, guardian=guardian,
                               hypervisor=host.hypervisor)
        certifier = Certifier(node=name, host=self.keyring.host, neighbours=neighbours)
        self.rotation = Rotation(
            node=name, ledger=self.ledger, keyring=self.keyring, certifier=certifier,
            neighbours=neighbours,
        )
        self.desk = Desk(
            node=name, config=config, config_text=config_text, timings=self.timings, clock=clock,
            ledger=self.ledger, landlord=self.landlord, worker=self.worker, survey=self.survey,
            peers=neighbours, handlers=HANDLERS, keyring=self.keyring, certifier=certifier,
            comeback=self.comeback, fencing=self.fencing, limits=self.limits, profiles=profiles,
        )
        self.vigil = Vigil(node=name, ledger=self.ledger, clock=clock)
        self.desk.refused = self.vigil.counts
        self.residence = self._resident(config_text)
        self.coordination = Coordination(
            ledger=self.ledger, landlord=self.landlord, clock=clock, survey=self.survey,
            limits=self.limits, fence=self.fencing.look,
        )

    def _take_leases(self) -> None:
        self.terms = Terms(
            node=self.name, own=self._file_numbers(), clock=self.clock, ledger=self.ledger)
        self.guarding = Guarding(
            node=self.name, clock=self.clock, ledger=self.ledger, guardian=self.guardian,
            guests=lambda: self.worker, told=self._guests_changed)
        self.mtu = MtuProbe(self._neighbours)
        self.ways = LeaseWays(
            node=self.name, neighbours=self._neighbours, terms=self.terms, clock=self.clock,
            narrow=lambda: self.mtu.narrow, is_guarded=lambda: not self.guarding.is_silent,
            has_stepped_out=lambda: self.comeback.trouble is not None)
        self.tenant = Tenant(
            node=self.name, terms=self.terms, clock=self.clock, ledger=self.ledger,
            ask=self._ask_lease, renewed=self._renewed, guarding=self.guarding)

    def _around(
        self, carrier: Carrier, fences: Fences, probe: Probe, strangers: Strangers,
    ) -> Surroundings:
        return Surroundings(
            node=self.name, driver=self.driver, carrier=carrier, ledger=self.ledger,
            clock=self.clock, may_run=self.tenant.holds, guests_changed=self._guests_changed,
            guarded=self._guarded, target_ready=self._target_ready,
            against_start=self._against_start, fences=fences, probe=probe,
            strangers=strangers, vetting=self.vetting,
        )

    def _resident(self, text: str) -> Residence:
        return Residence(
            node=self.name, text=text, ledger=self.ledger, clock=self.clock,
            is_current=lambda: self.keyring.follows_record, changed=self._configured,
        )

    def _file_numbers(self) -> LeaseNumbers:
        """What a cluster that nobody has formed yet begins with; no proof rests on them."""
        return numbers_of(self.timings, self.config.profile)

    def _configured(self, config: ClusterConfig, text: str) -> Problem | None:
        """The cluster has agreed upon another cluster file."""
        self.config = self.desk.config = self.survey.config = self.fencing.config = config
        self.desk.config_text, self.vetting.allowed = text, allowed_by(config)
        return self.keyring.host.follow(config, text)

    def _fencing(self, power: PowerFence) -> PowerFencing:
        self.landlord.followed = lambda: self.tenant.followed
        deaths = Deaths(
            node=self.name, ledger=self.ledger, landlord=self.landlord, clock=self.clock)
        self.skew = Skew(self.clock, self._neighbours, self.replica.is_leader)
        deaths.ahead_ms = self.skew.ahead_ms
        fencing = PowerFencing(
            node=self.name, config=self.config, ledger=self.ledger, landlord=self.landlord,
            deaths=deaths, clock=self.clock, door=power)
        deaths.fenced = fencing.fenced
        return fencing

    # what the doors tell

    def step_out(self, why: Problem) -> None:
        """The replica has stepped out. Guests run on under their lease; the node comes back when
        its disk does, or ends."""
        if not self.comeback.takes(why):
            self.why = why
            self.stopping.set()

    def guardian_news(self, news: GuardianNews) -> None:
        named = ", ".join(guest.package for guest in news.guests)
        log.warning("guardian: %s %s: %s", news.event, named, news.because)
        for guest in news.guests:
            if guest.package in self.worker.agents:
                agent = self.worker.agents[guest.package]
                if news.event == "killed":
                    agent.body.ended_without_lease(may_run=False)
                agent.wake()

    # what the rooms ask of each other

    def limits(self) -> Limits:
        """As the cluster file has them that was applied last."""
        return self.config.limits

    async def _ask_lease(self, leader: str, number: int) -> float | None:
        if leader == self.name:
            self.landlord.links.narrow[self.name] = self.mtu.narrow
            granted_s = self.landlord.grant(
                self.name, self.incarnation, is_guarded=not self.guarding.is_silent)
            return None if granted_s is None else self.terms.taken(
                granted_s, self.landlord.numbers)
        return await self.ways.ask(leader, number, self.incarnation)

    def _renewed(self, expiry_s: float) -> None:
        """Frozen guests are kept, unless the operator wants their memory back after a time."""
        kept_s = min(self.terms.numbers.kill_after_s, self.config.end_frozen_after_s or NEVER_S)
        self.guarding.renew(expiry_s, expiry_s + kept_s)

    def _guests_changed(self) -> None:
        """Not before this node has joined: until then the guardian knows better than a record that
        may be the past, in which a guest that is nobody's now was still this node's."""
        if self.worker.is_working:
            self.guardian.guard(self.worker.guarded(), frozen=self.worker.frozen)

    async def _guarded(self) -> Problem | None:
        return await self.guardian.taken_up(deadline_s=GUARDIAN_S)

    async def _target_ready(self, target: str, package: str, move: str, loaded: bool) -> str:
        """The target's agent answers. That the record does too is seen by what is proposed right
        before, at the landing, and at the same time, in the freeze."""
        if target not in self._neighbours:
            return "silent"
        ask = AskReady(package=package, move=move, loaded=loaded)
        reply = await self._neighbours[target].ask(ask, deadline_s=READY_S)
        return target_word(reply.result if isinstance(reply, Reply) else None)

    async def _against_start(self, spec: PackageSpec) -> list[Problem]:
        return refusals(await self.survey.against_start(spec, self.name))

    # life

    async def run(self, server: Server) -> Problem | None:
        """Take part until told to stop; the Problem for which it may not."""
        async with AsyncExitStack() as stack:
            refused = await self.replica.start()
            stack.push_async_callback(self.replica.close)
            if refused is not None and self.comeback.takes(refused):
                refused = None
            if refused is not None:
                return refused
            # Before anybody can ask: a daemon that does not know its guests yet would call them
            # strangers to a survey.
            await self.worker.adopt()
            stack.push_async_callback(self._leave_guests)
            refused = server.start()
            stack.push_async_callback(server.close)
            stack.push_async_callback(self.vigil.close)
            if refused is not None:
                return refused
            self.guarding.recall(self.guardian.noted())
            self._begin(stack, self.guarding.run())
            guarded = await self.guardian.connect(deadline_s=GUARDIAN_FIRST_S)
            stack.push_async_callback(self.guardian.close)
            if guarded is not None:
                log.error("%s %s", guarded.what, guarded.because)
            self._begin(
                stack, self.tenant.run(), self.terms.run(), self._take_part(),
                self.coordination.run(), self.skew.run(), self.lookout.run(), self.keyring.run(),
                self.rotation.run(), self._come_back(), self._leave(), self.mtu.run())
            stack.push_async_callback(self.fencing.close)
            log.info("%s takes part in %s", self.name, self.config.name)
            self.begun()
            await self.stopping.wait()
            await self._ask_patience()
        return self.why

    def _begin(self, stack: AsyncExitStack, *parts: Coroutine[object, object, None]) -> None:
        tasks = [asyncio.ensure_future(each) for each in parts]
        stack.push_async_callback(_cancelled, tasks)
        for task in tasks:
            task.add_done_callback(self._task_ended)

    async def _leave(self) -> None:
        self.why = await self.residence.until_removed()
        # A node that was called dead and never joined again before it was removed still has what
        # its packages left behind, and nobody else will ever see to it.
        left = await self.worker.end_foreign()
        if left is not None:
            log.error("%s %s", left.what, left.because)
        self.stopping.set()

    async def _ask_patience(self) -> None:
        """An upgrade of the daemon is not to end with the power of its host switched off, or with
        its guests shut out of their disks."""
        await asyncio.gather(*(
            each.ask(AskPatience(), deadline_s=PATIENCE_S) for each in self._neighbours.values()))

    async def _come_back(self) -> None:
        self.why = await self.comeback.run()
        self.stopping.set()

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("a part of the daemon ended", exc_info=task.exception())
            self.stopping.set()

    async def _leave_guests(self) -> None:
        # Relays are left alone too: a copy under way ends by itself, well or not.
        await self.worker.close()
        await self.driver.close()

    async def _take_part(self) -> None:
        """Form the cluster if nobody has, join it, and do what the record wants. A node that was
        called dead and lives has lost what it had: it joins anew, with nothing running."""
        because = "its daemon started"
        while True:
            while not await self._join(because):
                await asyncio.sleep(JOIN_AGAIN_S)
            log.info("%s has joined", self.name)
            self.worker.begin()
            self._guests_changed()
            await self.ledger.until(self._is_called_dead, deadline_s=None)
            log.warning("%s was called dead", self.name)
            await self.guarding.until_heard()
            because, self.incarnation = "it is heard again", self.clock.token()

    def _is_called_dead(self, state: State) -> bool:
        node = state.nodes.get(self.name)
        return node is not None and (node.state == "failed" or not node.incarnation)

    async def _join(self, because: str) -> bool:
        """Whether the record has this incarnation of the node, with what runs here."""
        if await self.replica.confirm(deadline_s=JOIN_S) is not None:
            return False
        self.keyring.follow_record()
        self.residence.look()
        if not self.ledger.state.nodes:
            await self.ledger.propose(entries.ClusterFormed(
                id=f"form-{self.config.name}", at_ms=self.clock.wall_ms(), by=self.name,
                because="the nodes met for the first time", name=self.config.name,
                nodes=tuple(node.name for node in self.config.nodes),
                config_text=self.desk.config_text, members=file_members(self.config),
                lease=self._file_numbers(),
            ), deadline_s=JOIN_S)
        await self.keyring.form()
        refused = await self.worker.end_foreign()
        refused = refused or await self.ledger.say(
            entries.NodeJoined, because, deadline_s=JOIN_S, node=self.name,
            incarnation=self.incarnation, version=VERSION, guests=self.worker.reports(),
            guardian_silent=self.guarding.is_silent, host_boot=self._boot, lets_go=True,
        )
        if refused is not None:
            log.warning("not joined yet: %s %s", refused.what, refused.because)
        return refused is None


async def _cancelled(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
