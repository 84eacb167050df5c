"""What the search tools share: dates as models write them, and how long ago something was."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from agents.engine.prompt import zone_of
from agents.tools.base import ToolFailure
from agents.types import Json, RetrievalRecord, ToolContext
from memory.services.candidates import SearchQuery
from memory.services.search import Hit

MOST_RESULTS = 50
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))


def read_moment(text: str | None, context: ToolContext, *, end: bool = False) -> datetime | None:
    """Return a moment from ISO 8601 text; without a zone it is in the agent's.

    A date alone means its first moment, or its last one if `end`. Raises ToolFailure.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ToolFailure(
            f"{text!r} is not a date. Write it as 2026-01-31 or 2026-01-31T18:30."
        ) from None
    if end and len(text.strip()) <= len("2026-01-31"):
        moment = datetime.combine(moment.date(), time.max)
    # "0001-01-01" and "9999-12-31" mean "no bound", and would overflow in another time zone.
    moment = moment.replace(year=min(max(moment.year, 2), 9998))
    return moment if moment.tzinfo else moment.replace(tzinfo=zone_of(context.timezone))


def in_zone(moment: datetime, context: ToolContext) -> str:
    """Return a moment in the agent's zone as ISO 8601 text, to the second."""
    return moment.astimezone(zone_of(context.timezone)).isoformat(timespec="seconds")


def time_ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, in words, by the largest unit that fits."""
    seconds = int(max(now - moment, timedelta(0)).total_seconds())
    for unit, size in _UNITS:
        if count := seconds // size:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def logged(kind: str, query: SearchQuery, hits: Iterable[Hit], filters: Json) -> RetrievalRecord:
    """Return what is remembered of a search: each hit with its score and the parts of that."""
    rows = tuple(
        {
            "id": hit.ref_id,
            "score": round(hit.score, 4),
            **(hit.why.explained() if hit.why else {}),
        }
        for hit in hits
    )
    mode = "lexical" if query.vector is None else query.mode
    return RetrievalRecord(kind, query.query, filters, rows, mode)


def result_count(wanted: int) -> int:
    """Return a number of results within bounds."""
    return min(max(1, wanted), MOST_RESULTS)
