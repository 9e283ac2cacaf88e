"""Breaks one line of the product at a time, and sees whether the tests named beside it notice.

    python -m tests.mutants.run                      all of tests/mutants/list: `make mutants`
    python -m tests.mutants.run --only guardian      those in whose text or subject this occurs

It works in copies of the tree, one for each job. First the named tests are run there as the tree
is: they have to be green. Then a mutant has died if a test fails, and only then: one whose module
cannot be imported, whose tests cannot be collected, or whose tests do not come to an end proves
nothing. Ends with those that did not die, a table by subject, how many lines there were, how many
of them died and how long it took (docs/mutants.md says how to read it), and with 1 unless every
mutant has died.
"""

import argparse
import ast
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from pyflakes.checker import Checker
from pyflakes.messages import UndefinedName

from tests.mutants.mutant import ROOT, Mutant, broken_text, collected, misfits
from tests.mutants.trials import NO_END

TRIAL_S = 180.0
"""For one mutant; its tests take a few seconds, on a busy machine ten times as long."""
TEST_S = 90
"""For one test: a broken line may well make it wait for what never comes, which it then says."""
PATIENCE_S = 10
"""For each thing that a test waits for, with the line broken or not."""
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "*.egg-info")

DIED, LIVES = "died", "LIVES"


class Trial(NamedTuple):
    mutant: Mutant
    outcome: str
    """DIED, LIVES, or why it proved nothing."""
    noticed_by: str
    took_s: float


class Copy:
    """A copy of the tree in which one line at a time is broken."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder
        shutil.copytree(root, folder, ignore=LEFT_OUT, symlinks=True)
        if (root / ".git").exists():  # the code of an earlier version is read out of it
            (folder / ".git").symlink_to((root / ".git").resolve())
        self._age_s = itertools.count(1)

    def write(self, file: str, text: str) -> None:
        """Each time with another age: Python takes its compiled file for the text's as long as
        size and second of change are the same."""
        path = self.root / file
        path.write_text(text)
        then = time.time() - 1e6 + next(self._age_s) * 10
        os.utime(path, (then, then))

    @contextlib.contextmanager
    def with_broken(self, mutant: Mutant) -> Iterator[None]:
        before = (self.root / mutant.file).read_text()
        self.write(mutant.file, broken_text(mutant, self.root))
        try:
            yield
        finally:
            self.write(mutant.file, before)

    def start(self) -> "Copy":
        """Its trials run below one process that has the libraries loaded (trials.py). What is
        named first is found first, before what was installed from the tree itself."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.trials"], cwd=self.root, text=True,
            env={**os.environ, "PYTHONPATH": str(self.root), "TESTS_PATIENCE_S": str(PATIENCE_S)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def ran(self, tests: Sequence[str], *, module: str = "", within_s: float) -> tuple[int, str]:
        """How the tests ended after this module was imported, and what was said."""
        said = self.root / "said"
        order = {"module": module, "tests": tests, "said": str(said), "within_s": within_s}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), said.read_text(errors="replace")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for each in (self._process.stdin, self._process.stdout):
            if each is not None:
                each.close()


def green(copy: Copy, mutants: Sequence[Mutant]) -> str:
    """What of the named tests fails already without anything broken; empty if nothing does."""
    tests = sorted({test for each in mutants for test in each.tests})
    code, said = copy.ran(tests, within_s=60.0 + 20.0 * len(tests))
    return "" if code == 0 else said


