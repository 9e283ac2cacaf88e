"""Every failure in this room comes with what the daemons said last, and with the history."""

from tests.live.evidence import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]
