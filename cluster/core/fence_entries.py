"""What is agreed upon when a silent owner is shut out of its disks (cluster/core/fencing.py), or
its power is to be switched off (cluster/fencing.py)."""

from cluster.core.entry import Entry
from packages.core.problem import Problem


class FenceOrdered(Entry, tag="fence-ordered"):
    """`node` is to shut the silent owner `victim` of this epoch out of the package's disks."""

    package: str
    epoch: int
    victim: str
    node: str
    term: int


class FenceAnswered(Entry, tag="fence-answered"):
    """The owner that was to be shut out cannot write any more; or why it perhaps can."""

    package: str
    order: str
    problem: Problem | None = None


class WatchdogChanged(Entry, tag="watchdog-changed"):
    """The node's guardian pets this watchdog from now on, or none."""

    node: str
    incarnation: str
    name: str = ""
    proves_s: float = 0.0


class GuardianChanged(Entry, tag="guardian-changed"):
    """The node's guardian does not answer its daemon, or does so again: while it is silent nobody
    renews the node's lease, and the node takes nothing."""

    node: str
    incarnation: str
    is_silent: bool


class PowerFenceFailed(Entry, tag="power-fence-failed"):
    """A level of the node's power fences could not switch it off; the next is tried."""

    node: str
    incarnation: str
    level: int
    problem: Problem
