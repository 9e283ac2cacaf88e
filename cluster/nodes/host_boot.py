"""By what one start of a host is told from the next: what ran before it is certainly gone.

The kernel draws an identifier at each start. The daemon draws one more into its run folder, which a
start empties too: hosts that share a kernel (a lab's, containers) are told apart by that.
"""

from pathlib import Path

from cluster.clock import Clock

KERNEL = Path("/proc/sys/kernel/random/boot_id")
FILE = "host_boot"


def host_boot(run: Path, clock: Clock) -> str:
    """The same for each daemon of one start of this host; empty where that cannot be told."""
    place = run / FILE
    try:
        kernel = KERNEL.read_text().strip()
        if not place.exists():
            place.write_text(clock.token())
        return f"{kernel}.{place.read_text().strip()}"
    except OSError:
        return ""
