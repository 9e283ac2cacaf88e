"""What a process costs: processor time and memory, from the kernel's own accounts."""

from pathlib import Path


def processor_s(pid: int) -> float:
    """Of all its threads, to the nanosecond (proc(5), schedstat); ended threads are left out."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_mib(pid: int) -> float:
    """All it has in memory, what it shares with others counted in full."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def own_mib(pid: int) -> float:
    """What would be free if it ended."""
    found = [
        int(line.split()[1]) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Private_")
    ]
    return sum(found) / 1024
