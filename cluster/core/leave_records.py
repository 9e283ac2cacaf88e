"""What the record keeps of a node whose host goes down in order."""

from packages.core.values import Value


class Leave(Value):
    """It is emptied and then halted; its next boot ends this by itself. Times are the cluster's."""

    host_boot: str
    """The start of its host that ends; any other one is its return."""
    move_until_ms: int
    """From then on what has not moved is shut down."""
    until_ms: int
    """Then its host waits for nothing any more."""
