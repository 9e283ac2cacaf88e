"""What every entry has; the kinds stand in entries.py."""

from packages.core.values import Value


class Entry(Value, tag_field="kind"):
    id: str
    at_ms: int
    by: str
    because: str
