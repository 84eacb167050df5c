"""Keyset paging, in one place. Cursors are ids; ties of the sort key are broken by id."""

from typing import Literal, TypeVar

from django.db.models import F, Model, Q, QuerySet
from pydantic import BaseModel

from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import PageQuery

MAX_LIMIT = 1000

Order = Literal["asc", "desc"]
M = TypeVar("M", bound=Model)


class Page(BaseModel):
    """A page of a list as a caller asks for it. A limit above the highest means the highest.

    A list that old clients turn around by `ascending` adds that as a field.
    """

    before: str | None = None
    after: str | None = None
    limit: int | None = None
    order: Order | None = None
    order_by: Literal["created_at"] = "created_at"

    def query(self, *, limit: int, order: Order = "desc") -> PageQuery:
        """Return the page, `limit` and `order` being what holds when nothing was said."""
        return PageQuery(
            limit=min(limit if self.limit is None else self.limit, MAX_LIMIT),
            before=self.before,
            after=self.after,
            order=self.order or self._old_order() or order,
            order_by=self.order_by,
        )

    def _old_order(self) -> Order | None:
        ascending = getattr(self, "ascending", None)
        return None if ascending is None else "asc" if ascending else "desc"


def check_limit(limit: int) -> int:
    """Return a usable page size. Raises Invalid when it is not in 1..1000."""
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"limit is {limit}; it must be from 1 to {MAX_LIMIT}.")
    return limit


def page(rows: "QuerySet[M]", query: PageQuery) -> list[M]:
    """Return one page of `rows` in the order asked for.

    Raises NotFound when a cursor names no row of `rows`, Invalid on a bad limit.
    """
    descending = query.order == "desc"
    whole = rows
    if query.after:
        rows = rows.filter(_beyond(whole, query.after, query.order_by, forward=not descending))
    if query.before:
        rows = rows.filter(_beyond(whole, query.before, query.order_by, forward=descending))
    if descending:
        ordering = (F(query.order_by).desc(nulls_last=True), F("pk").desc())
    else:
        ordering = (F(query.order_by).asc(nulls_first=True), F("pk").asc())
    return list(rows.order_by(*ordering)[: check_limit(query.limit)])


def _beyond(rows: "QuerySet[M]", cursor: str, field: str, *, forward: bool) -> Q:
    found = rows.order_by().filter(pk=cursor).values_list(field).first()
    if found is None:
        raise NotFound(f"The cursor {cursor!r} names nothing in this list.")
    edge = found[0]
    side = "gt" if forward else "lt"
    tie = Q(**{f"pk__{side}": cursor})
    if edge is None:
        known = Q(**{f"{field}__isnull": False})
        return (Q(**{f"{field}__isnull": True}) & tie) | (known if forward else Q(pk__in=[]))
    beyond = Q(**{f"{field}__{side}": edge}) | (Q(**{field: edge}) & tie)
    return beyond if forward else beyond | Q(**{f"{field}__isnull": True})
