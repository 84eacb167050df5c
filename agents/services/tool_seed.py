"""The built-in tools as rows, so that agents can have them like any other tool."""

import hashlib
import json
from collections.abc import Iterable

from agents.models import Tool
from agents.types import Json, ToolSpec
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.types import Actor

# The room with the tools is above this one, so it hands their descriptions down when it is loaded.
_offered: dict[str, ToolSpec] = {}


def offer(specs: Iterable[ToolSpec]) -> None:
    """Tell which built-in tools there are; done once, when the apps are ready."""
    _offered.update({spec.name: spec for spec in specs})


def offered_names() -> frozenset[str]:
    """Return the names that built-in tools have."""
    return frozenset(_offered)


def ensure_base_tools(actor: Actor) -> list[Tool]:
    """Bring the rows of the built-in tools up to date and return them. One query if they are."""
    rows = {row.name: row for row in Tool.objects.of(actor).filter(name__in=_offered)}
    missing = [_row(actor, spec) for spec in _offered.values() if spec.name not in rows]
    stale = [spec for spec in _offered.values() if _is_stale(spec, rows.get(spec.name))]
    if missing or stale:
        with write():
            # Somebody else may be doing the same: whoever comes second changes nothing.
            Tool.objects.bulk_create(missing, ignore_conflicts=True)
            for spec in stale:
                _refresh(rows[spec.name], spec)
        rows = {row.name: row for row in Tool.objects.of(actor).filter(name__in=_offered)}
    return [row for row in rows.values() if row.tool_type != "custom"]


def _fingerprint(spec: ToolSpec) -> str:
    facts = [spec.description, spec.parameters, spec.tool_type, spec.parallel]
    facts += [spec.return_limit_chars]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_stale(spec: ToolSpec, row: Tool | None) -> bool:
    if row is None or row.tool_type == "custom":
        return False
    return (row.metadata or {}).get("fingerprint") != _fingerprint(spec)


def _fields(spec: ToolSpec) -> Json:
    return {
        "tool_type": spec.tool_type,
        "description": spec.description,
        "json_schema": {
            "name": spec.name,
            "description": spec.description,
            "parameters": spec.parameters,
        },
        "tags": [spec.tool_type],
        "return_char_limit": spec.return_limit_chars,
        "enable_parallel_execution": spec.parallel,
        "metadata": {"fingerprint": _fingerprint(spec)},
    }


def _row(actor: Actor, spec: ToolSpec) -> Tool:
    owner = {"org_id": actor.org_id, "created_by_id": actor.id, "last_updated_by_id": actor.id}
    return Tool(name=spec.name, **owner, **_fields(spec))


def _refresh(row: Tool, spec: ToolSpec) -> None:
    Tool.objects.filter(pk=row.pk).update(updated_at=now(), **_fields(spec))
