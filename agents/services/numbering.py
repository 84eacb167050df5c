"""Numbers of what belongs to an agent: one order over messages, steps, runs and compactions."""

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


def reserve_in(
    actor: Actor, agent_id: str, count: int, *, conversation_id: str | None
) -> Conversation | None:
    """Take an agent's next `count` numbers, and return a conversation of it: one statement.

    None stands for the agent's own conversation; None is returned for an unknown one. The agent's
    row is locked until the commit; the conversation may be as it was when we began to wait for
    that lock. It has `id`, `is_default`, `pending_id`, and its agent as of `reserve`, with the
    timezone.
    """
    agents, talks = Agent._meta.db_table, Conversation._meta.db_table
    which = "is_default" if conversation_id is None else "id = %s"
    wanted = [] if conversation_id is None else [conversation_id]
    place = f"FROM {talks} WHERE agent_id = {agents}.id AND deleted_at IS NULL AND {which}"
    columns = ", ".join(f"(SELECT {name} {place})" for name in ("id", "is_default", "pending_id"))
    sql = (
        f"UPDATE {agents} SET last_seq = last_seq + %s WHERE id = %s AND org_id = %s "
        f"AND EXISTS (SELECT 1 {place}) RETURNING org_id, timezone, last_seq, {columns}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [count, agent_id, actor.org_id, *wanted * 4])
        row = cursor.fetchone()
    if row is None:
        return None
    org_id, timezone, last_seq, talk_id, is_default, pending_id = row
    agent = Agent(id=agent_id, org_id=org_id, timezone=timezone, last_seq=last_seq - count)
    return Conversation(
        id=talk_id, org_id=org_id, agent=agent, is_default=bool(is_default), pending_id=pending_id
    )


def _column(name: str) -> "Field[Any, Any]":
    column = Agent._meta.get_field(name)
    assert isinstance(column, Field)
    return column
