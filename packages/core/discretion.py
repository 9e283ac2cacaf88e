"""What is told of a host to somebody who may only look. PURE.

A rule's reason says what a node sees: processes by number, mounts, identities of LUNs. Whoever may
change packages needs that to mend it; to anybody else it describes hosts he has no business on.
"""

from collections.abc import Iterable

from packages.core.problem import Problem
from packages.core.values import changed

TELLING = frozenset({
    "disk-identity-differs", "disk-in-use", "disk-is-another", "file-absent", "image-not-allowed",
    "program-not-allowed", "storage-fence-unavailable",
})
"""Codes whose reasons tell more of a host than `vmsg status` does."""
UNTOLD = "what the node sees of its disks and files is told to who may change packages"


def told_to(problems: Iterable[Problem], *, may_change: bool) -> list[Problem]:
    return [each if may_change or each.code not in TELLING else changed(each, because=UNTOLD)
            for each in problems]
