"""Finding agents. A page costs the same number of queries whatever is on it."""

from dataclasses import dataclass

from django.db.models import Count, F, Prefetch, Q, QuerySet

from agents.models import (
    Agent,
    AgentBlock,
    AgentFile,
    AgentFolder,
    AgentTool,
    Conversation,
    Group,
    Message,
)
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


def whole_groups(rows: QuerySet[Group]) -> QuerySet[Group]:
    """Load with groups what the wire shows of them."""
    return rows.prefetch_related("member_links", "block_links")


def with_relations(rows: QuerySet[Agent]) -> QuerySet[Agent]:
    """Load with `rows` everything the wire shows of an agent, in a fixed number of queries.

    `window_rows` are the messages that its model sees now, ids only; `waiting` is its conversation
    if tool calls in it wait for an answer.
    """
    held = Q(seq__gt=F("conversation__window_after_seq"))
    held |= Q(id=F("conversation__system_message_id"))
    held |= Q(id=F("conversation__summary_message_id"))
    window = Message.objects.filter(held, conversation__is_default=True).order_by("seq")
    waiting = Conversation.objects.filter(is_default=True, pending__isnull=False)
    return rows.prefetch_related(
        Prefetch("conversations", waiting.select_related("pending"), to_attr="waiting"),
        Prefetch("block_links", AgentBlock.objects.select_related("block")),
        Prefetch("tool_links", AgentTool.objects.select_related("tool")),
        Prefetch("folder_links", AgentFolder.objects.select_related("folder")),
        Prefetch("file_views", AgentFile.objects.select_related("file__folder")),
        "tag_rows",
        "secret_rows",
        Prefetch("managed_groups", whole_groups(Group.objects.order_by("created_at", "id"))),
        Prefetch("messages", window.only("id", "agent_id"), to_attr="window_rows"),
    )


def list_agents(actor: Actor, *, query: PageQuery, wanted: AgentFilter) -> list[Agent]:
    """Return a page of agents with their relations. A cursor that names nothing is ignored."""
    rows = _matching(actor, wanted)
    return page(with_relations(rows), _known_cursors(rows, query))


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
