"""Entries by which a node says what a lease proves about it, and what it does not any more."""

from cluster.core.entry import Entry


class LeaseTaken(Entry, tag="lease-taken"):
    """This life of the node takes no lease by older numbers any more, and all it was granted by
    them is over."""

    node: str
    incarnation: str
    number: int


class GuestLetGo(Entry, tag="guest-let-go"):
    """The owner of a detached guest guards it no longer, from here on: it runs on without a lease,
    and the end of one proves nothing about it any more."""

    package: str
    epoch: int
    node: str


class DeathSaid(Entry, tag="death-said"):
    """An operator's word that the silent node is off: a proof once its lease is over."""

    node: str
    incarnation: str


class DeathUnsaid(Entry, tag="death-unsaid"):
    """The node was heard after all, or nothing waits for its death any more."""

    node: str
    word: str
    """The id of the entry that gave it."""
