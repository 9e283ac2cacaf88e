"""What was large and is freed is the host's again."""

import subprocess
import sys

import pytest

BLOCKS, BLOCK_BYTES = 20, 8 << 20
PROGRAM = f"""
import sys
from cluster.heap import give_back_what_is_freed
if sys.argv[1] == "given back":
    assert give_back_what_is_freed()
bytearray({BLOCK_BYTES})  # freed at once: what glibc learns from
large, small = [], []
for _ in range({BLOCKS}):
    large.append(bytearray(b"x") * {BLOCK_BYTES})
    small.append(bytearray(100_000))
large.clear()
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmRSS:")))
"""


@pytest.mark.parametrize("how, least_mib, most_mib", [
    ("given back", 0, 80), ("as it comes", BLOCKS * 8 // 2, 1000)])
def test_what_was_freed_is_not_kept(how: str, least_mib: int, most_mib: int) -> None:
    """The second case shows what the first one is for."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    assert least_mib <= int(told.stdout) < most_mib
