"""Who does the journal's writing: this thread, or one that may wait for a slow disk.

A healthy disk syncs in a fraction of a millisecond, a sick one in seconds, and nothing on the event
loop may wait for it: heartbeats go out and are answered meanwhile (turns.py). What must never
happen here: two pieces of work at once; an error that nobody hears of.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from cluster.raft.journal import Write

PATIENCE_S = 0.002
"""Waited for on the spot: ten times what a healthy disk takes, and less than anybody notices. An
answer that came by way of the event loop would come later."""

CLOSE_S = 2.0
"""A disk that never answers must not keep the daemon from ending."""


class Flusher(Protocol):
    def begin(self, write: Write) -> None:
        """Have it done; the one before must be done."""

    def is_done(self) -> bool:
        """Raises what the work raised, once."""


class InlineFlusher:
    """Does it at once; for tests and simulations, where the disk takes no time."""

    def begin(self, write: Write) -> None:
        write()

    def is_done(self) -> bool:
        return True


class ThreadFlusher:
    """`ended` is called on the thread when work that was not waited for is done."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._told_ended = ended
        self._work: SimpleQueue[Write | None] = SimpleQueue()
        self._results: SimpleQueue[Exception | None] = SimpleQueue()
        self._is_busy = False
        self._is_late = False
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def begin(self, write: Write) -> None:
        self._is_busy, self._is_late = True, False
        self._work.put(write)
        self._take(PATIENCE_S)
        self._is_late = self._is_busy  # if it ends just now, `is_done` finds the result

    def is_done(self) -> bool:
        if self._is_busy:
            self._take(0.0)
        return not self._is_busy

    def close(self) -> bool:
        """After the work under way; False if that does not end in time."""
        self._work.put(None)
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def _take(self, within_s: float) -> None:
        try:
            error = self._results.get(block=within_s > 0, timeout=within_s or None)
        except Empty:
            return
        self._is_busy = False
        if error is not None:
            raise error

    def _run(self) -> None:
        while (write := self._work.get()) is not None:
            error: Exception | None = None
            try:
                write()
            except Exception as raised:  # not handled here, but where the work was begun
                error = raised
            self._results.put(error)
            if self._is_late:
                self._told_ended()
