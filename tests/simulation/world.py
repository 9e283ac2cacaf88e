"""A whole simulated cluster from one seed: hosts, network, judge; what happens to it is up to the
nemesis and the operators.
"""

import gc
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.config.load import dump
from cluster.config.schema import (
    PROFILES, ClusterConfig, FenceConfig, MigrationConfig, NodeConfig, Profile, Timings
)
from cluster.core.trust import NodeKeys, Trust
from packages.core.limits import Limits
from packages.core.model import DiskSpec, PackageSpec, PhaseTimeouts, VmSpec
from packages.core.values import changed
from tests.simulation.hardware import Hardware
from tests.simulation.host import Build, Host
from tests.simulation.judge import Broken, Judge
from tests.simulation.keys import Folder, Folders
from tests.simulation.network import OPERATOR, Asker, Manner
from tests.simulation.power import CONTROLLER, STRIP, Controllers, fences_of
from tests.simulation.process import Process
from tests.simulation.settled import Finding, unsettled
from tests.simulation.surroundings import Surroundings
from tests.simulation.timeline import HostTime, TimeStandsStill

NAMES = ("ape", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay")
"""The first few are there from the beginning."""
END_FROZEN_AFTER_S = 6.0
"""Where an operator wants it so: within a run, frozen guests nobody thaws are ended."""
ENDED_OF = 4
"""Of so many seeds one is of such a world."""
LOOK_EVERY_S = 0.25
LAN = PROFILES["lan"]
SIMULATED: dict[str, Timings] = {
    "lan": LAN,
    # Longer, and still short in a run; the margin holds the same drift (cluster/nodes/lease.py, 6).
    "wan": changed(LAN, lease_s=9.0, margin_s=1.6),
}
"""The profiles that operators change between."""
IMPATIENT = {
    name: changed(each, kill_after_s=END_FROZEN_AFTER_S) for name, each in SIMULATED.items()}


class World:
    def __new__(cls, *_: object, **__: object) -> "World":
        forget_earlier_worlds()  # before there is anything of this one
        return super().__new__(cls)

    def __init__(
        self, seed: int, *, nodes: int = 3, manner: Manner = "orderly",
        build: Build | None = None, has_keys: bool = False, hardware: Hardware = Hardware(),
        limits: Limits = Limits(), reserve_mib: int = 0, profile: Profile = "lan",
    ) -> None:
        self.seed, self.hardware = seed, hardware
        self.around = Surroundings(seed, manner, hardware)
        self.timeline, self.network = self.around.timeline, self.around.network
        self.judge = self.around.judge = Judge(self.around)
        self.hosts: dict[str, Host] = self.judge.hosts
        self.config = ClusterConfig(
            name="simulated", migration=MigrationConfig(private=True), limits=limits,
            profile=profile,
            takeover_reserve_mib=reserve_mib,
            nodes=tuple(
                NodeConfig(name=name, address=address_of(name), fences=self._fences(name))
                for name in NAMES[:nodes]),
        )
        if has_keys:
            self._hand_out_keys()
        self._build = build or Build()
        self._profiles = IMPATIENT if seed % ENDED_OF == 0 else SIMULATED
        if hardware.has_controllers:
            self.around.controllers = Controllers(self.timeline, self.judge, self.hosts)
        for name in NAMES[:nodes]:
            self.hosts[name] = self._host(name)
        self.desk = Process(
            self.timeline, HostTime(self.timeline, rate=1.0, shown_s=1000.0, wall_s=0.0),
            broke=lambda what: self.judge.broken("exception", f"operator: {what}"),
            stepped=lambda: None,
        )
        self.asker = Asker(OPERATOR, self.network, self.desk)

    def _host(self, name: str) -> Host:
        return Host(
            name, self.around, config=self.config, profiles=self._profiles, build=self._build)

    def _fences(self, name: str) -> tuple[FenceConfig, ...]:
        if not self.hardware.has_controllers:
            return ()
        return fences_of(name, self.timeline.dice.choice(
            ((CONTROLLER,), (STRIP,), (CONTROLLER, STRIP), (CONTROLLER, STRIP))))

    # doors that open by keys

    @property
    def folders(self) -> Folders:
        assert self.around.folders is not None
        return self.around.folders

    def _hand_out_keys(self) -> None:
        folders = self.around.folders = Folders(self.network)
        keys = {each.name: folders.make_key() for each in self.config.nodes}
        trust = Trust(nodes=tuple(NodeKeys(node=name, key=key) for name, key in keys.items()))
        folders.by_host = {
            name: Folder(self.config, dump(self.config), trust, key) for name, key in keys.items()}

    def settle(self, name: str, folder: Folder) -> None:
        """A new host comes in, with what it was given."""
        self.folders.by_host[name] = folder
        host = self.hosts[name] = self._host(name)
        host.boot()
        host.start_daemon()

    # life

    def __enter__(self) -> "World":
        gc.disable()  # what a killed daemon left must not come to life at some collection
        logging.disable(logging.WARNING)
        logging.getLogger().addHandler(self.judge)
        for host in self.hosts.values():
            host.boot()
            host.start_daemon()
        self._look()
        return self

    def __exit__(self, *_: object) -> None:
        self.timeline.end()
        with silence():
            for host in self.hosts.values():
                for process in host.processes:
                    process.bury()
                host.processes = []
                host.kill_daemon()
            self.desk.bury()
            gc.enable()
            gc.collect()
        logging.getLogger().removeHandler(self.judge)
        logging.disable(logging.NOTSET)

    def _look(self) -> None:
        for host in self.hosts.values():
            self.judge.look_at_monitors(host)
        self.timeline.after(LOOK_EVERY_S, self._look)

    def run(self, for_s: float) -> None:
        """Let time pass; raises Broken."""
        try:
            self.timeline.run(self.timeline.now_s + for_s)
        except TimeStandsStill as still:
            self.judge.broken("progress", f"time stands still: {still}")
        if self.judge.found is not None:
            raise self.judge.found

    def until(self, holds: Callable[[], object], *, within_s: float, what: str) -> None:
        """Let time pass until it holds; raises Broken when it does not in time."""
        end_s = self.timeline.now_s + within_s
        while not holds():
            if self.timeline.now_s >= end_s:
                raise Broken("progress", f"{self.timeline.now_s:.3f} s: not within {within_s:g} s: "
                                         f"{what}")
            self.run(0.25)

    def until_settled(self, *, within_s: float) -> None:
        end_s = self.timeline.now_s + within_s
        while (found := self._unsettled()) is not None:
            if self.timeline.now_s >= end_s:
                checker, what = found
                raise Broken(checker, f"{self.timeline.now_s:.3f} s, long after trouble: {what}")
            self.run(0.25)

    def _unsettled(self) -> Finding | None:
        if self.asker.is_waiting:
            return "progress", "an operator waits for an answer"
        return unsettled(self.hosts, self.judge)

    def leader(self) -> Host | None:
        return next((host for host in self.hosts.values() if self.judge.leads(host)), None)

    def fingerprint(self) -> str:
        return self.judge.fingerprint.hexdigest()


def address_of(name: str) -> str:
    return f"10.0.0.{NAMES.index(name) + 1}"


def forget_earlier_worlds() -> None:
    """A world hangs together in rings, and is held by whoever ran it until that has ended: it goes
    when the next one is made. What is left then is never looked through again: it may be much."""
    with silence():
        gc.collect()
    gc.freeze()


@contextmanager
def silence() -> Iterator[None]:
    """What processes that are gone complain of while they are cleared away says nothing."""
    before, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = before


def package(name: str, nodes: tuple[str, ...], **fields: object) -> PackageSpec:
    """One whose moves end within a run."""
    settings: dict[str, object] = {
        "vm": VmSpec(memory_mib=256, accel="tcg", disks=(DiskSpec(path=f"/dev/{name}"),)),
        "phase_timeouts": PhaseTimeouts(init_s=5.0, copy_s=8.0, io_quiesce_s=2.0, frozen_s=3.0),
        "start_timeout_s": 10.0, "halt_timeout_s": 5.0, "migration_bandwidth_mib_s": 2,
        **fields,
    }
    return PackageSpec(name=name, nodes=nodes, **settings)  # type: ignore[arg-type]


def file_of(spec: PackageSpec) -> str:
    return dump(spec)
