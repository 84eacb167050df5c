"""Which texts of a scope are nearest to a vector, by cosine, exactly."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from memory.logic.arrays import numpy
from memory.logic.vectors import BYTES_PER_NUMBER
from memory.models import EmbeddingScope, SearchEntry
from memory.vectors import pgvector
from memory.vectors.matrices import matrix_of

# How many of the best are looked up at first. Most filters let enough of them pass.
_FIRST_LOOK = 64


def nearest(
    allowed: "QuerySet[SearchEntry]", scope: EmbeddingScope, model: str, vector: bytes, limit: int
) -> dict[str, float]:
    """Return ref_id -> cosine of the `limit` best entries of a scope that are in `allowed`.

    `vector` is packed as `logic.vectors` does. Best first; exact unless a large scope is searched
    by pgvector's index.
    """
    if pgvector.present():
        return pgvector.nearest(allowed, scope, model, vector, limit)
    np = numpy()
    query = np.frombuffer(vector, "<f2").astype("f4")
    scope_id = scope.scope_id
    database = str(connection.settings_dict["NAME"])
    matrix = matrix_of(database, scope_id, model, len(vector) // BYTES_PER_NUMBER)
    if not len(matrix.ids):
        return {}
    cosines = matrix.values @ query
    found: dict[str, float] = {}
    for rows in _looks(allowed, (scope_id, model), matrix.ids, cosines, limit):
        found = _best(rows, limit)
        if len(found) == limit:
            break
    return found


def _looks(
    allowed: "QuerySet[SearchEntry]", where: tuple[str, str], ids: Any, cosines: Any, limit: int
) -> Iterator[dict[str, float]]:
    """Yield ref_id -> cosine: at first of the very best rows, then of all that are allowed.

    The filters stay in SQL, in one place for words and vectors; a filter that few of the best
    pass leaves few rows, so that the second look is quick as well.
    """
    np = numpy()
    first = max(_FIRST_LOOK, 3 * limit)
    # Each condition on `vectors` in one call: they must hold for one and the same row.
    if len(ids) > first:
        top = np.argpartition(-cosines, first)[:first]
        near = {int(ids[at]): float(cosines[at]) for at in top}
        yield _named(allowed.filter(vectors__pk__in=list(near)), near)
    rows = allowed.filter(vectors__scope_id=where[0], vectors__model=where[1])
    yield _named(rows, dict(zip(ids.tolist(), cosines.tolist(), strict=True)))


def _named(entries: "QuerySet[SearchEntry]", cosines: dict[int, float]) -> dict[str, float]:
    pairs = entries.order_by().values_list("vectors__pk", "ref_id")
    return {ref_id: cosines[pk] for pk, ref_id in pairs.iterator(4096) if pk in cosines}


def _best(cosines: dict[str, float], limit: int) -> dict[str, float]:
    ordered = sorted(cosines.items(), key=lambda one: one[1], reverse=True)
    return dict(ordered[:limit])
