"""Tools: creating, changing, finding, deleting."""

import re
from dataclasses import dataclass, field

from agents.models import Tool
from agents.services.tool_code import GRANTS
from agents.services.tool_schema import check_source, schema_of_source
from agents.services.tool_seed import offered_names
from agents.services.tool_versions import PLAIN, hashed, note_version
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Invalid, Malformed, NotFound
from letta_site.core.types import Actor

MAX_NAME_CHARS = 48
MAX_RETURN_LIMIT_CHARS = 1_000_000

# Keys of the wire that are columns of a tool, by the same name, and need no thought.
DRAFT_FIELDS = frozenset(PLAIN)
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_PLAIN_FIELDS = (*sorted(DRAFT_FIELDS), "source_type", "args_json_schema")


@dataclass(frozen=True, slots=True)
class ToolDraft:
    """A custom tool as somebody describes it. `fields` are columns of Tool by name."""

    source_code: str
    source_type: str = "python"
    json_schema: Json | None = None
    args_json_schema: Json | None = None
    fields: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    project_id: str | None = None


def save_tool(actor: Actor, draft: ToolDraft) -> Tool:
    """Create a custom tool, or replace the one of that name.

    The name is the one in its schema. Raises Invalid when no schema can be derived, or the name is
    too long or a built-in tool's; Malformed for a TypeScript tool without a schema.
    """
    schema = _schema(draft)
    name = _check_name(schema)
    fields = {**draft.fields, "source_type": draft.source_type}
    fields |= {"source_code": draft.source_code, "json_schema": schema}
    fields |= {"args_json_schema": draft.args_json_schema}
    metadata = {**draft.metadata, **hashed(draft.source_code)}
    _check_grants(metadata)
    fields.setdefault("description", schema.get("description"))
    _check_fields(fields)
    with write():
        row = Tool.objects.of(actor).filter(name=name).first()
        if row is not None and row.mcp_server_id:
            raise Invalid(f"{name!r} is the name of an MCP server's tool; choose another one.")
        if row is None:
            row = Tool(
                org_id=actor.org_id, name=name, created_by_id=actor.id, project_id=draft.project_id
            )
        else:
            note_version(actor, row)  # what it was, if it is older than the keeping of versions
        _assign(row, {**fields, "metadata": {**_granted(row), **metadata}})
        row.last_updated_by_id, row.updated_at = actor.id, now()
        row.save()
        note_version(actor, row)
    return row


def _granted(row: Tool) -> Json:
    """Return what a save keeps of a tool's metadata: a script that saves at each start sends none.

    Whoever may change the code may also grant, so nothing is gained by taking grants away.
    """
    return {key: value for key, value in (row.metadata or {}).items() if key == "grants"}


def _assign(row: Tool, fields: Json) -> None:
    for key, value in fields.items():
        setattr(row, key, value)


def _schema(draft: ToolDraft) -> Json:
    check_source(draft.source_code, draft.source_type)
    if draft.json_schema:
        return draft.json_schema
    if draft.source_type == "typescript":
        raise Malformed("TypeScript tools require an explicit json_schema parameter")
    derived = schema_of_source(draft.source_code) if not draft.args_json_schema else _named(draft)
    return derived


def _named(draft: ToolDraft) -> Json:
    """Return a schema whose parameters were given, and whose name and text are the source's."""
    parameters = draft.args_json_schema or {}
    found = re.findall(r"^\s*(?:async\s+)?def\s+(\w+)", draft.source_code, re.MULTILINE)
    if not found:
        raise Invalid("Failed to derive json schema: No functions found in source code")
    text = draft.fields.get("description") or parameters.get("description") or ""
    return {"name": found[-1], "description": text, "parameters": parameters}


def _check_name(schema: Json) -> str:
    name = schema.get("name")
    if not isinstance(name, str) or not _NAME.match(name):
        raise Invalid(f"{name!r} is not a tool name: use letters, digits, '_' and '-'.")
    if len(name) > MAX_NAME_CHARS:
        raise Invalid(
            f"The tool name {name!r} has {len(name)} characters; it may have {MAX_NAME_CHARS}."
        )
    if name in offered_names():
        raise Invalid(f"{name!r} is the name of a built-in tool; choose another one.")
    return name


def _check_fields(fields: Json) -> None:
    limit = fields.get("return_char_limit")
    if limit is not None and not 1 <= limit <= MAX_RETURN_LIMIT_CHARS:
        raise Invalid(f"return_char_limit is {limit}; it must be 1 to {MAX_RETURN_LIMIT_CHARS}.")


def _check_grants(metadata: Json | None) -> None:
    grants = (metadata or {}).get("grants", [])
    if not isinstance(grants, list) or set(map(str, grants)) - set(GRANTS):
        raise Invalid(f"metadata_.grants is {grants!r}; it is a list of any of {list(GRANTS)}.")


def get_tool(actor: Actor, tool_id: str) -> Tool:
    """Return a tool. Raises NotFound."""
    row: Tool | None = Tool.objects.of(actor).filter(pk=tool_id).first()
    if row is None:
        raise NotFound(f"Tool with id {tool_id} not found.")
    return row


def update_tool(actor: Actor, tool_id: str, *, changes: Json) -> Tool:
    """Change a tool; None means unchanged. New source gives a new schema unless one is given.

    Raises NotFound; Invalid when the new schema names another tool, or nothing can be derived.
    """
    changes = {key: value for key, value in changes.items() if value is not None}
    with write():
        row = get_tool(actor, tool_id)
        if row.tool_type != "custom" and {"source_code", "json_schema"} & set(changes):
            raise Invalid(f"{row.name!r} is built in; its code and schema cannot be changed.")
        if row.tool_type == "custom":
            note_version(actor, row)
        fields = {key: changes[key] for key in _PLAIN_FIELDS if key in changes}
        fields |= _new_code(row, changes)
        if "metadata" in changes:
            fields["metadata"] = {
                **(fields.get("metadata") or row.metadata or {}),
                **changes["metadata"],
            }
        _check_fields(fields)
        _check_grants(fields.get("metadata"))
        _assign(row, fields)
        row.touch(actor, *fields)
        if row.tool_type == "custom":
            note_version(actor, row)
    return row


def _new_code(row: Tool, changes: Json) -> Json:
    source, schema = changes.get("source_code"), changes.get("json_schema")
    if schema is None and source is None:
        return {}
    if schema is None:
        kind = changes.get("source_type") or row.source_type or "python"
        args = changes.get("args_json_schema") or row.args_json_schema
        schema = _schema(ToolDraft(source or "", kind, args_json_schema=args))
    if _check_name(schema) != row.name:
        raise Invalid(
            f"The schema is of a tool named {schema['name']!r}, but this tool is {row.name!r}.",
            todo="Make a new tool, or keep the name.",
        )
    if source is None:
        return {"json_schema": schema}
    metadata = {**(row.metadata or {}), **hashed(source)}
    return {"json_schema": schema, "source_code": source, "metadata": metadata}


def delete_tool(actor: Actor, tool_id: str) -> None:
    """Delete a tool and take it from every agent. Raises NotFound."""
    with write():
        get_tool(actor, tool_id).delete()
