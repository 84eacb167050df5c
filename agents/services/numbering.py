"""Numbers of what belongs to an agent: one order over messages, steps, runs and compactions."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Field

from agents.models import Agent, Conversation
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor


def reserve(agent_id: str, count: int, **changes: Any) -> Agent:
    """Take an agent's next `count` numbers, and set columns of it, in one statement.

    Returns the agent with `id`, `org_id` and the last number that was given before: raise it by one
    for each thing. The row is locked until the commit; call it inside `aio.write()`. Raises
    NotFound.
    """
    table = Agent._meta.db_table
    columns = [(_column(name), value) for name, value in changes.items()]
    settings = ["last_seq = last_seq + %s", *(f"{column.column} = %s" for column, _ in columns)]
    values = [column.get_db_prep_save(value, connection) for column, value in columns]
    # The ORM cannot say RETURNING for an update, and a second statement would double the cost.
    sql = f"UPDATE {table} SET {', '.join(settings)} WHERE id = %s RETURNING org_id, last_seq"
    with connection.cursor() as cursor:
        cursor.execute(sql, [count, *values, agent_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound("The agent was deleted while it was at work.")
    return Agent(id=agent_id, org_id=row[0], last_seq=row[1] - count)


def _column(name: str) -> "Field[Any, Any]":
    column = Agent._meta.get_field(name)
    assert isinstance(column, Field)
    return column


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation, and the first of the numbers that were taken for something in it."""

    conversation_id: str
    seq: int


def reserve_in(
    actor: Actor, agent_id: str, conversation_id: str | None, count: int
) -> Place | None:
    """Take an agent's next `count` numbers in a conversation, the default one if not named.

    Returns None when the actor has no such agent or conversation. One statement; call it inside
    `aio.write()`.
    """
    agents, talks = Agent._meta.db_table, Conversation._meta.db_table
    chosen = "c.id = %s" if conversation_id else "c.is_default"
    inside = f"SELECT c.id FROM {talks} c WHERE c.agent_id = {agents}.id AND {chosen}"
    wanted = [conversation_id] if conversation_id else []
    sql = (
        f"UPDATE {agents} SET last_seq = last_seq + %s WHERE id = %s AND org_id = %s "
        f"AND EXISTS ({inside}) RETURNING last_seq, ({inside})"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [count, agent_id, actor.org_id, *wanted, *wanted])
        row = cursor.fetchone()
    return Place(row[1], row[0] - count + 1) if row else None
