"""Passages that say what another one says already: found when they are put away, and reported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from letta_site.core.types import Actor
from memory.logic.resemblance import ALIKE, Fingerprint, fingerprint, resemblance
from memory.models import Passage
from memory.services.candidates import SearchQuery
from memory.services.passages import PassageDraft, checked_text, insert_passages
from memory.services.search import search

COMPARED = 5  # of the best matches
QUERY_CHARS = 2_000
MOST_LOOKUPS = 100  # in one batch; the rest is compared with the batch itself alone


@dataclass(frozen=True, slots=True)
class Likeness:
    """A stored passage that a text resembles. `degree` is from 0 to 1; 1 is the same words.

    `passage_id` is None for one that comes earlier in the same batch, at `index` of it.
    """

    text: str
    degree: float
    passage_id: str | None = None
    index: int | None = None


def insert_compared(
    actor: Actor,
    *,
    archive_id: str,
    rows: Sequence[PassageDraft],
) -> list[tuple[Passage, Likeness | None]]:
    """Store passages as `insert_passages` does, and tell which of the archive each one resembles.

    Raises Invalid, NotFound.
    """
    likenesses = find_likeness(actor.org_id, [archive_id], [row.text for row in rows])
    stored = insert_passages(actor, archive_id=archive_id, rows=rows)
    return [(row, one and _named(one, stored)) for row, one in zip(stored, likenesses, strict=True)]


def _named(one: Likeness, stored: Sequence[Passage]) -> Likeness:
    return one if one.index is None else replace(one, passage_id=stored[one.index].id)


def find_likeness(
    org_id: str, archive_ids: Sequence[str], texts: Sequence[str]
) -> list[Likeness | None]:
    """Return for each text the passage that it resembles most, or None.

    Compared are the best matches of a search, and the texts before it: what shares no words
    cannot be alike. Call it before the texts are stored. Raises Invalid for a text that cannot be.
    """
    # Before anything is compared: that takes a second a megabyte.
    texts = [checked_text(text) for text in texts]
    first: dict[str, int] = {}
    found: list[Likeness | None] = []
    for at, text in enumerate(texts):
        own = fingerprint(text)
        stored = _in_archives(org_id, archive_ids, text, own) if at < MOST_LOOKUPS else None
        before = first.setdefault(own.text, at) if own.text else at
        repeated = Likeness(texts[before], 1.0, index=before) if before < at else None
        found.append(_closest(stored, repeated))
    return found


def _in_archives(
    org_id: str, archive_ids: Sequence[str], text: str, own: Fingerprint
) -> Likeness | None:
    if not (own.text and archive_ids):
        return None
    query = SearchQuery(
        org_id=org_id,
        scope_ids=archive_ids,
        kind="passage",
        query=text[:QUERY_CHARS],
        limit=COMPARED,
    )
    matches = [
        Likeness(hit.text, resemblance(own, fingerprint(hit.text)), passage_id=hit.ref_id)
        for hit in search(query)
    ]
    return _closest(*matches)


def _closest(*found: Likeness | None) -> Likeness | None:
    alike = [one for one in found if one is not None and one.degree >= ALIKE]
    return max(alike, key=lambda one: one.degree, default=None)
