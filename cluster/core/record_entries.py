"""What is agreed upon about the record as a whole: that it was saved, and that it is put back."""

from cluster.core.entry import Entry
from cluster.core.hold_records import Hold
from cluster.core.trust import OperatorKey
from packages.core.known_disks import KnownDisk
from packages.core.model import PackageSpec
from packages.core.values import Natural, Value


class SavedPackage(Value):
    """A package as an operator made it, and what was learnt of its disks; nothing of its guest."""

    spec: PackageSpec
    auto_run: bool = True
    epoch: Natural = 0
    """Put back as the least: an order of before must match nothing."""
    holds: tuple[Hold, ...] = ()
    disks: tuple[KnownDisk, ...] = ()


class RecordBackedUp(Entry, tag="record-backed-up"):
    """Changes nothing; it stands in the history that, and by whom."""


class RecordRestored(Entry, tag="record-restored"):
    """The packages are these from now on, all of them halted, and so is the cluster."""

    made_at_ms: Natural
    packages: tuple[SavedPackage, ...]
    operators: tuple[OperatorKey, ...] = ()
    """To be let in again, where nobody of the name or the key is known."""
