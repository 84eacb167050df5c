"""Schemas of foreign tools: made regular, and judged against what models' servers take. PURE."""

from copy import deepcopy
from typing import Any

from agents.mcp.endpoints import OfferedTool
from agents.types import Json

STRICT = "STRICT_COMPLIANT"
LOOSE = "NON_STRICT_ONLY"
INVALID = "INVALID"
STATUS_KEY = "mcp:SCHEMA_STATUS"
WARNINGS_KEY = "mcp:SCHEMA_WARNINGS"

# OpenAI, "Structured outputs", supported schemas: ten levels; others take more, none takes 40.
_MAX_DEPTH = 40
_MANY = ("anyOf", "oneOf", "allOf")
_BRANCHES = ("items", "additionalProperties", "not")
_NAMED = ("properties", "$defs", "definitions")
# OpenAI, "Structured outputs": keywords that strict mode does not take.
_LOOSE_KEYWORDS = ("oneOf", "allOf", "not", "if", "patternProperties", "prefixItems")


def judge(schema: Any) -> tuple[str, list[str]]:
    """Return the health of a parameters schema, and the reasons for it."""
    broken = _broken(schema)
    if broken:
        return INVALID, broken
    regular = regularise(schema)
    loose = list(dict.fromkeys(_loose(regular, "root")))
    return (LOOSE, loose) if loose else (STRICT, [])


def json_schema(tool: OfferedTool, name: str) -> Json:
    """Return a tool's schema as it is stored, under our name for it, with its health."""
    status, reasons = judge(tool.input_schema)
    found: Json = {
        "name": name,
        "description": tool.description,
        "parameters": regularise(tool.input_schema),
        STATUS_KEY: status,
    }
    return {**found, WARNINGS_KEY: reasons} if reasons else found


def regularise(schema: Json) -> Json:
    """Return a schema with everything said that strict models' servers want to see said.

    Objects with properties close (`additionalProperties` false) unless they say otherwise, have
    `required`, and a reference carries the type of what it points to.
    """
    root = {"type": "object", "properties": {}, **deepcopy(schema)}
    root.setdefault("additionalProperties", False)
    _regularise(root, root)
    return root


def _regularise(node: Any, root: Json) -> None:
    if not isinstance(node, dict):
        return
    if node.get("properties") or node is root:
        node.setdefault("additionalProperties", False)
        node.setdefault("required", [])
    if node.get("type") == "array":
        node.setdefault("items", {})
    if "$ref" in node and "type" not in node:
        target = _target(node["$ref"], root)
        node["type"] = (target or {}).get("type", "object")
    for _, child in _children(node):
        _regularise(child, root)


def _children(node: Json) -> list[tuple[str, Any]]:
    """Return the schemas in a schema, each with where it is."""
    found = [(key, node[key]) for key in _BRANCHES if isinstance(node.get(key), dict)]
    for key in _MANY:
        found += [(key, one) for one in node[key]] if isinstance(node.get(key), list) else []
    for key in _NAMED:
        found += list(node[key].items()) if isinstance(node.get(key), dict) else []
    return found


def _target(ref: Any, root: Json) -> Json | None:
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return None
    found: Any = root
    for step in ref[2:].split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _broken(schema: Any) -> list[str]:
    """Return why no model's server could take a schema."""
    if not isinstance(schema, dict):
        return ["root: the schema is not an object"]
    if schema.get("type", "object") != "object":
        return [f"root: the type is {schema['type']!r}, not 'object'"]
    return _broken_parts(schema, schema, "root", 0)


def _broken_parts(node: Any, root: Json, path: str, depth: int) -> list[str]:
    if depth > _MAX_DEPTH:
        return [f"{path}: nested deeper than {_MAX_DEPTH} levels"]
    if not isinstance(node, dict):
        return [] if isinstance(node, bool) else [f"{path}: not a schema"]
    found: list[str] = []
    properties = node.get("properties", {})
    required = node.get("required", [])
    if not isinstance(properties, dict):
        return [f"{path}: properties is not an object"]
    if not isinstance(required, list):
        found.append(f"{path}: required is not a list")
    if "$ref" in node and _target(node["$ref"], root) is None:
        found.append(f"{path}: {node['$ref']!r} points nowhere")
    for name, child in _children(node):
        found += _broken_parts(child, root, f"{path}.{name}", depth + 1)
    return found


def _loose(node: Any, path: str) -> list[str]:
    """Return what keeps a schema from being strict."""
    if not isinstance(node, dict):
        return []
    found = [f"{path}: {key} is not strict" for key in _LOOSE_KEYWORDS if key in node]
    if node.get("type") == "object" and "$ref" not in node:
        if node.get("additionalProperties") is not False:
            found.append(f"{path}: additionalProperties is not false")
        required = node.get("required", [])
        optional = [key for key in node.get("properties", {}) if key not in required]
        found += [f"{path}: {key} is optional" for key in optional]
    if node.get("type") == "array" and not node.get("items"):
        found.append(f"{path}: items has no schema")
    for name, child in _children(node):
        found += _loose(child, f"{path}.{name}")
    return found
