"""What went wrong or was refused, as a value an operator can act upon.

Expected failures are returned, not raised: a door that cannot do what it was asked returns a
Problem. Exceptions are for bugs. Every code stands once in `problem_catalogue.py`, is documented
in docs/problems.md and is never reused.
"""

from collections.abc import Iterable
from typing import Any, Literal

from packages.core.values import Value, plain

Severity = Literal["refuse", "warn"]


class Problem(Value):
    """`what` happened to `subject` (for example "package:web"), because of what, and the fix."""

    code: str
    subject: str
    what: str
    because: str
    fix: str
    severity: Severity = "refuse"


def problem(
    code: str, subject: str, *, what: str, because: str, fix: str, severity: Severity = "refuse",
) -> Problem:
    """Make a Problem; `code` must stand in the catalogue (a test in tests/style checks each)."""
    return Problem(
        code=code, subject=subject, what=what, because=because, fix=fix, severity=severity,
    )


def is_problem(value: Any) -> bool:
    return isinstance(value, Problem)


def refusals(problems: list[Problem]) -> list[Problem]:
    """Those that stop the action; the rest are shown and recorded."""
    return [each for each in problems if each.severity == "refuse"]


def plain_list(problems: Iterable[Problem]) -> list[Any]:
    """PROBLEMs of the contract, as trees."""
    return [plain(each) for each in problems]
