"""Reading histories."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet

from agents.models import Agent, Conversation, Message, Run
from agents.services.histories import ordered_history, scope_of
from agents.services.messages import to_type
from agents.types import Message as MessageValue
from letta_site.core.errors import NotFound
from letta_site.core.paging import check_limit
from letta_site.core.types import Actor, PageQuery


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which messages of an agent; no conversation named: those of the default one."""

    conversation_id: str | None = None
    group_id: str | None = None


def agent_type_of(actor: Actor, agent_id: str) -> str:
    """Return the type of an agent, which decides how its messages read. Raises NotFound."""
    found = Agent.objects.of(actor).filter(pk=agent_id).values_list("agent_type", flat=True).first()
    if found is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return str(found)


def list_messages(
    actor: Actor, *, agent_id: str, query: PageQuery, wanted: HistoryFilter
) -> list[MessageValue]:
    """Return messages of an agent, always oldest first.

    Cursors are points in time whatever the order: `after` is newer, `before` older. `desc` takes
    the newest ones between them, `asc` the oldest. Raises NotFound for a cursor that names nothing.
    """
    rows = _rows_of(actor, agent_id, wanted.conversation_id)
    if wanted.group_id:
        rows = rows.filter(group_id=wanted.group_id)
    rows = _between(rows, query, agent_id)
    limit = check_limit(query.limit)
    if query.order == "asc":
        return [to_type(row) for row in rows.order_by("seq")[:limit]]
    return [to_type(row) for row in reversed(rows.order_by("-seq")[:limit])]


def _rows_of(actor: Actor, agent_id: str, scope: str | None) -> Any:
    rows = Message.objects.of(actor).filter(agent_id=agent_id)
    if scope in (None, "default", agent_id):
        return rows.filter(conversation__is_default=True)
    conversation = Conversation.objects.of(actor).filter(pk=scope, agent_id=agent_id).first()
    return rows.filter(scope_of(conversation)) if conversation else rows.none()


def list_conversation_messages(
    conversation: Conversation, *, query: PageQuery, group_id: str | None = None
) -> list[MessageValue]:
    """Return messages of a conversation, in the order asked for. Raises NotFound."""
    rows = ordered_history(conversation)
    return _page(rows.filter(group_id=group_id) if group_id else rows, query, "place")


def list_all_messages(
    actor: Actor, *, query: PageQuery, conversation_id: str | None = None
) -> list[tuple[MessageValue, str]]:
    """Return messages of all agents, each with its agent's type, always oldest first.

    Cursors are points in time, as in `list_messages`.
    """
    rows = Message.objects.of(actor).annotate(agent_type=F("agent__agent_type"))
    if conversation_id:
        rows = rows.filter(conversation_id=conversation_id)
    for side, cursor in (("gt", query.after), ("lt", query.before)):
        if cursor:
            rows = rows.filter(_beside(actor, cursor, side))
    down = query.order == "desc"
    keys = ("created_at", "agent_id", "seq")
    ordering = [f"-{key}" if down else key for key in keys]
    found = list(rows.order_by(*ordering)[: check_limit(query.limit)])
    return [(to_type(row), row.agent_type) for row in (reversed(found) if down else found)]


def get_message(actor: Actor, message_id: str) -> tuple[MessageValue, str]:
    """Return a message and the type of its agent. Raises NotFound."""
    rows = Message.objects.of(actor).select_related("agent")
    row: Message | None = rows.filter(pk=message_id).first()
    if row is None:
        raise NotFound(f"Message with id '{message_id}' not found")
    return to_type(row), row.agent.agent_type


def _beside(actor: Actor, message_id: str, side: str) -> Q:
    """Return the condition for messages on one side of this one; those of a step share a time."""
    row: Message | None = Message.objects.of(actor).filter(pk=message_id).first()
    if row is None:
        raise NotFound(f"No message found with id '{message_id}'.")
    same_time = Q(created_at=row.created_at)
    return (
        Q(**{f"created_at__{side}": row.created_at})
        | same_time & Q(**{f"agent_id__{side}": row.agent_id})
        | same_time & Q(agent_id=row.agent_id) & Q(**{f"seq__{side}": row.seq})
    )


def _between(rows: QuerySet[Message], query: PageQuery, agent_id: str) -> QuerySet[Message]:
    whole = rows
    if query.after:
        rows = rows.filter(seq__gt=_seq_of(whole, query.after, agent_id))
    if query.before:
        rows = rows.filter(seq__lt=_seq_of(whole, query.before, agent_id))
    return rows


def _seq_of(rows: QuerySet[Message], message_id: str, agent_id: str) -> int:
    found = rows.filter(pk=message_id).values_list("seq", flat=True).first()
    if found is None:
        raise NotFound(f"No message found with id '{message_id}' for agent '{agent_id}'.")
    return found


def list_run_messages(actor: Actor, *, run_id: str, query: PageQuery) -> list[MessageValue]:
    """Return messages of a run, in the order asked for. Raises NotFound for a bad cursor."""
    return _page(Message.objects.of(actor).filter(run_id=run_id), query)


def ids_in_sight(run_id: str) -> list[str]:
    """Return the ids of a run's messages that are still in the window."""
    rows = Message.objects.filter(run_id=run_id, seq__gt=F("conversation__window_after_seq"))
    return list(rows.values_list("id", flat=True)) if run_id else []


def run_replies(run: Run) -> list[MessageValue]:
    """Return what a run said and did, without what it was given, in order."""
    rows = Message.objects.filter(run_id=run.id, step_id__isnull=False).order_by("seq")
    return [to_type(row) for row in rows]


def list_step_messages(actor: Actor, *, step_id: str, query: PageQuery) -> list[MessageValue]:
    """Return messages of a step, in the order asked for. Raises NotFound for a bad cursor."""
    return _page(Message.objects.of(actor).filter(step_id=step_id), query)


def _page(rows: QuerySet[Message], query: PageQuery, place: str = "seq") -> list[MessageValue]:
    """Order by sequence: within a step all messages bear the same time."""
    whole, down = rows, query.order == "desc"
    for cursor, onward in ((query.after, not down), (query.before, down)):
        if cursor:
            side = "gt" if onward else "lt"
            rows = rows.filter(**{f"{place}__{side}": _place_in(whole, cursor, place)})
    ordered = rows.order_by(f"-{place}" if down else place)
    return [to_type(row) for row in ordered[: check_limit(query.limit)]]


def _place_in(rows: QuerySet[Message], message_id: str, place: str) -> int:
    found = rows.filter(pk=message_id).values_list(place, flat=True).first()
    if found is None:
        raise NotFound(f"The cursor {message_id!r} names nothing in this list.")
    return int(found)
