"""Takes back, for what the daemon starts, that the kernel spares the daemon when memory is short.

The daemon's unit has it spared (conf/systemd/vmsgd.service), and a child inherits that: a check
that leaks memory would be spared as well, and a guest that has done nothing be ended in its place.
"""

from contextlib import suppress
from pathlib import Path

ORDINARY = "0"


def as_any_process(pid: int, proc: Path = Path("/proc")) -> None:
    """Where this process is spared, and only there. One that is gone needs it no more."""
    with suppress(OSError):
        if int((proc / "self/oom_score_adj").read_text()) < 0:
            (proc / str(pid) / "oom_score_adj").write_text(ORDINARY)
