"""Vectors of findable texts: comparing them with that of a query, and storing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from letta_site.core.aio import write
from letta_site.core.clock import now
from memory.logic.vectors import BYTES_PER_NUMBER
from memory.models import EmbeddingScope, SearchEntry, Vector
from memory.services.candidates import SearchQuery, candidates
from memory.vectors import pgvector
from memory.vectors.nearest import nearest


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A text that waits for its vector. `pk` is its place in the search index."""

    pk: int
    text: str


def cosines(query: SearchQuery, vector: bytes, model: str, limit: int) -> dict[str, float]:
    """Return ref_id -> cosine of the `limit` texts nearest to `vector`, best first.

    Only scopes whose texts are compared by `model` take part; the filters of `query` hold before
    `limit` does, and its words are not looked at. `vector` is packed as `logic.vectors` does it.
    """
    scopes = EmbeddingScope.objects.filter(
        scope_id__in=list(query.scope_ids), org_id=query.org_id, searched_model=model
    )
    found: dict[str, float] = {}
    for scope_id in scopes.values_list("scope_id", flat=True):
        allowed = candidates(replace(query, scope_ids=(scope_id,)))
        found |= nearest(allowed, scope_id, model, vector, limit)
    best = sorted(found.items(), key=lambda one: one[1], reverse=True)
    return dict(best[:limit])


def list_unembedded(scope_id: str, model: str, limit: int) -> list[Unembedded]:
    """Return texts of a scope that have no vector of a model, the newest first."""
    rows = _without_vector(scope_id, model).order_by("-pk").values_list("pk", "text")
    return [Unembedded(*row) for row in rows[:limit]]


def count_unembedded(scope_id: str, model: str) -> int:
    """Return how many texts of a scope have no vector of a model."""
    return _without_vector(scope_id, model).count()


def _without_vector(scope_id: str, model: str):  # type: ignore[no-untyped-def]
    has = Vector.objects.filter(scope_id=scope_id, model=model).values("entry_id")
    return SearchEntry.objects.filter(scope_id=scope_id).exclude(pk__in=has)


def store_vectors(
    scope_id: str,
    model: str,
    vectors: Mapping[Unembedded, bytes],
    refusals: Mapping[Unembedded, str],
) -> int:
    """Store what a model made of texts, unless they have gone or changed; return how many.

    Nothing is stored when the scope wants another model by now. A vector of another dimension
    than the model's others replaces them all: they cannot be compared with it.
    """
    with write():
        # The lock makes ids of a scope's vectors appear in order, on which readers rely.
        scope = EmbeddingScope.objects.select_for_update().filter(pk=scope_id, model=model).first()
        if scope is None:
            return 0
        _follow_dim(scope, vectors.values())
        rows = [*_rows(scope, vectors), *_rows(scope, {}, refusals)]
        _insert(rows, with_pgvector=pgvector.present())
    return len(rows)
