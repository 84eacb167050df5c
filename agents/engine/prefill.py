"""Arguments that tool rules lay down, against the schema of their tool. PURE."""

from collections.abc import Callable
from typing import Any

from agents.types import Json, ToolSpec


def describe_misfit(tool: ToolSpec | None, laid_down: Json) -> str:
    """Return which laid-down arguments the tool cannot take, or an empty text.

    Only what is laid down is looked at: the rest is the model's, and the tool's own affair.
    """
    if tool is None or not laid_down:
        return ""
    wrong = [_wrong(tool.parameters, name, value) for name, value in laid_down.items()]
    found = "; ".join(one for one in wrong if one)
    if not found:
        return ""
    return f"A tool rule gives {tool.name} arguments that it cannot take: {found}."


def _wrong(schema: Json, name: str, value: Any) -> str:
    properties: Json = schema.get("properties") or {}
    if name in properties:
        return "" if fits(properties[name], value) else f"{name!r} cannot be {value!r}"
    return "" if schema.get("additionalProperties") else f"it has no {name!r}"


def fits(rule: Json, value: Any) -> bool:
    """Tell whether `value` is of the kind that a JSON schema asks for."""
    if "anyOf" in rule:
        return any(fits(one, value) for one in rule["anyOf"])
    if "enum" in rule and value not in rule["enum"]:
        return False
    kind = rule.get("type")
    kinds = kind if isinstance(kind, list) else [kind] if kind else []
    if kinds and not any(_CHECKS.get(one, _anything)(value) for one in kinds):
        return False
    if isinstance(value, list):
        return all(fits(rule.get("items") or {}, one) for one in value)
    return not isinstance(value, dict) or _fits_object(rule, value)


def _fits_object(rule: Json, value: Json) -> bool:
    properties: Json = rule.get("properties") or {}
    return all(fits(properties.get(name) or {}, one) for name, one in value.items())


def _anything(_value: Any) -> bool:
    return True


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _number(value) and value == int(value),
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
