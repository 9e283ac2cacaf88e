"""What the record keeps of a package's moves: the one under way or the last, one that waits."""

from typing import Literal

from packages.core.problem import Problem
from packages.core.values import Value

MoveStage = Literal[
    "opened",     # the target prepares
    "copy",       # the target listens; memory travels while the guest runs
    "frozen",     # the source's vCPUs stand; the switch is under way
    "aborting",   # the source may cancel, although the switch had begun
    "orphaned",   # the source's copy is lost; the target says whether it has the whole memory
    "committed",  # point of no return: the target owns it, and must let it run
    "done",       # over; see `result`
]

Purpose = Literal["ordered", "drain", "return"]
"""Whose wish a move is: an operator's for this package, or for a node."""

MoveResult = Literal["completed", "aborted", "failed"]


class Freeze(Value):
    """Monitoring is off for the freeze of a move; it ends by itself at `until_ms`."""

    move: str
    since_ms: int
    until_ms: int


class Landing(Value):
    """Where the target's carrier listens for this one move."""

    address: str
    port: int
    token: str


class Figures(Value):
    """What a move took, measured by its source and target (milliseconds, bytes)."""

    init_ms: float = 0.0
    copy_ms: float = 0.0
    io_quiesce_ms: float = 0.0
    frozen_ms: float = 0.0
    total_ms: float = 0.0
    freeze_ms: float = 0.0
    monitoring_suspended_ms: float = 0.0
    transferred_bytes: int = 0
    forecast_total_ms: float = 0.0
    forecast_freeze_ms: float = 0.0


class MoveRecord(Value):
    id: str
    package: str
    source: str
    target: str
    epoch: int
    """The source's; the target's is one more."""
    boot_id: str
    machine: str
    opened_at_ms: int
    by: str
    accel: str = ""
    because: str = ""
    purpose: Purpose = "ordered"
    stage: MoveStage = "opened"
    landing: Landing | None = None
    stopped_at_ms: float = 0.0
    abort_because: str | None = None
    """Set when somebody asked for the move's end; the source carries it out."""
    cancelled: bool = False
    """The asker was an operator."""
    result: MoveResult | None = None
    problem: Problem | None = None
    figures: Figures = Figures()


class QueuedMove(Value):
    """A move that waits until its nodes take part in fewer."""

    id: str
    target: str
    at_ms: int
    by: str
    because: str = ""