def tried(copy: Copy, mutant: Mutant) -> Trial:
    """One mutant; the copy is as it was afterwards."""
    begun_s = time.monotonic()

    def trial(outcome: str, noticed_by: str = "") -> Trial:
        return Trial(mutant, outcome, noticed_by, time.monotonic() - begun_s)

    with copy.with_broken(mutant):
        nothing = names_of_nothing((copy.root / mutant.file).read_text())
        if nothing:
            return trial(f"has names of nothing: {nothing}")
        code, said = copy.ran(
            ["-x", f"--timeout={TEST_S}", *mutant.tests], module=module_of(mutant),
            within_s=TRIAL_S)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?::\w+)", said, re.MULTILINE)
    if code == 0:
        return trial(LIVES)
    if code == 1 and failed:
        return trial(DIED, failed[1])
    why = f"no end within {TRIAL_S:.0f} s" if code == NO_END else said.strip().splitlines()[-1:]
    return trial(f"cannot be tried: {why}")


def module_of(mutant: Mutant) -> str:
    return mutant.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def names_of_nothing(text: str) -> str:
    """Names that are nowhere bound: what uses them fails, whatever the line was for."""
    told = Checker(ast.parse(text)).messages
    return ", ".join(str(each.message_args[0]) for each in told if isinstance(each, UndefinedName))


def run(mutants: Sequence[Mutant], *, jobs: int, root: Path = ROOT) -> tuple[str, list[Trial]]:
    """What is red without anything broken (then nothing is tried), and each trial."""
    with tempfile.TemporaryDirectory(prefix="vmsg-mutants-") as folder, \
            contextlib.ExitStack() as open_copies:
        made = [Copy(root, Path(folder) / str(number)).start() for number in range(jobs)]
        for each in made:
            open_copies.callback(each.close)
        red = green(made[0], mutants)
        if red:
            return red, []
        copies: SimpleQueue[Copy] = SimpleQueue()
        for each in made:
            copies.put(each)
        said = threading.Lock()

        def one(mutant: Mutant) -> Trial:
            copy = copies.get()
            try:
                trial = tried(copy, mutant)
                if trial.outcome not in (DIED, LIVES):  # a busy machine may have done that
                    trial = tried(copy, mutant)
            finally:
                copies.put(copy)
            with said:
                print(f"{trial.outcome:6} {trial.took_s:5.1f} s  {mutant}", flush=True)
            return trial

        with ThreadPoolExecutor(jobs) as pool:
            return "", list(pool.map(one, mutants))


def left_over(trials: Sequence[Trial]) -> str:
    """Whatever did not die: to be mended."""
    return "".join(
        f"{each.outcome}: {each.mutant}\n    tried: {', '.join(each.mutant.tests)}\n"
        for each in trials if each.outcome != DIED)


def table(trials: Sequence[Trial]) -> str:
    """By subject: its lines, how many of them died, and how long the longest trial took."""
    subjects: dict[str, list[Trial]] = {}
    for each in trials:
        subjects.setdefault(each.mutant.subject, []).append(each)
    wide = max(map(len, subjects), default=0)
    return "".join(
        f"{name:{wide}}  {len(found):4} lines  {died(found):4} died  "
        f"longest {max(each.took_s for each in found):5.1f} s\n"
        for name, found in sorted(subjects.items()))


def died(trials: Sequence[Trial]) -> int:
    return sum(each.outcome == DIED for each in trials)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run")
    parser.add_argument("--only", default="", help="those in whose text or subject this occurs")
    parser.add_argument("--jobs", type=int, default=3, help="at a time")
    options = parser.parse_args()
    mutants = [each for each in collected() if options.only in f"{each} {each.tests}"]
    wrong = [why for each in mutants for why in misfits(each)]
    if wrong or not mutants:
        print("\n".join(wrong) or "no mutant is of that name")
        return 1
    begun_s = time.monotonic()
    red, trials = run(mutants, jobs=options.jobs)
    if red:
        print(f"red without anything broken:\n{red}")
        return 1
    took_min = (time.monotonic() - begun_s) / 60
    print(f"\n{left_over(trials)}{table(trials)}"
          f"{len(trials)} lines, {died(trials)} died, in {took_min:.1f} minutes")
    return 0 if died(trials) == len(trials) else 1


if __name__ == "__main__":
    sys.exit(main())
