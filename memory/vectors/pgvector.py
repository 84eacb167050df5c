"""The vectors of a scope in PostgreSQL's own vector type, where the extension is there."""

import struct
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import connection, transaction

from memory.logic.vectors import unpack

# From so many vectors on, a scope is searched by the index of its dimension (HNSW), which costs
# the same whatever the number; below, all are compared, which is exact. Measured: 6,000 x 384
# exact 5-16 ms, 100,000 exact 80-170 ms, by index 5-9 ms.
EXACT_UP_TO = 20_000
MOST_INDEXED_DIM = 4000  # pgvector indexes halfvec up to here


def present() -> bool:
    """Tell whether the table has a column of pgvector's."""
    return connection.vendor == "postgresql" and _has_column(str(connection.settings_dict["NAME"]))


@cache
def _has_column(_database: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() "
            "AND table_name = 'memory_vector' AND column_name = 'embedding'"
        )
        return cursor.fetchone() is not None


def literal(data: bytes) -> str:
    """Return a stored vector as pgvector reads it."""
    return "[" + ",".join(map(repr, unpack(data))) + "]"


def fill(model: str, made: Mapping[int, bytes]) -> None:
    """Set the column of freshly stored rows of a model, given as entry id -> vector."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE memory_vector SET embedding = %s::halfvec WHERE entry_id = %s AND model = %s",
            [(literal(data), pk, model) for pk, data in made.items()],
        )


def ensure_index(dim: int) -> None:
    """Make the index of a dimension unless it is there; quick while there are few rows."""
    if dim > MOST_INDEXED_DIM:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS memory_vector_near_{dim} ON memory_vector USING hnsw "
            f"((embedding::halfvec({dim})) halfvec_ip_ops) WHERE dim = {dim}"
        )


def nearest(allowed: Any, scope_id: str, model: str, vector: bytes, limit: int) -> dict[str, float]:
    """Return ref_id -> cosine of the best among the entries `allowed`, a query on SearchEntry."""
    dim = len(vector) // struct.calcsize("e")
    if dim <= MOST_INDEXED_DIM and _is_large(scope_id, model):
        found = _by_index(allowed, scope_id, model, vector, limit)
        # The index may run dry before the filters are satisfied: then all are compared.
        if len(found) == limit:
            return found
    return _ask("v.embedding", allowed, (scope_id, model, dim), vector, limit)


def _is_large(scope_id: str, model: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM memory_vector WHERE scope_id = %s AND model = %s OFFSET %s LIMIT 1",
            [scope_id, model, EXACT_UP_TO],
        )
        return cursor.fetchone() is not None


def _by_index(
    allowed: Any, scope_id: str, model: str, vector: bytes, limit: int
) -> dict[str, float]:
    dim = len(vector) // struct.calcsize("e")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            cursor.execute("SET LOCAL hnsw.ef_search = 200")
        where = (scope_id, model, dim)
        return _ask(f"v.embedding::halfvec({dim})", allowed, where, vector, limit)


def _ask(
    column: str, allowed: Any, where: tuple[str, str, int], vector: bytes, limit: int
) -> dict[str, float]:
    """Compare `column`: as it is, no index fits and the scope is read; cast, its index is used."""
    entries, params = allowed.order_by().values("id", "ref_id").query.sql_with_params()
    dim = where[2]
    text = literal(vector)
    # The dimension is spelled out: a placeholder would hide it from the planner.
    statement = (
        f"SELECT e.ref_id, -({column} <#> %s::halfvec({dim})) FROM memory_vector v "
        f"JOIN ({entries}) e ON e.id = v.entry_id "
        f"WHERE v.scope_id = %s AND v.model = %s AND v.dim = {dim} AND v.embedding IS NOT NULL "
        f"ORDER BY {column} <#> %s::halfvec({dim}) LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [text, *params, *where[:2], text, limit])
        return {ref_id: float(cosine) for ref_id, cosine in cursor.fetchall()}
