"""The one door to PySyncObj: which release, which of its parts are ours, and nothing pickled.

The engine is not forked. Three of its parts are replaceable (journal, serializer, transport) and
its private methods are overridden by name in `engine.py`. That holds for one source text only,
so the text is checked at start, by hash, and any other is refused.

What must never happen here: an engine nobody has read taking part in agreement; a pickle that came
from a network or a disk being loaded.
"""

import hashlib
import pickle
import random
import zlib
from pathlib import Path
from typing import Any

import pysyncobj.journal
import pysyncobj.pickle
import pysyncobj.syncobj
from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf
from pysyncobj.config import SERIALIZER_STATE
from pysyncobj.node import Node
from pysyncobj.transport import Transport
from pysyncobj.version import VERSION

from cluster.clock import Clock
from packages.core.problem import Problem, problem

__all__ = [
    "FAIL_REASON", "SERIALIZER_STATE", "Member", "Node", "SyncObj", "SyncObjConf", "Transport",
    "check_pin", "engine_time_s", "install",
]

PINNED_VERSION = "0.3.17"

PINNED_SOURCES = {
    "syncobj.py": "e8bdf06797085d734df86e24ab4802fe87893dff77268565ec036f7ad4a1cfe4",
    "config.py": "fbbc7ff9f18e4d15a7fd563376e42f5bd192956879d4b810b056d5248b955698",
    "node.py": "e4a3f027cd8291f558334bb9c977e952f6b6989e7e1fa1588d3005ef0b990e2c",
    "transport.py": "0c9d89f9c4781ec9772df8011d7975a1a4a1a5f541357e12eae85a813e92b50b",
    "fast_queue.py": "8477fe5fdf36d9766df933310d3d66ee953d1afc195b1e6482b3a1498fc517bd",
}
"""SHA-256 of every file of PySyncObj whose code runs here."""


class Member(Node):  # type: ignore[misc]  # the engine has no types
    """A voter, with a hash that is the same in every process, so that sets iterate alike."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._hash = zlib.crc32(name.encode())

    @property
    def name(self) -> str:
        return str(self._id)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Member) and self._id == other._id)


class PickleRefused(pickle.UnpicklingError):
    """Something tried to pickle or unpickle; nothing of ours is pickled."""


def check_pin(
    folder: Path = Path(pysyncobj.syncobj.__file__).parent, version: str = VERSION,
) -> Problem | None:
    """None when the installed engine is, byte for byte, the one this room was written for."""
    differing = [
        name for name, known in PINNED_SOURCES.items()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != known
    ]
    if version == PINNED_VERSION and not differing:
        return None
    return problem(
        "engine-not-pinned", "engine:pysyncobj",
        what="The installed PySyncObj is not the one this release was checked with.",
        because=f"Wanted {PINNED_VERSION} unchanged; found {version}, "
                f"differing: {', '.join(differing) or 'none'}.",
        fix=f"pip install --force-reinstall pysyncobj=={PINNED_VERSION}",
    )


class NoPoller:
    """The engine's own sockets are not used, so there is nothing to poll."""

    def subscribe(self, *_: Any) -> None: ...
    def unsubscribe(self, *_: Any) -> None: ...
    def poll(self, _timeout_s: float) -> None: ...


def install(clock: Clock) -> None:
    """Put our parts in the place of the engine's module globals; once per process is enough,
    again does no harm. All replicas of a process share the clock given last."""
    engine = pysyncobj.syncobj
    engine.monotonicTime = clock.boottime_s
    engine.random = random.Random(int(clock.token(), 16))  # only election timeouts are drawn
    engine.createPoller = lambda _kind: NoPoller()
    engine.createJournal = lambda opened: opened  # conf.journalFile is an opened Journal
    for module in (pysyncobj.pickle, pysyncobj.journal):
        for name in ("loads", "dumps", "load", "dump"):
            setattr(module, name, refuse_pickle)


def engine_time_s() -> float:
    """The engine's clock, which is ours since `install`."""
    return float(pysyncobj.syncobj.monotonicTime())


def refuse_pickle(*_: Any, **__: Any) -> Any:
    raise PickleRefused("nothing is pickled in this cluster")
