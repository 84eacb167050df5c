"""What a caller asks of a list of blocks or passages."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel

from letta_site.core.paging import MAX_LIMIT
from letta_site.core.types import PageQuery

Order = Literal["asc", "desc"]


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]


class BlockPage(BaseModel):
    """A page of blocks, oldest first unless something else is asked for."""

    limit: int | None = 50
    before: str | None = None
    after: str | None = None
    order: Order = "asc"
    order_by: Literal["created_at"] = "created_at"

    def query(self) -> PageQuery:
        limit = MAX_LIMIT if self.limit is None else min(self.limit, MAX_LIMIT)
        return PageQuery(limit, self.before, self.after, self.order, self.order_by)


class FolderPage(BaseModel):
    """A page of folders or of what is in one. Without a limit or order, those of the list hold."""

    limit: int | None = None
    before: str | None = None
    after: str | None = None
    order: Order | None = None
    order_by: Literal["created_at"] = "created_at"

    def query(self, *, limit: int, order: Order = "desc") -> PageQuery:
        """Return the page, `limit` and `order` being what holds when nothing was said."""
        wanted = min(limit if self.limit is None else self.limit, MAX_LIMIT)
        return PageQuery(wanted, self.before, self.after, self.order or order, self.order_by)


class BlockConditions(BaseModel):
    """Which blocks. `name` is what clients of the old era call `template_name`."""

    label: str | None = None
    templates_only: bool = False
    name: str | None = None
    template_name: str | None = None
    project_id: str | None = None
    tags: list[str] | None = None
    match_all_tags: bool = False

    def filters(self) -> dict[str, Any]:
        """Return the conditions as fields of the service's BlockFilter."""
        given = self.model_dump(exclude_none=True, exclude=set(_RENAMED))
        for name, field in _RENAMED.items():
            if (value := getattr(self, name, None)) is not None:
                given[field] = value
        return given


class BlockSearch(BlockConditions):
    """Which blocks, for the list."""

    identity_id: str | None = None
    identifier_keys: list[str] | None = None
    label_search: str | None = None
    description_search: str | None = None
    value_search: str | None = None
    connected_to_agents_count_gt: int | None = None
    connected_to_agents_count_lt: int | None = None
    connected_to_agents_count_eq: list[int] | None = None


_RENAMED = {
    "template_name": "name",
    "connected_to_agents_count_gt": "agents_gt",
    "connected_to_agents_count_lt": "agents_lt",
    "connected_to_agents_count_eq": "agents_eq",
}


class PassagePage(BaseModel):
    """A page of passages, oldest first unless something else is asked for."""

    limit: int | None = 100
    before: str | None = None
    after: str | None = None
    search: str | None = None
    ascending: bool | None = None
    order: Order | None = None

    def query(self) -> PageQuery:
        limit = MAX_LIMIT if self.limit is None else min(self.limit, MAX_LIMIT)
        old: Order = "desc" if self.ascending is False else "asc"
        return PageQuery(limit, self.before, self.after, self.order or old)


class PassageSearch(BaseModel):
    """What to find in archival memory."""

    query: str
    tags: list[str] | None = None
    tag_match_mode: Literal["any", "all"] = "any"
    top_k: int | None = None
    start_datetime: Moment | None = None
    end_datetime: Moment | None = None
