"""How moments are written on the wire."""

from datetime import UTC, datetime


def seconds(moment: datetime) -> str:
    """Return ISO 8601 with second precision and `+00:00`, as messages carry it."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def stamp(moment: datetime | None) -> str | None:
    """Return ISO 8601 with microseconds and `Z`, as all other objects carry it."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
