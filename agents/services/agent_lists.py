"""Finding agents. A page costs the same number of queries whatever is on it."""

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from agents.models import Agent
from agents.services.agent_relations import load_shown
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents to list; None asks for no restriction."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    match_all_tags: bool = False
    query_text: str | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_id: str | None = None
    identifier_keys: tuple[str, ...] | None = None
    last_stop_reason: str | None = None
    created_by_id: str | None = None
    show_hidden: bool = True


def list_agents(actor: Actor, *, query: PageQuery, wanted: AgentFilter) -> list[Agent]:
    """Return a page of agents with their relations. A cursor that names nothing is ignored."""
    rows = _matching(actor, wanted)
    found = page(rows, _known_cursors(rows, query))
    load_shown(found)
    return found


def _known_cursors(rows: QuerySet[Agent], query: PageQuery) -> PageQuery:
    """Drop cursors that name no agent of the list: the contract has them mean nothing."""
    wanted = [cursor for cursor in (query.before, query.after) if cursor]
    if not wanted:
        return query
    known = set(rows.filter(pk__in=wanted).values_list("id", flat=True))
    return PageQuery(
        limit=query.limit,
        before=query.before if query.before in known else None,
        after=query.after if query.after in known else None,
        order=query.order,
        order_by=query.order_by,
    )


def count_agents(actor: Actor, *, wanted: AgentFilter) -> int:
    """Return how many agents there are."""
    return _matching(actor, wanted).count()


def _matching(actor: Actor, wanted: AgentFilter) -> QuerySet[Agent]:
    rows: QuerySet[Agent] = Agent.objects.of(actor)
    if wanted.identity_id or wanted.identifier_keys:
        return rows.none()
    checks = {
        "name": wanted.name,
        "project_id": wanted.project_id,
        "template_id": wanted.template_id,
        "base_template_id": wanted.base_template_id,
        "last_stop_reason": wanted.last_stop_reason,
        "created_by_id": wanted.created_by_id,
    }
    rows = rows.filter(**{key: value for key, value in checks.items() if value is not None})
    if wanted.query_text:
        rows = rows.filter(name__icontains=wanted.query_text)
    if not wanted.show_hidden:
        rows = rows.exclude(hidden=True)
    return _tagged(rows, wanted)


def _tagged(rows: QuerySet[Agent], wanted: AgentFilter) -> QuerySet[Agent]:
    if not wanted.tags:
        return rows
    tags = set(wanted.tags)
    if not wanted.match_all_tags:
        return rows.filter(pk__in=rows.filter(tag_rows__tag__in=tags).values("pk"))
    bearing = rows.filter(tag_rows__tag__in=tags).annotate(bears=Count("tag_rows"))
    return rows.filter(pk__in=bearing.filter(bears=len(tags)).values("pk"))
