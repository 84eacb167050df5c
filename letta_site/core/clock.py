"""The clock, in one place so that tests can hold it still."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current moment, aware, in UTC."""
    return datetime.now(UTC)


def ticks_ns() -> int:
    """Return a monotonic reading in nanoseconds, for durations only."""
    return time.monotonic_ns()
