"""`vmsgd`, the daemon of a node: gives a `Node` its sockets, processes and clock.

What must never happen here: a decision; those are the node's, so that the simulation, which gives
it other doors, searches what runs in production.
"""

import argparse
import asyncio
import faulthandler
import logging
import os
import resource
import signal
import sys
from pathlib import Path

from cluster.api.server import ApiServer
from cluster.clock import HostClock
from cluster.config.addresses import tcp_endpoint
from cluster.config.keys import NodeFolder, load_node_folder
from cluster.config.schema import PROFILES, NodeConfig, allowed_by
from cluster.config.vault import FolderVault, settle
from cluster.core.machine import StateMachine
from cluster.core.vouching import vouched
from cluster.daemon_log import begin_log, say_last
from cluster.event_loop import run as run_on_loop
from cluster.exit_codes import exit_code
from cluster.heap import give_back_what_is_freed
from cluster.host_keys import SocketKeys
from cluster.late_address import until_here
from cluster.node import VERSION, Node
from cluster.nodes.facts import HostFacts
from cluster.nodes.guardian_link import GuardianLink
from cluster.nodes.host_boot import host_boot
from cluster.power.agents import FenceAgents
from cluster.raft.attendance import MARK_FILE, Attendance
from cluster.raft.links import SocketLinks
from cluster.raft.syncobj import SyncObjReplica
from cluster.reading import OtherProcess, Reading
from cluster.rooms import Rooms
from cluster.seating import endpoint_of, founding_members
from cluster.signs_of_life import signs_of_life
from cluster.sockets import keys_of, make_keys, public_of
from cluster.supervision import Supervisor
from cluster.vigil import together
from packages.core.problem import Problem
from packages.fencing.fences import fences_of_host
from packages.storage.block_devices import BlockDevices
from packages.storage.device_users import CountsProcess, every_process, same_network_namespace
from packages.strangers import HostStrangers
from packages.vetting import Vetting
from packages.vm.qemu.accelerators import kvm_trial
from packages.vm.qemu.consoles import keep_short
from packages.vm.qemu.driver import QemuDriver
from packages.vm.qemu.reattaching import keep_attached
from packages.vm.relay_carrier import RelayCarrier
from packages.vm.scopes import SystemdScopes

log = logging.getLogger("vmsgd")


