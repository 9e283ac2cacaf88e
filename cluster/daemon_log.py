"""How the daemon's log is written: for a file with its times, for the journal with priorities.

The journal keeps the time itself, and shows by priority (`journalctl -p warning`).
"""

import logging
import os
import sys

from cluster.supervision import ERROR, INFO, WARNING, is_journal, prioritised


def begin_log() -> None:
    if not is_journal(os.environ):
        logging.basicConfig(
            level=logging.INFO, stream=sys.stderr,
            format="%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s",
            datefmt="%Y-%m-%dT%H:%M:%S",
        )
        return
    to_journal = logging.StreamHandler(sys.stderr)
    to_journal.setFormatter(ForJournal("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[to_journal])


def say_last(text: str) -> None:
    """Why the daemon ends; the last line of its log."""
    print(prioritised(text, ERROR) if is_journal(os.environ) else f"vmsgd: {text}",
          file=sys.stderr)


class ForJournal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return prioritised(super().format(record), priority(record.levelno))


def priority(level: int) -> int:
    if level >= logging.ERROR:
        return ERROR
    return WARNING if level >= logging.WARNING else INFO
