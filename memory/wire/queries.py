"""What a caller asks of a list of blocks or passages."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel

from letta_site.core.paging import Page

Order = Literal["asc", "desc"]
SearchMode = Literal["vector", "fts", "hybrid"]
MODES: dict[str, Literal["vector", "lexical", "hybrid"]] = {
    "vector": "vector",
    "fts": "lexical",
    "hybrid": "hybrid",
}


def _aware(moment: datetime) -> datetime:
    # The outermost years would overflow in another time zone.
    moment = moment.replace(year=min(max(moment.year, 2), 9998))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]


class ScopePage(Page):
    """A page of what is embedded, of those in one state if it is named."""

    state: Literal["waiting", "working", "done", "failed"] | None = None


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


class PassagePage(Page):
    """A page of passages. `tags`, the dates and `order` are ours."""

    search: str | None = None
    ascending: bool | None = None
    tags: list[str] | None = None
    tag_match_mode: Literal["any", "all"] = "any"
    start_datetime: Moment | None = None
    end_datetime: Moment | None = None

    def conditions(self) -> dict[str, Any]:
        """Return which passages, as fields of the service's PassageFilter."""
        return {
            "text": self.search,
            "tags": self.tags or (),
            "tag_match_mode": self.tag_match_mode,
            "start": self.start_datetime,
            "end": self.end_datetime,
        }


class PassageSearch(BaseModel):
    """What to find in archival memory."""

    query: str
    tags: list[str] | None = None
    tag_match_mode: Literal["any", "all"] = "any"
    top_k: int | None = None
    start_datetime: Moment | None = None
    end_datetime: Moment | None = None
