"""Vectors of findable texts: comparing them with that of a query, and storing them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef, QuerySet, Sum

from letta_site.core.aio import write
from memory.embeddings.base import EmbeddingError
from memory.logic.vectors import BYTES_PER_NUMBER
from memory.models import EmbeddingScope, SearchEntry, Vector
from memory.services.candidates import SearchQuery, candidates
from memory.vectors import pgvector
from memory.vectors.nearest import nearest

MAX_REFUSAL_CHARS = 500
DROPPED_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A text that waits for its vector. `pk` is its place in the search index."""

    pk: int
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many texts there are, how many wait for a vector, and how many a model refuses."""

    total: int
    missing: int
    refused: int


def cosines(query: SearchQuery, vector: bytes, model: str, limit: int) -> dict[str, float]:
    """Return ref_id -> cosine of the `limit` texts nearest to `vector`, best first.

    Only scopes whose texts are compared by `model` take part; the filters of `query` hold before
    `limit` does, and its words are not looked at. `vector` is packed as `logic.vectors` does it.
    """
    scopes = EmbeddingScope.objects.filter(org_id=query.org_id, searched_model=model)
    if query.scope_ids is not None:
        scopes = scopes.filter(scope_id__in=list(query.scope_ids))
    found: dict[str, float] = {}
    for scope in scopes:
        allowed = candidates(replace(query, scope_ids=(scope.scope_id,)))
        found |= nearest(allowed, scope, model, vector, limit)
    best = sorted(found.items(), key=lambda one: one[1], reverse=True)
    return dict(best[:limit])


def list_unembedded(
    scope_id: str, model: str, limit: int, *, ref_ids: Sequence[str] | None = None
) -> list[Unembedded]:
    """Return texts of a scope that have no vector of a model, the newest first; `ref_ids` only."""
    rows = _without_vector(scope_id, model)
    if ref_ids is not None:
        rows = rows.filter(ref_id__in=ref_ids)
    found = rows.order_by("-created_at").values_list("pk", "text")
    return [Unembedded(*row) for row in found[:limit]]


def count_texts(scope_id: str, model: str) -> Counts:
    """Return how many texts a scope has, and what a model has made of them."""
    return Counts(
        total=SearchEntry.objects.filter(scope_id=scope_id).count(),
        missing=_without_vector(scope_id, model).count(),
        refused=Vector.objects.filter(scope_id=scope_id, model=model).exclude(refusal="").count(),
    )


def _without_vector(scope_id: str, model: str) -> "QuerySet[SearchEntry]":
    has = Vector.objects.filter(entry_id=OuterRef("pk"), model=model)
    return SearchEntry.objects.filter(~Exists(has), scope_id=scope_id)


def store_vectors(
    scope_id: str,
    model: str,
    vectors: Mapping[Unembedded, bytes],
    refusals: Mapping[Unembedded, str],
) -> int | None:
    """Store what a model made of texts, unless they have gone or changed; return how many.

    Nothing is stored, and None returned, when the scope wants another model by now. A vector of
    another dimension than the model's others replaces them all: they cannot be compared with it.
    Raises EmbeddingError when these have not all the same dimension.
    """
    dims = {len(data) // BYTES_PER_NUMBER for data in vectors.values()}
    if len(dims) > 1:
        raise EmbeddingError(f"{model} makes vectors of different dimensions: {sorted(dims)}.")
    if dims and pgvector.present():
        pgvector.ensure_index(*dims)
    with write():
        # The lock makes ids of a scope's vectors appear in order, on which readers rely.
        scope = EmbeddingScope.objects.select_for_update().filter(pk=scope_id, model=model).first()
        if scope is None:
            return None
        _follow_dim(scope, dims)
        there = _unchanged([*vectors, *refusals])
        made = {one.pk: data for one, data in vectors.items() if one.pk in there}
        refused = {one.pk: why for one, why in refusals.items() if one.pk in there}
        _insert(scope, made, refused)
    return len(made)


def _follow_dim(scope: EmbeddingScope, dims: set[int]) -> None:
    """Drop the vectors of a model that has another dimension now."""
    for dim in dims - {scope.dim}:
        others = Vector.objects.filter(scope_id=scope.scope_id, model=scope.model)
        if others.filter(refusal="").exclude(dim=dim).delete()[0]:
            scope.state = EmbeddingScope.WAITING
        scope.dim = dim
        scope.save(update_fields=["dim", "state"])


def _unchanged(texts: Iterable[Unembedded]) -> set[int]:
    """Return which texts are still there as they were."""
    wanted = {one.pk: one.text for one in texts}
    rows = SearchEntry.objects.filter(pk__in=list(wanted)).select_for_update()
    return {pk for pk, text in rows.values_list("pk", "text") if text == wanted[pk]}


def _insert(scope: EmbeddingScope, made: Mapping[int, bytes], refused: Mapping[int, str]) -> None:
    native = pgvector.present()
    rows = [
        Vector(
            entry_id=pk,
            scope_id=scope.scope_id,
            model=scope.model or "",
            dim=scope.dim or 0,
            data=None if native else made.get(pk),
            refusal=refused.get(pk, "")[:MAX_REFUSAL_CHARS],
        )
        for pk in (*made, *refused)
    ]
    Vector.objects.bulk_create(rows, ignore_conflicts=True)
    if native and made:
        pgvector.fill(scope.model or "", made)


def drop_vectors(scope_id: str, *, but: Sequence[str] = ()) -> None:
    """Delete the vectors of a scope, but those of the models `but`; others write between."""
    rows = Vector.objects.filter(scope_id=scope_id).exclude(model__in=list(but))
    while some := list(rows.values_list("pk", flat=True)[:DROPPED_AT_ONCE]):
        with write():
            Vector.objects.filter(pk__in=some).delete()


def count_bytes(org_id: str) -> int:
    """Return how many bytes the vectors of an organisation take."""
    rows = Vector.objects.filter(entry__org_id=org_id, refusal="")
    numbers: int = rows.aggregate(sum=Sum("dim"))["sum"] or 0
    return numbers * BYTES_PER_NUMBER
