"""All that a proof or a protection rests on; docs/safety.md is drawn from it.

What must never happen here: a part that something rests on and that is not in this list.
"""

from tests.scenarios.safety.agreement import EPOCH, JOURNAL, READ_INDEX
from tests.scenarios.safety.cell import Part
from tests.scenarios.safety.fences import DISK_FENCE, IMAGE_LOCK, OPERATOR, POWER_FENCE
from tests.scenarios.safety.watchers import DAEMONS_FREEZE, LEASE, WATCHDOG, WATCHER

PARTS: tuple[Part, ...] = (
    LEASE, WATCHER, DAEMONS_FREEZE, IMAGE_LOCK, DISK_FENCE, POWER_FENCE, WATCHDOG, OPERATOR, EPOCH,
    READ_INDEX, JOURNAL,
)
