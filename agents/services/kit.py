"""What an agent has at hand: its blocks and its tools, as values."""

from collections.abc import Iterable, Sequence

from django.db.models import Value

from agents.models import AgentBlock, AgentTool, Tool
from agents.types import CLIENT_TOOL, Json, ToolSpec
from memory.logic.edits import BlockView
from memory.models import Block
from memory.services.blocks import view_of

# Columns of the same types, so that one query can read rows of both tables.
_BLOCK_COLUMNS = (
    "id",
    "label",
    "value",
    "description",
    "limit",
    "read_only",
    "metadata",
    "version",
)
_TOOL_COLUMNS = (
    "id",
    "name",
    "tool_type",
    "description",
    "return_char_limit",
    "enable_parallel_execution",
    "json_schema",
)


def block_views(agent_id: str, isolated_ids: Sequence[str] = ()) -> tuple[BlockView, ...]:
    """Return an agent's blocks in the order of attachment: one query, two with `isolated_ids`.

    Those are a conversation's own copies, which stand in for the agent's of the same label.
    """
    return tuple(map(view_of, block_rows(agent_id, isolated_ids)))


def block_rows(agent_id: str, isolated_ids: Sequence[str] = ()) -> list[Block]:
    """Return what `block_views` shows, as rows."""
    links = AgentBlock.objects.filter(agent_id=agent_id).select_related("block")
    return _with_isolated([link.block for link in links], isolated_ids)


def _with_isolated(rows: list[Block], isolated_ids: Sequence[str]) -> list[Block]:
    if not isolated_ids:
        return rows
    own = {block.label: block for block in Block.objects.filter(pk__in=isolated_ids)}
    return [own.get(row.label, row) for row in rows]


def load_kit(
    agent_id: str, isolated_ids: Sequence[str] = ()
) -> tuple[tuple[BlockView, ...], tuple[ToolSpec, ...]]:
    """Return an agent's blocks and tools, each in the order of attachment: one query for both.

    `isolated_ids` are as for `block_views`, and cost another.
    """
    blocks = AgentBlock.objects.filter(agent_id=agent_id).values_list(
        Value("block"), "id", *(f"block__{name}" for name in _BLOCK_COLUMNS)
    )
    tools = AgentTool.objects.filter(agent_id=agent_id).values_list(
        Value("tool"), "id", *(f"tool__{name}" for name in _TOOL_COLUMNS), Value(0)
    )
    # Ordered here: an order in the query would have to be the same for both halves' columns.
    rows = sorted(blocks.order_by().union(tools.order_by(), all=True), key=lambda row: row[1])
    attached = [
        Block(**dict(zip(_BLOCK_COLUMNS, row[2:], strict=True)))
        for row in rows
        if row[0] == "block"
    ]
    return (
        tuple(map(view_of, _with_isolated(attached, isolated_ids))),
        tuple(
            tool_spec(Tool(**dict(zip(_TOOL_COLUMNS, row[2:-1], strict=True))))
            for row in rows
            if row[0] == "tool"
        ),
    )


def tool_specs(agent_id: str) -> tuple[ToolSpec, ...]:
    """Return an agent's tools in the order of attachment: one query."""
    links = AgentTool.objects.filter(agent_id=agent_id).select_related("tool")
    return tuple(tool_spec(link.tool) for link in links)


def with_client_tools(tools: tuple[ToolSpec, ...], rows: Iterable[Json]) -> tuple[ToolSpec, ...]:
    """Return tools with those that the caller runs itself; of two with one name, the caller's."""
    theirs = {row["name"]: ToolSpec(**row, tool_type=CLIENT_TOOL) for row in rows}
    own = tuple(theirs.pop(tool.name, tool) for tool in tools)
    return own + tuple(theirs.values())


def tool_spec(row: Tool) -> ToolSpec:
    """Return a tool as an agent sees it."""
    schema = row.json_schema or {}
    return ToolSpec(
        name=row.name,
        description=schema.get("description") or row.description or "",
        parameters=schema.get("parameters") or {"type": "object", "properties": {}},
        tool_type=row.tool_type,
        tool_id=row.id,
        return_limit_chars=row.return_char_limit,
        parallel=bool(row.enable_parallel_execution),
    )
