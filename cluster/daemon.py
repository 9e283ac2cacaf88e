"""`vmsgd`, the daemon of a node: puts the rooms together, and takes them apart again.

Ending it does not end guests: they run on under their lease, and a daemon that comes back within
it takes them up untouched. What must never happen here: guests let run before the node has joined
and knows what the record gives to it.
"""

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from cluster.answers.desk import Desk
from cluster.answers.survey import Survey
from cluster.answers.table import HANDLERS
from cluster.api.messages import AskLease, AskReady, Reply
from cluster.api.peer import Endpoint, Peer
from cluster.api.server import ApiServer
from cluster.clock import HostClock
from cluster.config.keys import NodeFolder, load_node_folder
from cluster.config.schema import PROFILES, NodeConfig
from cluster.coordination import Coordination
from cluster.core import entries
from cluster.core.machine import StateMachine
from cluster.ledger import Ledger
from cluster.nodes.facts import HostFacts
from cluster.nodes.guardian_link import GuardianLink, GuardianNews
from cluster.nodes.leasing import Landlord, Tenant
from cluster.raft.syncobj import SyncObjReplica
from cluster.sockets import keys_of
from packages.core.model import PackageSpec
from packages.core.problem import Problem, refusals
from packages.storage.block_devices import BlockDevices
from packages.storage.device_users import every_process, same_network_namespace
from packages.surroundings import Surroundings
from packages.vm.qemu.accelerators import kvm_trial
from packages.vm.qemu.driver import QemuDriver
from packages.vm.relay_carrier import RelayCarrier
from packages.worker import Worker

VERSION = "0.1.0"

log = logging.getLogger("vmsgd")

GUARDIAN_S = 5.0
JOIN_S = 5.0
JOIN_AGAIN_S = 0.3
READY_S = 0.5
"""A target that does not answer within this is not moved to: it could not thaw the guest either."""
REFUSED_EXIT = 3
"""This node must not take part; systemd does not restart the daemon for it (conf/systemd)."""


