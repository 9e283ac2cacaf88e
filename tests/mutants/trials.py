"""Runs tests in a copy of the tree, each time in a child forked before anything of the copy was
imported: what all trials need of other people's libraries is loaded once.

Each line of standard input is an order, {"module", "tests", "said", "within_s"}: import that
module, then run those tests, with all output in the file `said`. Its answer is one line: the exit
code of pytest, IMPORT_FAILED, or NO_END.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

IMPORT_FAILED, NO_END = 97, 98
LIBRARIES = (
    "asyncio", "click", "cryptography.x509", "hypothesis.database", "hypothesis.stateful",
    "immutables", "msgspec", "pysyncobj", "pytest_asyncio.plugin", "rich.table", "yaml", "zmq",
)
"""Whatever the product's modules and pytest's plugins import: a second less for each trial."""
QUIETLY = (
    "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-rfE",
    # A plugin that is loaded already shows its own assertions without their values.
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)
LOOK_S = 0.01


def main() -> None:
    for each in LIBRARIES:
        importlib.import_module(each)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(tried(order["module"], order["tests"], order["said"]))
        print(ended(pid, within_s=order["within_s"]), flush=True)


def tried(module: str, tests: Sequence[str], said: str) -> int:
    """In the child: what it ends with."""
    os.setpgid(0, 0)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    try:
        if module and not str(importlib.import_module(module).__file__).startswith(os.getcwd()):
            raise ImportError(f"{module} is another tree's")
    except BaseException as error:  # whatever a broken module does when it is imported
        print(f"it cannot be imported: {error!r}", flush=True)
        return IMPORT_FAILED
    code = int(pytest.main([*QUIETLY, *tests]))
    sys.stdout.flush()
    return code


def ended(pid: int, *, within_s: float) -> int:
    """Its exit code; past its time it is ended, with all that it started."""
    end = time.monotonic() + within_s
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            _end_all(pid)
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            _end_all(pid)
            os.waitpid(pid, 0)
            return NO_END
        _pause()


def _pause() -> None:
    signal.sigtimedwait([], LOOK_S)


def _end_all(pid: int) -> None:
    """Its group, and what has left that: a guest leads a session of its own, and a broken line may
    be the one that ends it. Whatever was started here has this copy for its folder."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and int(each.name) != os.getpid() and (
                    os.readlink(each / "cwd") == os.getcwd()):
                os.kill(int(each.name), signal.SIGKILL)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()
