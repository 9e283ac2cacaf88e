"""A program with children that leave its group, its session, its parent and its output."""

from pathlib import Path

FAMILY = """
import os, sys, time

def say():
    with open(sys.argv[1], "a") as pids:
        pids.write(f"{os.getpid()}\\n")

def child(*departures):
    if os.fork() == 0:
        for depart in departures:
            depart()
        say()
        time.sleep(60)
        os._exit(0)

def orphan():
    if os.fork() != 0:
        os._exit(0)

child()
child(os.setpgrp)
child(os.setsid)
child(os.setsid, orphan, lambda: [os.close(each) for each in (0, 1, 2)])
say()
if sys.argv[2] == "hang":
    time.sleep(60)
while len(open(sys.argv[1]).readlines()) < 5:
    time.sleep(0.01)
"""
"""Words: the file that takes the pids of all five, and `hang` or `end`."""


def pids_in(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text(encoding="ascii").split()] if path.exists() else []


def runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
