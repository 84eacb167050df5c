"""What a call of a foreign tool gave, as text for a model. PURE."""

import json
from typing import Any

from agents.types import Json, ToolOutcome
from memory.services.storable import storable_json


def outcome_of(result: Json) -> ToolOutcome:
    """Return a `CallToolResult`, as JSON with the protocol's names, as the outcome of a call."""
    parts = [_shown(part) for part in result.get("content") or []]
    structured = result.get("structuredContent")
    if not parts and structured is not None:
        parts = [json.dumps(structured, ensure_ascii=False)]
    text = storable_json("\n".join(parts))
    if result.get("isError"):
        return ToolOutcome(f"Error: {text or 'the tool failed and gave no reason'}", "error")
    return ToolOutcome(text)


def _shown(part: Json) -> str:
    kind = part.get("type")
    if kind == "text":
        return str(part.get("text", ""))
    if kind in ("image", "audio"):
        return _left_out(str(kind), part)
    if kind == "resource_link":
        return f"[resource: {part.get('name') or ''} {part.get('uri')}]"
    if kind == "resource":
        return _resource(part.get("resource") or {})
    return f"[{kind}: not shown]"


def _resource(resource: Json) -> str:
    if isinstance(resource.get("text"), str):
        return str(resource["text"])
    return _left_out("resource", {**resource, "data": resource.get("blob")})


def _left_out(kind: str, part: Json) -> str:
    """Say that something was there which a tool's answer, being text, cannot hold."""
    data: Any = part.get("data") or ""
    size_kb = max(1, len(data) * 3 // 4 // 1024)
    return f"[{kind}: {part.get('mimeType') or 'unknown type'}, {size_kb} kB, not shown]"