class Daemon:
    """One node, from its folders. `run` returns when it is told to stop or must not go on."""

    def __init__(
        self, folder: NodeFolder, *, etc: Path, lib: Path, run: Path, supervisor: Supervisor,
        guests_slice: str = "",
    ) -> None:
        self.supervisor = supervisor
        self.folder, self.etc, self.lib, self.run_folder = folder, etc, lib, run
        self.clock = HostClock()
        keys = keys_of(folder.curve_secret)
        assert keys is not None, "load_node_folder has checked the key"
        self.keys = keys
        self.links = self._links()
        self.host_keys = SocketKeys(
            node=folder.name, nodes=folder.config.nodes, keys=keys, first=folder.keys,
            links=self.links, vault=FolderVault(
                etc, folder.name, self.clock, make_keys=make_keys, public_of=public_of),
        )
        machine = StateMachine()
        vetting = self.vetting = Vetting(allowed_by(folder.config))
        driver = QemuDriver(
            run, self.clock, node=folder.name, counts_process=counts_process(), vetting=vetting,
            scopes=SystemdScopes(guests_slice) if guests_slice else None)
        self.probe = BlockDevices(counts_process=counts_process())
        host = self._host_facts()
        self.agreement = self._replica(machine)
        self.node = Node(
            name=folder.name, config=folder.config, clock=self.clock, machine=machine,
            config_text=(etc / "cluster.yaml").read_text(), replica=self.agreement,
            neighbours=self.host_keys.peers, host_keys=self.host_keys,
            timings=PROFILES[folder.config.profile],
            driver=driver, carrier=self._carrier(), strangers=self._strangers(driver),
            host=host, fences=fences_of_host(vetting=vetting), probe=self.probe, vetting=vetting,
            power=FenceAgents(), host_boot=host_boot(run, self.clock),
            guardian=GuardianLink(
                str(run / "guardian.sock"), heard=lambda news: self.node.guardian_news(news),
                acknowledged=lambda expiry_s: self.node.guarding.acknowledged(expiry_s)),
        )

        self.rooms = self.node.desk.rooms = Rooms(
            node=folder.name, clock=self.clock, neighbours=self.host_keys.peers, look=host.rooms)
        self.node.desk.reading = Reading(OtherProcess())
        self.node.begun = supervisor.ready
        self._waits_for_address = False

    def _me(self) -> NodeConfig:
        return next(each for each in self.folder.config.nodes if each.name == self.folder.name)

    def _links(self) -> SocketLinks:
        me, known = self._me(), self.folder.keys.nodes
        return SocketLinks(
            {
                node.name: (endpoint_of(node), known.get(node.name, ""))
                for node in self.folder.config.nodes if node.name != me.name
            },
            bind=endpoint_of(me), keys=self.keys,
        )

    def _replica(self, machine: StateMachine) -> SyncObjReplica:
        return SyncObjReplica(
            name=self.folder.name, folder=self.lib / "raft", machine=machine, clock=self.clock,
            links=self.links, timings=PROFILES[self.folder.config.profile],
            attendance=Attendance(
                self.folder.name, mark=self.etc / MARK_FILE, folder=self.lib / "raft",
                clock=self.clock),
            founding=founding_members(self.folder.config), circle=self.links,
            on_fatal=lambda why: self.node.step_out(why),
            vouched=lambda peer, command: vouched(machine.state, peer, command),
        )

    def _carrier(self) -> RelayCarrier:
        me = self._me()
        return RelayCarrier(
            self.etc, self.run_folder, me.migration_address or me.address, self.clock,
            transport=self.folder.config.migration.transport, address_of=self._migration_address,
        )

    def _migration_address(self, node: str) -> str:
        """By the cluster file as it is agreed now; "" for one that it does not name."""
        found = (each for each in self.node.desk.config.nodes if each.name == node)
        return next((each.migration_address or each.address for each in found), "")

    def _host_facts(self) -> HostFacts:
        return HostFacts(
            name=self.folder.name, version=VERSION, clock=self.clock, probe=self.probe,
            vetting=self.vetting, kvm_works=self._kvm_works,
            folders={"state": self.lib, "run": self.run_folder, "etc": self.etc},
        )

    def _strangers(self, driver: QemuDriver) -> HostStrangers:
        return HostStrangers(
            probe=self.probe, counts_process=counts_process(), ours=driver.pids)

    async def _kvm_works(self) -> bool:
        return (await kvm_trial(self.run_folder)).works

    def _server(self) -> ApiServer:
        me = self._me()
        server = ApiServer(
            [tcp_endpoint(me.address, me.api_port), f"ipc://{self.run_folder}/api.sock"],
            keys=self.keys, answer=self.node.desk.answer,
        )
        server.allow(self.folder.keys)
        server.refused = self.node.vigil.refused
        self.node.vigil.doors = {
            "requests": lambda: together(server.drops, server.counts),
            "agreement": lambda: together(self.links.drops, self.agreement.drops()),
        }
        self.host_keys.server = server
        return server

    async def run(self) -> Problem | None:
        beside = [asyncio.ensure_future(each) for each in (
            self.rooms.run(), keep_short(self.run_folder), keep_attached(self.run_folder),
            signs_of_life(self.supervisor, self.status))]
        try:
            if not await until_here(
                self._me().address, ending=self.node.stopping, waits=self._waits,
            ):
                return None
            self._waits_for_address = False
            return await self.node.run(self._server())
        finally:
            for each in beside:
                each.cancel()
            self.host_keys.close()

    def end(self) -> None:
        self.supervisor.ending()
        self.node.stopping.set()

    def status(self) -> str:
        """For `systemctl status`: what a person at this host has to know first."""
        if self._waits_for_address:
            return f"waits for this host to have the address {self._me().address}"
        trouble = self.node.comeback.trouble
        if trouble is not None:
            return f"takes no part: {trouble.what}"
        guests = len(self.node.worker.guests())
        part = "takes part" if self.node.worker.is_working else "has not joined yet"
        silent = "; ITS GUARDIAN IS SILENT" if self.node.guarding.is_silent else ""
        return f"{self.folder.name} of {self.folder.config.name} {part}; {guests} guests{silent}"

    def _waits(self) -> None:
        """Started all the same: a host's boot must not wait for it."""
        log.warning("this host has no address %s yet: waiting for it", self._me().address)
        self._waits_for_address = True
        self.supervisor.show(self.status())
        self.supervisor.ready()


def counts_process() -> CountsProcess:
    """A daemon in a network namespace of its own shares its kernel with other nodes (vmsg lab):
    what their processes do says nothing about this one."""
    return every_process if same_network_namespace(1) else same_network_namespace


async def serve(
    folder: NodeFolder, options: argparse.Namespace, supervisor: Supervisor,
) -> Problem | None:
    daemon = Daemon(
        folder, etc=options.etc, lib=options.lib, run=options.run, supervisor=supervisor,
        guests_slice=options.slice)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.end)
    return await daemon.run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="vmsgd", description="the daemon of one vmsg node")
    parser.add_argument("--etc", type=Path, default=Path("/etc/vmsg"))
    parser.add_argument("--lib", type=Path, default=Path("/var/lib/vmsg"))
    parser.add_argument("--run", type=Path, default=Path("/run/vmsg"))
    parser.add_argument("--slice", default="", metavar="NAME", help=(
        "ask systemd for a scope below it for each guest; none: they stay in the daemon's group"))
    options = parser.parse_args()
    begin_log()
    give_back_what_is_freed()
    faulthandler.enable()  # where it stood, when its supervisor ends it for standing
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # three for each guest, and more
    for each in (options.lib, options.run):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = settle(options.etc) or load_node_folder(options.etc)
    why = folder if isinstance(folder, Problem) else run_on_loop(
        serve(folder, options, Supervisor(os.environ)))
    if why is not None:
        say_last(f"{why.what} {why.because} {why.fix} [{why.code}]")
        sys.exit(exit_code(why))


if __name__ == "__main__":
    main()
