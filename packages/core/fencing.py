"""Who may write to a package's disks, as the disks themselves keep it, and what that decides. PURE.

Each owner is let in under a name of its own, made of its node and the package's epoch; so an order
that comes late names somebody who has gone, and never the owner of today. A SCSI reservation key
has eight bytes, an iSCSI initiator has a name: both are made and read here.

What must never happen here: a fence that names the one it is for; an owner taken for fenced while
its way to the disk is open.
"""

import hashlib
import re
from urllib.parse import urlsplit

from packages.core.model import DiskSpec, FenceSpec, PackageSpec
from packages.core.values import Value

ISCSI_SCHEME = "iscsi://"
ISCSI_PORT = 3260

_KEY_MARK = 0x76
"""The first byte of our keys, by which those of others are told from them."""
_EPOCHS = 1 << 24
"""A package that got a new owner every second would count to here for half a year; older keys are
compared within the same round."""
_NAMED = re.compile(r"(?P<prefix>.+):(?P<node>.+)\.(?P<epoch>[0-9]{1,15})")


class Registrant(Value):
    """An owner as a disk knows it. `node` is the label of one, not its name."""

    node: str
    epoch: int


class DiskGuard(Value):
    """One disk's own record of who may write to it.

    `closed`: nobody else can write, whoever asks. `lingering` are those that were shut out and
    whose connections are still there."""

    registrants: tuple[Registrant, ...] = ()
    foreign: tuple[str, ...] = ()
    """Let in by somebody else than this product."""
    closed: bool = False
    lingering: tuple[Registrant, ...] = ()
    identity: str = ""
    size_bytes: int = 0
    sector_bytes: int = 0


class Lun(Value):
    """Where an `iscsi://` disk is."""

    host: str
    port: int
    target: str
    number: int

    @property
    def portal(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def registrant(node: str, epoch: int) -> Registrant:
    """Node names are told apart without their case (packages/core/config.py), and names of
    initiators have neither capitals nor '_' (RFC 3722)."""
    return Registrant(node=node.lower().replace("_", ":"), epoch=epoch)


def fenced_by(spec: PackageSpec) -> bool:
    return spec.fence.kind != "none"


def outlived(guard: DiskGuard, by: Registrant) -> tuple[Registrant, ...]:
    """Those a fence for `by` must shut out: other nodes that were let in before it, or with it.

    Whoever was let in for a later epoch is left alone, so that a fence that was held up somewhere
    does no harm when it strikes at last."""
    return tuple(each for each in guard.registrants if is_outlived(each, by))


def is_outlived(each: Registrant, by: Registrant) -> bool:
    return each.node != by.node and each.epoch <= by.epoch


def own_earlier(guard: DiskGuard, me: Registrant) -> tuple[Registrant, ...]:
    """This node's own, up to this epoch."""
    return tuple(
        each for each in guard.registrants if each.node == me.node and each.epoch <= me.epoch)


def why_open(guard: DiskGuard, by: Registrant) -> str | None:
    """Why a lost owner may still write; None once it certainly cannot."""
    left = [each for each in (*guard.registrants, *guard.lingering) if is_outlived(each, by)]
    if left:
        return f"{', '.join(shown(each) for each in left)} can still write"
    if not guard.closed:
        return "the disk is open to whoever asks"
    return None


def why_unable(fence: FenceSpec, guard: DiskGuard) -> str:
    """Why the disk cannot keep a lost owner off although it has a list; empty when it can."""
    if guard.foreign:
        return f"others are let in too: {', '.join(guard.foreign)}"
    if fence.kind == "target_access" and not guard.closed:
        return "the target lets in whoever asks"
    return ""


def shown(each: Registrant) -> str:
    return f"{each.node} (epoch {each.epoch})"


def reservation_key(me: Registrant) -> int:
    """Mark, node and epoch in eight bytes; of 64 nodes two share a key once in two million
    clusters."""
    return _KEY_MARK << 56 | _digest(me.node) << 24 | me.epoch % _EPOCHS


def registrant_of_key(key: int, nodes: tuple[str, ...]) -> Registrant | None:
    """None for a key that is not ours; a node nobody knows any more is named by its digits."""
    if key >> 56 != _KEY_MARK:
        return None
    digest = key >> 24 & 0xFFFFFFFF
    labels = {_digest(label): label for label in (registrant(node, 0).node for node in nodes)}
    return Registrant(node=labels.get(digest, f"?{digest:08x}"), epoch=key % _EPOCHS)


def _digest(label: str) -> int:
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big")


def initiator_name(fence: FenceSpec, me: Registrant) -> str:
    return f"{fence.initiator}:{me.node}.{me.epoch}"


def registrant_of_initiator(fence: FenceSpec, name: str) -> Registrant | None:
    """None for a name that is not ours."""
    found = _NAMED.fullmatch(name)
    prefix = f"{fence.initiator}:"
    if found is None or not name.startswith(prefix):
        return None
    label, _, epoch = name.removeprefix(prefix).rpartition(".")
    return Registrant(node=label, epoch=int(epoch))


def is_iscsi(disk: DiskSpec) -> bool:
    return disk.path.startswith(ISCSI_SCHEME)


def lun_of(path: str) -> Lun:
    """The parts of an `iscsi://` path that configuration has let through."""
    parts = urlsplit(path)
    target, _, number = parts.path.strip("/").rpartition("/")
    return Lun(
        host=parts.hostname or "", port=parts.port or ISCSI_PORT, target=target,
        number=int(number),
    )
