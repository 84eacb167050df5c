"""Arguments against a tool's JSON schema: checked, and made to fit where the meaning is clear."""

import json
from collections.abc import Callable
from typing import Any

from agents.tools.base import ToolFailure
from agents.types import Json

_MISFIT = object()
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def fit_arguments(schema: Json, arguments: Json) -> Json:
    """Return the arguments that a tool gets: of the types it asks for, defaults filled in.

    `"5"` becomes 5, `"true"` True, a lone value a list of one, JSON text an object. Unknown
    arguments are dropped unless the schema lets them in; null counts as left out. Raises
    ToolFailure, with text for the model, that names every misfit.
    """
    properties: Json = schema.get("properties") or {}
    required = schema.get("required") or []
    fitted: Json = {}
    wrong: list[str] = []
    for name, rule in properties.items():
        value = arguments.get(name)
        if value is None and not _takes_null(rule):
            _fill_in(name, rule, required, fitted, wrong)
            continue
        if name not in arguments:
            continue
        got = _fit(rule, value)
        if got is _MISFIT:
            wrong.append(f"{name!r} must be {_wanted(rule)}, not {_shown(value)}")
        else:
            fitted[name] = got
    if wrong:
        raise ToolFailure(f"The arguments do not fit: {'; '.join(wrong)}.")
    return fitted | _others(schema, properties, arguments)


def _fill_in(name: str, rule: Json, required: list[str], fitted: Json, wrong: list[str]) -> None:
    if rule.get("default") is not None:
        fitted[name] = rule["default"]
    elif name in required:
        wrong.append(f"{name!r} is missing")


def _others(schema: Json, properties: Json, arguments: Json) -> Json:
    if properties and not schema.get("additionalProperties"):
        return {}
    return {name: value for name, value in arguments.items() if name not in properties}


def _takes_null(rule: Json) -> bool:
    kinds = _types(rule)
    return "null" in kinds or any(_takes_null(one) for one in rule.get("anyOf", ()))


def _types(rule: Json) -> list[str]:
    kind = rule.get("type")
    return kind if isinstance(kind, list) else [kind] if kind else []


def _fit(rule: Json, value: Any) -> Any:
    """Return `value` as `rule` wants it, or _MISFIT."""
    if "anyOf" in rule:
        return _first(lambda one: _fit(one, value), rule["anyOf"])
    kinds = _types(rule)
    got = _first(lambda kind: _FITTERS[kind](rule, value), kinds) if kinds else value
    if got is not _MISFIT and "enum" in rule and got not in rule["enum"]:
        return _MISFIT
    return got


def _first(fit: Callable[[Any], Any], choices: list[Any]) -> Any:
    return next((got for choice in choices if (got := fit(choice)) is not _MISFIT), _MISFIT)


def _fit_string(_rule: Json, value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _MISFIT


def _fit_integer(_rule: Json, value: Any) -> Any:
    number = _fit_number(_rule, value)
    return int(number) if number is not _MISFIT and number == int(number) else _MISFIT


def _fit_number(_rule: Json, value: Any) -> Any:
    if isinstance(value, bool):
        return _MISFIT
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            return _MISFIT
    finite = isinstance(value, int) or (isinstance(value, float) and abs(value) < float("inf"))
    return value if finite else _MISFIT


def _fit_boolean(_rule: Json, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    return True if word in _TRUE else False if word in _FALSE else _MISFIT


def _fit_array(rule: Json, value: Any) -> Any:
    items = value if isinstance(value, list) else _parsed(value, list)
    if items is None:
        items = [value]
    fitted = [_fit(rule.get("items") or {}, item) for item in items]
    return _MISFIT if any(item is _MISFIT for item in fitted) else fitted


def _fit_object(rule: Json, value: Any) -> Any:
    given = value if isinstance(value, dict) else _parsed(value, dict)
    if given is None:
        return _MISFIT
    try:
        return fit_arguments({"additionalProperties": True, **rule}, given)
    except ToolFailure:
        return _MISFIT


def _fit_null(_rule: Json, value: Any) -> Any:
    return None if value is None else _MISFIT


def _parsed(value: Any, kind: type) -> Any:
    if not isinstance(value, str):
        return None
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    return parsed if isinstance(parsed, kind) else None


def _wanted(rule: Json) -> str:
    if "enum" in rule:
        return "one of " + ", ".join(map(repr, rule["enum"]))
    rules = rule.get("anyOf", [rule])
    return " or ".join(kind for one in rules for kind in _types(one)) or "something else"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:80] + "..."


_FITTERS: dict[str, Callable[[Json, Any], Any]] = {
    "string": _fit_string,
    "integer": _fit_integer,
    "number": _fit_number,
    "boolean": _fit_boolean,
    "array": _fit_array,
    "object": _fit_object,
    "null": _fit_null,
}
