"""Queries by ids whose SQL is made once: Django takes longer to write it than SQLite to answer."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet


class Prepared:
    """A query for the rows of some owners. Only its SQL is kept, never what it found.

    `build` gets the owners' ids and returns a `values_list` whose condition names each id once.
    """

    def __init__(self, build: Callable[[Sequence[str]], "QuerySet[Any, tuple[Any, ...]]"]) -> None:
        self._build = build
        self._plans: dict[int, tuple[Any, str, tuple[Any, ...], Any]] = {}

    def rows(self, ids: Sequence[str]) -> list[Sequence[Any]]:
        """Return the rows of these owners: one query."""
        if not ids:
            return []
        # Few sizes serve all numbers of ids: the last id is named again until one is reached.
        size = 1 << (len(ids) - 1).bit_length()
        if size not in self._plans:
            self._plans[size] = self._plan(size)
        query, sql, params, converters = self._plans[size]
        named = dict(enumerate([*ids, *[ids[-1]] * (size - len(ids))]))
        values = [named[one.n] if isinstance(one, _Place) else one for one in params]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            found: list[Sequence[Any]] = cursor.fetchall()
        if not converters:
            return found
        return list(query.get_compiler(DEFAULT_DB_ALIAS).apply_converters(found, converters))

    def _plan(self, size: int) -> tuple[Any, str, tuple[Any, ...], Any]:
        query = self._build([_Place(n) for n in range(size)]).query
        compiler = query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select[: compiler.col_count]]
        return query, sql, tuple(params), compiler.get_converters(columns)


class _Place(str):
    """Where an id goes: a text while Django looks at it, known again among the parameters."""

    __slots__ = ("n",)

    def __new__(cls, n: int) -> "_Place":
        """Return the place of the n-th id."""
        place = super().__new__(cls, f"place {n}")
        place.n = n
        return place

    n: int
