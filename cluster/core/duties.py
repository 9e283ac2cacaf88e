"""`duties(state, node)`: what the record wants of a node, now. PURE.

Nothing is "about to happen" in memory only: after a restart the same state gives the same duties,
and doing one twice is harmless. A guest on a node without a duty for it is ended there.
"""

from typing import Union

from cluster.core.model import MoveRecord, PackageRecord, State, fencing_of, packages_of
from cluster.core.suspensions import in_maintenance
from packages.core.model import PackageSpec
from packages.core.values import Value


class Duty(Value):
    """What is to be done about one package; `epoch` names the guest it is about."""

    spec: PackageSpec
    epoch: int
    boot_id: str

    @property
    def package(self) -> str:
        return self.spec.name

    @property
    def is_unguarded(self) -> bool:
        """Nobody answers for its guest any more."""
        return False


class Start(Duty):
    """Start it from its disks as a new life, and say so."""


class Keep(Duty):
    """It runs: watch it, and say when it does not."""

    maintenance: bool = False


class Halt(Duty):
    """Let it shut itself down, end it after its time, and say that it is gone. `within_s`: less
    time than its own."""

    within_s: float | None = None


class Destroy(Duty):
    """End it at once, see it dead, and say that it is gone."""


class Leave(Duty):
    """Detached: leave it running, unwatched, and unguarded once that is said. `guarded`: say it."""

    guarded: bool = False

    @property
    def is_unguarded(self) -> bool:
        return not self.guarded


class Wait(Duty):
    """The node is called dead, and nobody was given the package: neither end its guest nor count
    on it before the node has joined again."""


class Attach(Duty):
    """Detached until now: have it guarded, watch it, and say so."""


class Send(Duty):
    """Keep it, and take its move forward."""

    move: MoveRecord
    maintenance: bool = False


class Receive(Duty):
    """Hold a paused guest and a landing for this move. `epoch` is the target's."""

    move: MoveRecord


class Claim(Duty):
    """The source is lost in the switch: say whether the whole memory is here."""

    move: MoveRecord


class Thaw(Duty):
    """The package is ours since the commit: let its guest run."""

    move: MoveRecord


class Hold(Duty):
    """The source after the commit: never continue the copy, keep it until the target runs."""

    move: MoveRecord


class Fence(Duty):
    """Shut the owner of this epoch, which is silent, out of the disks, and say when it is."""

    order: str
    victim: str


AnyDuty = Union[
    Start, Keep, Halt, Destroy, Leave, Wait, Attach, Send, Receive, Claim, Thaw, Hold, Fence,
]

OWNED: dict[str, type[Start] | type[Destroy]] = {"starting": Start, "failing": Destroy}


def duties(state: State, node: str) -> dict[str, AnyDuty]:
    """Package name -> duty, for the packages this node has anything to do with."""
    given = ((record.name, duty(record, node)) for record in packages_of(state, node))
    return {name: each for name, each in given if each is not None}


def duty(record: PackageRecord, node: str) -> AnyDuty | None:
    fencing = fencing_of(record)
    if fencing is not None and fencing.node == node and fencing.problem is None:
        # Also before a move: one whose source is shut out is over.
        return Fence(spec=record.spec, epoch=record.epoch, boot_id=record.boot_id,
                     order=fencing.id, victim=fencing.victim)
    if record.move is not None and record.moving:
        return _moving(record, record.move, node)
    if record.owner is None and record.lost is not None and record.lost.node == node:
        return Wait(spec=record.spec, epoch=record.epoch, boot_id=record.boot_id)
    if record.owner != node:
        return None
    return _owned(record)


def _owned(record: PackageRecord) -> AnyDuty:
    spec, epoch, boot_id = record.spec, record.epoch, record.boot_id
    if record.state == "running":
        return Keep(spec=spec, epoch=epoch, boot_id=boot_id, maintenance=in_maintenance(record))
    if record.state == "detached" and record.attaching:
        return Attach(spec=spec, epoch=epoch, boot_id=boot_id)
    if record.state == "detached":
        return Leave(spec=spec, epoch=epoch, boot_id=boot_id, guarded=record.guarded)
    if record.state == "halting":
        return Halt(spec=spec, epoch=epoch, boot_id=boot_id, within_s=record.halt_within_s)
    return OWNED[record.state](spec=spec, epoch=epoch, boot_id=boot_id)


def _moving(record: PackageRecord, move: MoveRecord, node: str) -> AnyDuty | None:
    spec, boot_id = record.spec, move.boot_id
    committed = move.stage == "committed"
    if node == move.target and not committed:
        side = Claim if move.stage == "orphaned" else Receive
        return side(spec=spec, epoch=move.epoch + 1, boot_id=boot_id, move=move)
    if node == move.source and committed:
        return Hold(spec=spec, epoch=move.epoch, boot_id=boot_id, move=move)
    if record.owner != node:
        return None
    if record.state != "running":
        return _owned(record)
    if committed:
        return Thaw(spec=spec, epoch=record.epoch, boot_id=boot_id, move=move)
    return Send(
        spec=spec, epoch=record.epoch, boot_id=boot_id, move=move,
        maintenance=in_maintenance(record),
    )
