"""What a custom tool was before: every state that somebody saved, and what changed in between."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff

from agents.models import Tool, ToolVersion
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.paging import check_limit
from letta_site.core.types import Actor

# Columns of a tool that anybody may set as they like; then those that depend on each other.
PLAIN = (
    "description",
    "tags",
    "return_char_limit",
    "pip_requirements",
    "npm_requirements",
    "default_requires_approval",
    "enable_parallel_execution",
)
KEPT = ("source_code", "source_type", "json_schema", "args_json_schema", *PLAIN)


@dataclass(frozen=True, slots=True)
class VersionView:
    """A state of a tool; `changed` are the columns that differ from the state before.

    `diff` is that of the source, in the unified format; the first version is all new.
    """

    n: int
    created_at: datetime
    created_by_id: str | None
    content: Json
    changed: tuple[str, ...]
    diff: str


def note_version(actor: Actor, row: Tool) -> None:
    """Keep the state of a tool that was just saved, unless it is that of the last version."""
    content = {name: getattr(row, name) for name in KEPT}
    last = ToolVersion.objects.filter(tool=row).first()
    if last is None or last.content != content:
        number = last.n + 1 if last else 1
        ToolVersion.objects.create(tool=row, n=number, content=content, created_by_id=actor.id)


def restore_version(actor: Actor, tool_id: str, number: int) -> Tool:
    """Make an old state of a tool the newest one; what came between is kept. Raises NotFound."""
    with write():
        row: Tool | None = Tool.objects.of(actor).filter(pk=tool_id).first()
        version = ToolVersion.objects.filter(tool=row, n=number).first() if row else None
        if row is None or version is None:
            raise NotFound(f"Tool {tool_id} has no version {number}.")
        note_version(actor, row)
        for name in KEPT:
            setattr(row, name, version.content.get(name))
        row.metadata = {**(row.metadata or {}), **hashed(row.source_code or "")}
        row.touch(actor, *KEPT, "metadata")
        note_version(actor, row)
    return row


def hashed(source: str) -> Json:
    """Return what a tool's metadata says of its source."""
    return {"tool_hash": hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()}


def list_versions(actor: Actor, tool_id: str, *, limit: int = 50) -> list[VersionView]:
    """Return the versions of a tool, the newest first. Raises NotFound, Invalid."""
    if not Tool.objects.of(actor).filter(pk=tool_id).exists():
        raise NotFound(f"Tool with id {tool_id} not found.")
    most = check_limit(limit)
    rows = list(ToolVersion.objects.filter(tool_id=tool_id)[: most + 1])
    before: list[ToolVersion | None] = [*rows[1:], None]
    return [_view(row, older) for row, older in zip(rows, before, strict=True)][:most]


def _view(row: ToolVersion, older: ToolVersion | None) -> VersionView:
    was = older.content if older else {}
    changed = tuple(name for name in KEPT if row.content.get(name) != was.get(name))
    diff = _diff(was.get("source_code") or "", row.content.get("source_code") or "", row.n)
    return VersionView(row.n, row.created_at, row.created_by_id, row.content, changed, diff)


def _diff(old: str, new: str, number: int) -> str:
    names = (f"version {number - 1}", f"version {number}")
    lines = unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
    return "\n".join(lines)
