"""Reading histories."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from agents.models import Agent, Message
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
    rows: Any = Message.objects.of(actor).filter(agent_id=agent_id)
    scope = wanted.conversation_id
    if scope in (None, "default", agent_id):
        rows = rows.filter(conversation__is_default=True)
    else:
        rows = rows.filter(conversation_id=scope)
    if wanted.group_id:
        rows = rows.filter(group_id=wanted.group_id)
    rows = _between(rows, query, agent_id)
    limit = check_limit(query.limit)
    if query.order == "asc":
        return [to_type(row) for row in rows.order_by("seq")[:limit]]
    return [to_type(row) for row in reversed(rows.order_by("-seq")[:limit])]


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


def list_step_messages(actor: Actor, *, step_id: str, query: PageQuery) -> list[MessageValue]:
    """Return messages of a step, in the order asked for. Raises NotFound for a bad cursor."""
    return _page(Message.objects.of(actor).filter(step_id=step_id), query)


def _page(rows: QuerySet[Message], query: PageQuery) -> list[MessageValue]:
    """Order by sequence: within a step all messages bear the same time."""
    whole, down = rows, query.order == "desc"
    for cursor, onward in ((query.after, not down), (query.before, down)):
        if cursor:
            side = "gt" if onward else "lt"
            rows = rows.filter(**{f"seq__{side}": _seq_in(whole, cursor)})
    ordered = rows.order_by("-seq" if down else "seq")
    return [to_type(row) for row in ordered[: check_limit(query.limit)]]


def _seq_in(rows: QuerySet[Message], message_id: str) -> int:
    found = rows.filter(pk=message_id).values_list("seq", flat=True).first()
    if found is None:
        raise NotFound(f"The cursor {message_id!r} names nothing in this list.")
    return found