class Daemon:
    """One node, from its folders. `run` returns when it is told to stop or must not go on."""

    def __init__(self, folder: NodeFolder, *, etc: Path, lib: Path, run: Path) -> None:
        self.folder, self.etc, self.lib, self.run_folder = folder, etc, lib, run
        self.name, self.config = folder.name, folder.config
        self.timings = PROFILES[self.config.profile]
        self.clock = HostClock()
        self.incarnation = self.clock.token()
        self.stopping = asyncio.Event()
        self.why: Problem | None = None
        self.joined = False
        keys = keys_of(folder.curve_secret)
        assert keys is not None, "load_node_folder has checked the key"
        self.keys = keys
        self.machine = StateMachine()
        self.replica = self._replica()
        self.ledger = Ledger(self.replica, self.machine, self.clock, self.name)
        self.peers = {
            node.name: Peer(self._endpoint(node), keys)
            for node in self.config.nodes if node.name != self.name
        }
        self.landlord = Landlord(
            node=self.name, timings=self.timings, clock=self.clock, ledger=self.ledger)
        self.tenant = Tenant(
            node=self.name, timings=self.timings, clock=self.clock, ledger=self.ledger,
            ask=self._ask_lease, renewed=self._renewed,
        )
        self.guardian = GuardianLink(str(run / "guardian.sock"), heard=self._guardian_news)
        self.driver = QemuDriver(run, self.clock)
        self.worker = Worker(self._surroundings())
        self.survey = Survey(
            node=self.name, config=self.config, ledger=self.ledger, host=self._host_facts(),
            peers=self.peers, worker=self.worker,
        )
        self.api = self._api()

    # putting together

    def _me(self) -> NodeConfig:
        return next(node for node in self.config.nodes if node.name == self.name)

    def _endpoint(self, node: NodeConfig) -> Endpoint:
        return Endpoint(
            address=f"tcp://{node.address}:{node.api_port}", node=node.name,
            server_key=self.folder.keys.nodes[node.name],
        )

    def _replica(self) -> SyncObjReplica:
        me = self._me()
        peers = {
            node.name: (f"tcp://{node.address}:{node.raft_port}",
                        self.folder.keys.nodes[node.name])
            for node in self.config.nodes if node.name != self.name
        }
        return SyncObjReplica(
            name=self.name, peers=peers, bind=f"tcp://{me.address}:{me.raft_port}",
            keys=self.keys, folder=self.lib / "raft", machine=self.machine, clock=self.clock,
            timings=self.timings, on_fatal=self._fatal,
        )

    def _surroundings(self) -> Surroundings:
        me = self._me()
        self.carrier = RelayCarrier(
            self.etc, self.run_folder, me.migration_address or me.address, self.clock,
            transport=self.config.migration.transport,
        )
        return Surroundings(
            node=self.name, driver=self.driver, carrier=self.carrier, ledger=self.ledger,
            clock=self.clock, may_run=self.tenant.holds, guests_changed=self._guests_changed,
            target_ready=self._target_ready, against_start=self._against_start,
        )

    def _host_facts(self) -> HostFacts:
        # A daemon in a network namespace of its own shares its kernel with other nodes (vmsg
        # lab): what their processes have open says nothing about this one.
        alone = same_network_namespace(1)
        return HostFacts(
            name=self.name, version=VERSION, clock=self.clock,
            probe=BlockDevices(counts_process=every_process if alone else same_network_namespace),
            kvm_works=self._kvm_works,
        )

    async def _kvm_works(self) -> bool:
        return (await kvm_trial(self.run_folder)).works

    def _api(self) -> ApiServer:
        me = self._me()
        self.desk = Desk(
            node=self.name, config=self.config, timings=self.timings, clock=self.clock,
            config_text=(self.etc / "cluster.yaml").read_text(), ledger=self.ledger,
            landlord=self.landlord, worker=self.worker, survey=self.survey, peers=self.peers,
            handlers=HANDLERS,
        )
        server = ApiServer(
            [f"tcp://{me.address}:{me.api_port}", f"ipc://{self.run_folder}/api.sock"],
            keys=self.keys, answer=self.desk.answer,
        )
        server.allow(self.folder.keys)
        return server

    # what the rooms ask of each other

    def _fatal(self, why: Problem) -> None:
        """The replica has stepped out: end, and let guests run on under their lease."""
        self.why = why
        self.stopping.set()

    async def _ask_lease(self, leader: str, number: int) -> float | None:
        if leader == self.name:
            return self.landlord.grant(self.name, self.incarnation)
        if leader not in self.peers:
            return None
        reply = await self.peers[leader].ask(
            AskLease(number=number, incarnation=self.incarnation), deadline_s=1.0)
        if not isinstance(reply, Reply) or not isinstance(reply.result, dict):
            return None
        remaining_s = reply.result.get("remaining_s")
        return float(remaining_s) if isinstance(remaining_s, (int, float)) else None

    def _renewed(self, expiry_s: float) -> None:
        self.guardian.renew(expiry_s, expiry_s + self.timings.kill_after_s)

    def _guests_changed(self) -> None:
        self.guardian.guard(self.worker.guarded())

    def _guardian_news(self, news: GuardianNews) -> None:
        named = ", ".join(guest.package for guest in news.guests)
        log.warning("guardian: %s %s: %s", news.event, named, news.because)
        for guest in news.guests:
            if guest.package in self.worker.agents:
                self.worker.agents[guest.package].wake()

    async def _target_ready(self, target: str, package: str, move: str) -> bool:
        """The target's agent answers, and so does the record: nothing is waited out inside the
        freeze that could be seen before it."""
        if target not in self.peers:
            return False
        ask = AskReady(package=package, move=move)
        reply, refused = await asyncio.gather(
            self.peers[target].ask(ask, deadline_s=READY_S),
            self.replica.confirm(deadline_s=2.0),
        )
        return (
            refused is None and isinstance(reply, Reply) and isinstance(reply.result, dict)
            and reply.result.get("ready") is True
        )

    async def _against_start(self, spec: PackageSpec) -> list[Problem]:
        return refusals(await self.survey.against_start(spec, self.name))

    # life

    async def run(self) -> Problem | None:
        """Take part until told to stop; the Problem for which it may not."""
        async with AsyncExitStack() as stack:
            refused = await self.replica.start()
            stack.push_async_callback(self.replica.close)
            refused = refused or self.api.start()
            stack.push_async_callback(self.api.close)
            if refused is not None:
                return refused
            guarded = await self.guardian.connect(deadline_s=GUARDIAN_S)
            stack.push_async_callback(self.guardian.close)
            if guarded is not None:
                log.error("%s %s", guarded.what, guarded.because)
            await self.worker.adopt()
            stack.push_async_callback(self._leave_guests)
            tasks = [asyncio.ensure_future(each) for each in (
                self.tenant.run(), self._take_part(),
                Coordination(ledger=self.ledger, landlord=self.landlord, clock=self.clock,
                             checked=self.survey.against_move).run(),
            )]
            stack.push_async_callback(_cancelled, tasks)
            for task in tasks:
                task.add_done_callback(self._task_ended)
            log.info("%s takes part in %s", self.name, self.config.name)
            await self.stopping.wait()
        return self.why

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("a part of the daemon ended", exc_info=task.exception())
            self.stopping.set()

    async def _leave_guests(self) -> None:
        # Relays are left alone too: a copy under way ends by itself, well or not.
        await self.worker.close()
        await self.driver.close()
        for peer in self.peers.values():
            peer.close()

    async def _take_part(self) -> None:
        """Form the cluster if nobody has, join it, and do what the record wants."""
        while not await self._join():
            await asyncio.sleep(JOIN_AGAIN_S)
        log.info("%s has joined", self.name)
        self.worker.begin()
        self._guests_changed()

    async def _join(self) -> bool:
        """Whether the record has this incarnation of the node, with what runs here."""
        if await self.replica.confirm(deadline_s=JOIN_S) is not None:
            return False
        if self.name not in self.ledger.state.nodes:
            await self.ledger.propose(entries.ClusterFormed(
                id=f"form-{self.config.name}", at_ms=self.clock.wall_ms(), by=self.name,
                because="the nodes met for the first time", name=self.config.name,
                nodes=tuple(node.name for node in self.config.nodes),
                config_text=self.desk.config_text,
            ), deadline_s=JOIN_S)
        await self.worker.end_foreign()
        refused = await self.ledger.say(
            entries.NodeJoined, "its daemon started", deadline_s=JOIN_S, node=self.name,
            incarnation=self.incarnation, version=VERSION, guests=self.worker.reports(),
        )
        if refused is not None:
            log.warning("not joined yet: %s %s", refused.what, refused.because)
        return refused is None


async def _cancelled(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(folder: NodeFolder, *, etc: Path, lib: Path, run: Path) -> Problem | None:
    daemon = Daemon(folder, etc=etc, lib=lib, run=run)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stopping.set)
    return await daemon.run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="vmsgd", description="the daemon of one vmsg node")
    parser.add_argument("--etc", type=Path, default=Path("/etc/vmsg"))
    parser.add_argument("--lib", type=Path, default=Path("/var/lib/vmsg"))
    parser.add_argument("--run", type=Path, default=Path("/run/vmsg"))
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr,
        format="%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    for each in (options.lib, options.run):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = load_node_folder(options.etc)
    why = folder if isinstance(folder, Problem) else asyncio.run(
        serve(folder, etc=options.etc, lib=options.lib, run=options.run))
    if why is not None:
        print(f"vmsgd: {why.what} {why.because} {why.fix} [{why.code}]", file=sys.stderr)
        sys.exit(REFUSED_EXIT)


if __name__ == "__main__":
    main()
