"""Numbers of what belongs to an agent: one order over messages, steps, runs and compactions."""

from typing import Any

from django.db import connection
from django.db.models import Field

from agents.models import Agent
from letta_site.core.errors import NotFound


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
