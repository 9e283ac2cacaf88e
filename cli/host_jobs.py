"""Whether this host goes down: what systemd has on its list of jobs. A narrow door."""

import subprocess

ENDS = frozenset({
    "shutdown.target", "reboot.target", "poweroff.target", "halt.target", "kexec.target"})
"""After each of these the host boots anew, or not at all."""
LOOK_S = 5.0


def goes_down() -> bool:
    """False also where there is no systemd to ask, or none that answers."""
    try:
        said = subprocess.run(
            ["systemctl", "list-jobs", "--plain", "--no-legend", "--no-pager"], text=True,
            capture_output=True, timeout=LOOK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return is_end_ordered(said.stdout)


def is_end_ordered(jobs: str) -> bool:
    """`jobs`: a line each, its number, unit, kind and state."""
    return any(
        len(words) >= 3 and words[1] in ENDS and words[2] == "start"
        for words in map(str.split, jobs.splitlines()))
