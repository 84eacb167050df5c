"""The vectors of a scope in PostgreSQL's own vector type, where the extension is there."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection, transaction

from memory.logic.vectors import BYTES_PER_NUMBER, unpack
from memory.models import EmbeddingScope

# From so many vectors on, a scope is searched by the index of its dimension (HNSW), which costs
# the same whatever the number; below, all are compared, which is exact. Measured under load, with
# 384 numbers: 6,000 in full 16 ms, 100,000 in full 170 ms, 100,000 by index 26 ms.
EXACT_UP_TO = 20_000
MOST_INDEXED_DIM = 4000  # pgvector indexes halfvec up to here
WIDENING = 3  # so many times the limit are taken before the filters


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
        # Looked up first: to make an index that is there already waits for all who write.
        cursor.execute("SELECT to_regclass(%s)", [f"memory_vector_near_{dim}"])
        if cursor.fetchone() != (None,):
            return
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS memory_vector_near_{dim} ON memory_vector USING hnsw "
            f"((embedding::halfvec({dim})) halfvec_ip_ops) WHERE dim = {dim}"
        )


def nearest(
    allowed: Any, scope: EmbeddingScope, model: str, vector: bytes, limit: int
) -> dict[str, float]:
    """Return ref_id -> cosine of the best among the entries `allowed`, a query on SearchEntry."""
    asked = _Asked(scope.scope_id, model, vector)
    if scope.total > EXACT_UP_TO and asked.dim <= MOST_INDEXED_DIM:
        found = _by_index(asked, allowed, limit)
    else:
        found = asked.best_first("v.embedding", allowed, limit)
    # Too few of the best pass the filters, or the index has run dry: all that pass are compared.
    return found if len(found) == limit else asked.allowed_first(allowed, limit)


def _by_index(asked: "_Asked", allowed: Any, limit: int) -> dict[str, float]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            cursor.execute("SET LOCAL hnsw.ef_search = 200")
        return asked.best_first(f"v.embedding::halfvec({asked.dim})", allowed, limit)


class _Asked:
    """The vector of a query, and the scope and model whose vectors it is compared with."""

    def __init__(self, scope_id: str, model: str, vector: bytes) -> None:
        self.dim = len(vector) // BYTES_PER_NUMBER
        self._literal = literal(vector)
        self._where = [scope_id, model]

    def best_first(self, column: str, allowed: Any, limit: int) -> dict[str, float]:
        """Take the best of the scope, then those of them that pass the filters.

        `column` as it is fits no index, so that the scope is read; cast, its index is used.
        """
        entries, params = _entries(allowed)
        return self._run(
            f"SELECT e.ref_id, -near.gap FROM (SELECT v.entry_id, {self._gap(column)} AS gap "
            f"FROM memory_vector v WHERE {self._in_scope()} ORDER BY gap LIMIT %s) near "
            f"JOIN ({entries}) e ON e.id = near.entry_id ORDER BY near.gap LIMIT %s",
            [self._literal, *self._where, WIDENING * limit, *params, limit],
        )

    def allowed_first(self, allowed: Any, limit: int) -> dict[str, float]:
        """Take everything that passes the filters, then the best of that."""
        entries, params = _entries(allowed)
        return self._run(
            f"SELECT e.ref_id, -({self._gap('v.embedding')}) AS cosine FROM memory_vector v "
            f"JOIN ({entries}) e ON e.id = v.entry_id WHERE {self._in_scope()} "
            "ORDER BY cosine DESC LIMIT %s",
            [self._literal, *params, *self._where, limit],
        )

    def _gap(self, column: str) -> str:
        return f"{column} <#> %s::halfvec({self.dim})"

    def _in_scope(self) -> str:
        # The dimension is spelled out: a placeholder would hide the partial index from the planner.
        return (
            f"v.scope_id = %s AND v.model = %s AND v.dim = {self.dim} AND v.embedding IS NOT NULL"
        )

    def _run(self, statement: str, params: Sequence[Any]) -> dict[str, float]:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            return {ref_id: float(cosine) for ref_id, cosine in cursor.fetchall()}


def _entries(allowed: Any) -> tuple[str, Sequence[Any]]:
    statement: tuple[str, Sequence[Any]] = (
        allowed.order_by().values("id", "ref_id").query.sql_with_params()
    )
    return statement
