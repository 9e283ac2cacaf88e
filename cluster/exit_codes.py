"""With what a daemon ends, and so whether it is started again (conf/systemd/vmsgd.service).

Whoever starts it again does so for ever, because most of what ends a daemon passes: an address that
another program holds, memory that is short, a disk that hangs. Only what stays as it is until
somebody has mended it is worth a node that stays down.
"""

from packages.core.problem import Problem

ENDED, AGAIN, FOR_A_PERSON = 0, 1, 3

MENDED_BY_A_PERSON = frozenset({
    "journal-damaged", "journal-missing", "journal-of-another", "journal-rolled-back",
    "snapshot-damaged", "replica-diverged", "node-removed", "node-version-differs",
    "engine-not-pinned", "bad-key",
    "not-authorised",  # it does not run as root
})
"""What its disk, its record or its installation says against taking part. `journal-in-use` is not
here: the daemon before this one may take a while to die."""

FILES = ("config-", "key-file")
"""How all codes begin that are about the files of the node's own folder."""


def exit_code(why: Problem | None) -> int:
    if why is None:
        return ENDED
    is_a_persons = why.code in MENDED_BY_A_PERSON or why.code.startswith(FILES)
    return FOR_A_PERSON if is_a_persons else AGAIN
