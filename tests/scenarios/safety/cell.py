"""What a table of safety is made of (table.py): the faults that are asked about, and an answer.

What must never happen here: an answer wider than the tests that stand beside it.
"""

from typing import NamedTuple

FAULTS = {
    "dead": "is dead",
    "stopped": "is stopped (SIGSTOP)",
    "slow": "is slow by 10 s",
    "empty": "starts with an empty memory",
    "older": "is fed an older file",
    "exhausted": "is out of memory or descriptors",
    "full": "finds its disk full",
    "clock": "has its clock stepped",
}
"""What may become of the part that a protection trusts."""


class Cell(NamedTuple):
    follows: str
    seen: str
    """By whom, and as what."""
    within: str
    ends: str
    """What ends it."""
    shown_by: tuple[str, ...]
    """file::test"""


class Nothing(NamedTuple):
    why: str
    """In three words or so, why the fault says nothing here."""


class Part(NamedTuple):
    name: str
    trusts: str
    proves: str
    """What rests on it."""
    cells: dict[str, Cell | Nothing]
    """Fault -> what then; every fault stands here."""


# the files that the answers are shown in
CORE = "tests/core/"
RAFT = "tests/raft/"
SIMULATED = "tests/simulation/test_part_loss.py::test_"
LOSS = "tests/simulation/test_guardian_loss.py::test_"
WORLD = "tests/simulation/test_simulation.py::test_"
BROKEN = "tests/simulation/test_broken_builds.py::test_"
LIVE = "tests/live/test_part_loss_live.py::test_"
LOSS_LIVE = "tests/live/test_guardian_loss_live.py::test_"
TRUST = "tests/live/test_guardian_trust.py::test_"
GUARDIAN = "tests/live/test_guardian.py::test_"
DOG = "tests/live/test_guardian_watchdog.py::test_"
FAILOVER = "tests/live/test_failover_live.py::test_"
FULL_DISK = "tests/live/test_full_disk_live.py::test_"
FENCE = "tests/contracts/test_fence_contract.py::test_"
POWER = "tests/contracts/test_power_contract.py::test_"
DRIVER = "tests/contracts/test_driver_contract.py::test_"
