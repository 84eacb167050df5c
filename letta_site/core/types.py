"""Types that every app speaks."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["user", "agent", "tool", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and in which organisation. `kind` and `id` go into every provenance record."""

    org_id: str
    id: str
    kind: ActorKind = "user"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in an agent's work a change came from. All None for a change by a person."""

    agent_id: str | None = None
    agent_seq: int | None = None
    run_id: str | None = None
    step_id: str | None = None
    message_id: str | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A keyset page. `before` and `after` are ids of rows on the far side of the page's edge."""

    limit: int = 50
    before: str | None = None
    after: str | None = None
    order: Literal["asc", "desc"] = "desc"
    order_by: str = "created_at"
