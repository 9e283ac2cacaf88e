"""What every entry has; the kinds stand in entries.py."""

from typing import TYPE_CHECKING

from packages.core.values import Value


class Entry(Value, tag_field="kind"):
    """`time_ms` is its proposer's reckoning of the cluster's time (agreed_time.py), `seen` the last
    entry that the proposer had applied when it made this one (outcomes.py); 0: none. `via` is the
    node that proposed it, whoever `by` says it is for (vouching.py). The ledger fills them in."""

    id: str
    at_ms: int
    by: str
    because: str
    if TYPE_CHECKING:  # mypy takes a field with a default for the end of those without one
        @property
        def time_ms(self) -> int: ...

        @property
        def seen(self) -> int: ...

        @property
        def via(self) -> str: ...
    else:
        time_ms: int = 0
        seen: int = 0
        via: str = ""
