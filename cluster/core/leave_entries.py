"""Entries about a node whose host goes down in order (leaving.py)."""

from cluster.core.entry import Entry


class NodeLeaving(Entry, tag="node-leaving"):
    """Its host goes down: what runs there is moved or shut down, and nothing arrives any more."""

    node: str
    within_s: float
    """How long its host waits for that."""


class PackageLetDown(Entry, tag="package-let-down"):
    """It cannot leave in time, or is not to: it is shut down with its host."""

    node: str
    package: str
    epoch: int


class NodeLeft(Entry, tag="node-left"):
    """Nothing runs there any more. It is halted, and comes back by itself at its next boot."""

    node: str
