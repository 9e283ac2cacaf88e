"""The door to what keeps a lost owner off a disk: the disk's own list of who may write to it.

What must never happen here: `fence` that returns None while an owner it was to shut out can still
write. A fence that cannot tell says so.
"""

from typing import Protocol

from packages.core.fencing import DiskGuard, Registrant
from packages.core.model import FenceSpec
from packages.core.problem import Problem, problem
from packages.core.values import Value


class FencedDisk(Value):
    path: str
    fence: FenceSpec
    nodes: tuple[str, ...] = ()
    """Those that may be on its list, by name."""


class StorageFence(Protocol):
    """Doing any of these twice is the same as once. `deadline_s` is for each question to the
    storage; the whole has one in `Fences`."""

    async def register(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        """Let `me` write. Others stay as they are."""

    async def release(
        self, disk: FencedDisk, me: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        """Give up all that this node was let in with, up to this epoch; its guest is gone."""

    async def fence(
        self, disk: FencedDisk, by: Registrant, *, deadline_s: float,
    ) -> Problem | None:
        """Shut out every other node that was let in up to `by`'s epoch, and everybody who never
        was. `by` is registered. On None none of them can write, and nothing they had sent is
        still on its way to the disk, as far as the target tells."""

    async def status(self, disk: FencedDisk, *, deadline_s: float) -> DiskGuard | Problem:
        """Changes nothing. A Problem is a disk that cannot do what the package asks."""


def unavailable(path: str, because: str, fix: str) -> Problem:
    """The disk cannot do what the package asks of it."""
    return problem(
        "storage-fence-unavailable", f"disk:{path}", what=f"disk {path} cannot be fenced",
        because=because, fix=fix,
    )


def failed(path: str, because: str) -> Problem:
    return problem(
        "storage-fence-failed", f"disk:{path}", what=f"the list of who may write to {path} was not "
        "changed as ordered", because=because,
        fix="see the storage and its tool; vmsg preflight PKG says when it answers again",
    )
