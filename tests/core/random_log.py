"""A log such as a cluster of two versions may write: what its nodes would say, drawn at random.

Also what is late, what nobody may ask for, and fields that the older version does not know.
"""

from random import Random

from cluster.core import entries
from cluster.core.codec import encode_entry
from cluster.core.machine import StateMachine
from cluster.core.model import Figures, PackageRecord, Proof
from packages.core.known_disks import KnownDisk
from packages.core.model import DiskSpec, NetworkSpec
from packages.core.values import changed
from tests.core.test_apply import ILL, LANDING, package

NODES = ("n1", "n2", "n3")
DISKS = (KnownDisk(path="/dev/d1", identity="naa.1", size_bytes=1, sector_bytes=512, node="n1"),)


class Log:
    """Drawn against the state that it leads to, so that most of it means something."""

    def __init__(self, seed: int, old: str = "0.1.0") -> None:
        self.dice, self.machine = Random(seed), StateMachine()
        self.raw: list[bytes] = []
        self.now_ms, self.count = 1_000_000, 0
        self.versions = {"n2": "0.2.0", "n3": "0.2.0"}
        """Of those whose next daemon is another one."""
        self.say(entries.ClusterFormed, name="farm", nodes=NODES, config_text="-")
        for node in NODES:
            self.say(entries.NodeJoined, node=node, incarnation="i1", version=old)

    def say(self, kind: type[entries.Entry], **fields: object) -> None:
        self.now_ms += self.dice.choice((10, 500, 90_000, -300))
        self.count += 1
        stamp = {"id": f"{self.count:08x}", "at_ms": self.now_ms, "by": self.dice.choice("ab"),
                 "because": "-"}
        # By an older node, which has founded the cluster, or by a newer one; or asked for again.
        if len(self.raw) > len(NODES) and self.dice.random() < 0.5:
            stamp |= {"time_ms": 5_000_000 + self.now_ms // 2, "seen": self.count - 1}
        if self.dice.random() < 0.03:
            stamp["id"] = f"{max(1, self.count - self.dice.choice((3, 40, 4_100))):08x}"
        raw = encode_entry(kind(**{**stamp, **fields}))
        self.raw.append(raw)
        self.machine.apply(len(self.raw), raw)

    def go_on(self, steps: int) -> "Log":
        for _ in range(steps):
            self.dice.choice((
                self.ordered, self.guest, self.guest, self.node, *[self.moved] * 3))()
        return self

    def named(self) -> str:
        return self.dice.choice(("p1", "p2", "p3"))

    def ordered(self) -> None:
        name, flip = self.named(), self.dice.random() < 0.5
        until = self.dice.choice((None, None, self.now_ms + 60_000))
        record = self.machine.state.packages.get(name)
        holds = record.holds if record is not None else ()
        self.dice.choice((
            lambda: self.say(entries.PackageApplied, spec=self.spec(name),
                             new_disks=("/dev/d1",) if flip else ()),
            lambda: self.say(entries.PackageHalted, package=name),
            lambda: self.say(entries.PackageDeleted, package=name) if flip else None,
            lambda: self.say(entries.SwitchingSet, package=name, enabled=flip, until_ms=until,
                             node=self.dice.choice((None, *NODES))),
            lambda: self.say(entries.MaintenanceSet, package=name, on=flip, until_ms=until),
            lambda: [self.say(entries.HoldEnded, package=name, since_ms=each.since_ms,
                              hold="x" if flip else "") for each in holds[:1]],
        ))()

    def spec(self, name: str) -> object:
        spec = package(name=name, nodes=self.dice.choice((NODES, NODES, ("n1", "n2"))),
                       auto_run=self.dice.random() < 0.7)
        path = self.dice.choice(("/dev/d1", f"/dev/{name}"))
        mac = self.dice.choice(("52:54:00:00:00:01", f"52:54:00:00:01:0{name[1]}"))
        return changed(spec, vm=changed(
            spec.vm, disks=(DiskSpec(path=path),),
            networks=(NetworkSpec(vswitch="lan0", mac=mac),)))

    def guest(self) -> None:
        record = self.machine.state.packages.get(self.named())
        if record is None:
            self.say(entries.PackageApplied, spec=self.spec(self.named()))
        elif record.owner is None:
            self.say(entries.PackageAssigned, package=record.name, node=self.dice.choice(NODES),
                     boot_id=f"b{self.count}", operator=self.dice.random() < 0.3)
        else:
            self.answered(record, record.owner)

    def answered(self, record: PackageRecord, owner: str) -> None:
        flip = self.dice.random() < 0.5
        of = {"package": record.name, "node": owner,
              "epoch": record.epoch - (self.dice.random() < 0.1)}
        kinds: dict[str, tuple[type[entries.Entry], dict[str, object]]] = {
            "started": (entries.GuestStarted, {"disks": DISKS}),
            "failed": (entries.GuestFailed, {"problem": ILL, "blameless": flip}),
            "released": (entries.GuestReleased, {"powered_off": self.dice.random() < 0.1}),
        }
        wanted = {"starting": "started", "running": "failed"}.get(record.state, "released")
        kind, fields = kinds[wanted if self.dice.random() < 0.8 else self.dice.choice([*kinds])]
        self.say(kind, **of, **fields)

    def node(self) -> None:
        name = self.dice.choice(NODES)
        record, flip = self.machine.state.nodes[name], self.dice.random() < 0.5
        life = record.incarnation
        self.dice.choice((
            lambda: self.say(
                entries.NodeFailed, node=name, incarnation=life, proof=Proof(
                    kind=self.dice.choice(("lease", "power", "operator")), because="-")),
            lambda: self.joined(name),
            lambda: self.joined(name),
            lambda: self.say(entries.NodeDraining, node=name),
            lambda: self.say(entries.NodeResumed, node=name),
            lambda: self.say(entries.NodeRun, node=name),
            lambda: self.say(entries.NodeHalted, node=name, force=flip, detach=not flip),
            lambda: self.say(entries.GuardianChanged, node=name, incarnation=life, is_silent=flip),
            lambda: self.say(entries.LeaseTaken, node=name, incarnation=life, number=1),
        ))()

    def joined(self, name: str, *, share: float = 0.5) -> None:
        """With this share of its guests."""
        record = self.machine.state.nodes[name]
        held = [each for each in self.machine.state.packages.values()
                if each.owner == name and self.dice.random() < share]
        self.say(entries.NodeJoined, node=name, incarnation=f"i{self.count}",
                 version=self.versions.get(name, record.version),
                 host_boot=f"h{self.count}", lets_go=True,
                 guardian_silent=self.dice.random() < 0.2, guests=tuple(
                     entries.GuestReport(package=each.name, epoch=each.epoch, boot_id="b")
                     for each in held))

    def moved(self) -> None:
        name = self.dice.choice([
            each.name for each in self.machine.state.packages.values()
            if each.state == "running" or each.moving] or [self.named()])
        record = self.machine.state.packages.get(name)
        move = record.move if record is not None and record.moving else None
        if move is None:
            self.say(entries.MoveOpened, package=name, move=f"m{self.count}",
                     target=self.dice.choice(NODES))
            return
        of: dict[str, object] = {"package": name, "move": move.id}
        self.dice.choice((
            lambda: self.say(entries.MoveLanded, **of, landing=LANDING),
            lambda: self.say(entries.MoveFrozen, **of, stopped_at_ms=1.0, until_ms=self.now_ms),
            lambda: self.say(entries.MoveCommitted, **of, figures=Figures()),
            lambda: self.say(entries.MoveThawed, **of, resumed_at_ms=2.0, monitored_at_ms=3.0,
                             disks=DISKS),
            lambda: self.say(entries.MoveAborted, **of, problem=ILL, target_hangs=True),
        ))()
