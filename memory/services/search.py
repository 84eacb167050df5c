"""Finding texts again: one index over messages, passages and files, searched in one way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from letta_site.core.aio import write
from letta_site.core.errors import Invalid
from memory.logic.relevance import Verdict, judge
from memory.logic.words import terms_of, wanted_terms
from memory.models import EmbeddingScope, SearchEntry
from memory.services.candidates import Kind, SearchQuery, candidates
from memory.services.lookup import Found, look_up, scope_term, surround
from memory.services.storable import storable
from memory.services.vectors import cosines
from memory.services.wakeups import wake

INDEXED_CHARS = 200_000
MAX_SPEAKER_CHARS = 200
MAX_NEAREST = 150


@dataclass(frozen=True, slots=True)
class Entry:
    """A text to be found. `scope_id` is the agent of a message, the archive of a passage, the
    folder of a piece of a file.

    `thread_id` and `seq` say where it stands among others, as a message in its conversation; they
    lend it their words. `speaker` is the name of who said it, if there is one.
    """

    org_id: str
    kind: Kind
    ref_id: str
    scope_id: str
    text: str
    created_at: datetime
    role: str = ""
    seq: int = 0
    thread_id: str = ""
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A found text, and why it was found. Without a query there is no reason but its age."""

    ref_id: str
    text: str
    role: str
    seq: int
    created_at: datetime
    why: Verdict | None = None

    @property
    def score(self) -> float:
        """Higher for better, and comparable within one search only."""
        return self.why.score if self.why else 0.0


def index(entries: Iterable[Entry]) -> None:
    """Make texts findable, replacing what was indexed under the same `ref_id`."""
    rows = list(map(_row, entries))
    if not rows:
        return
    with write():
        SearchEntry.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["ref_id"], update_fields=_CHANGING
        )
        wake((row.scope_id for row in rows), (row.ref_id for row in rows))


_CHANGING = ("scope_id", "thread_id", "role", "speaker", "seq", "text", "terms", "created_at")


def _row(entry: Entry) -> SearchEntry:
    text = storable(entry.text)[:INDEXED_CHARS]
    speaker = " ".join(terms_of(storable(entry.speaker or entry.role)))
    # Who said it and when is often what is asked for: "what did Ann say in May".
    at = entry.created_at
    said = f"{text} {speaker} {at:%A} {at.day} {at:%B} {at.year}"
    return SearchEntry(
        org_id=entry.org_id,
        kind=entry.kind,
        ref_id=entry.ref_id,
        scope_id=entry.scope_id,
        thread_id=entry.thread_id,
        role=entry.role,
        speaker=speaker[:MAX_SPEAKER_CHARS],
        seq=entry.seq,
        text=text,
        terms=" ".join([scope_term(entry.scope_id), *terms_of(said)]),
        created_at=entry.created_at,
    )


def drop(ref_ids: Iterable[str]) -> None:
    """Make texts unfindable."""
    with write():
        SearchEntry.objects.filter(ref_id__in=list(ref_ids)).delete()


def drop_scopes(scope_ids: Iterable[str]) -> None:
    """Make every text of these agents, archives or folders unfindable; they are deleted."""
    with write():
        gone = list(scope_ids)
        EmbeddingScope.objects.filter(pk__in=gone).delete()
        SearchEntry.objects.filter(scope_id__in=gone).delete()


def search(query: SearchQuery) -> list[Hit]:
    """Return the best matches, best first; the newest first when the query is blank.

    By words it costs three statements, with roles four, however much there is to find. Raises
    Invalid when nearness alone is asked for and the query has no vector.
    """
    if any(one is not None and not one for one in (query.scope_ids, query.threads)):
        return []
    terms = wanted_terms(storable(query.query))
    if not terms and query.vector is None:
        return _newest(query)
    found, near = _look_up(query, terms), _nearest(query)
    verdicts = judge(surround(query, found, near), found.weights)
    return _hits(verdicts[: query.limit])


def _nearest(query: SearchQuery) -> Mapping[str, float]:
    if query.mode == "lexical":
        return {}
    if query.vector is not None:
        return cosines(query, query.vector, query.vector_model, max(MAX_NEAREST, query.limit))
    if query.mode == "vector":
        raise Invalid(
            "There is no embedding of this query, so that nothing can be compared with it.",
            todo="Search by words, or see that an embedding model is set and answers.",
        )
    return {}


def _look_up(query: SearchQuery, terms: list[str]) -> Found:
    if query.mode == "vector":
        return Found([], {})
    found = look_up(query, terms)
    if query.roles:
        # An answer is found by the words of its question too, which another role has said.
        anyone = look_up(replace(query, roles=()), terms)
        anchors = list(dict.fromkeys([*found.anchors, *anyone.anchors]))
        return Found(anchors, {**anyone.weights, **found.weights})
    return found


def _newest(query: SearchQuery) -> list[Hit]:
    rows = candidates(query).order_by("-created_at", "-seq", "-pk")
    return [Hit(**row) for row in rows.values(*_SHOWN)[: query.limit]]


def _hits(verdicts: list[Verdict]) -> list[Hit]:
    rows = SearchEntry.objects.filter(pk__in=[one.pk for one in verdicts])
    by_pk = {row.pop("pk"): row for row in rows.values("pk", *_SHOWN)}
    return [Hit(**by_pk[one.pk], why=one) for one in verdicts if one.pk in by_pk]


_SHOWN = ("ref_id", "text", "role", "seq", "created_at")
