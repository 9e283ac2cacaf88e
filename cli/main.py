"""Where `vmsg` begins and ends: the last resort for everything that goes wrong.

Nothing is imported before the last resort stands, so that not even an impatient Ctrl-C shows a
person the inside of the program. What must never happen: a traceback on a terminal.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

INTERRUPTED = 130
"""What a shell makes of a program that SIGINT ended."""


def main() -> NoReturn:
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed and written. Taking the interpreter apart would take as long again as
    # asking the cluster did.
    os._exit(code)


def run(args: Sequence[str]) -> int:
    """The exit code of one command line."""
    try:
        from cli.tree import run_command
        code = run_command(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough of it. What is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a bug: the person gets a Problem, the details go to a file
        from cli.problems import report_bug
        return report_bug(error, args)
