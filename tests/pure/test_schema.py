"""Arguments are checked and made to fit a tool's schema."""

from __future__ import annotations

from typing import Any

import pytest

from agents.tools.base import ToolFailure
from agents.tools.schema import fit_arguments


def schema(rule: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": rule}, "required": ["x"], **more}


INTEGER, STRINGS = {"type": "integer"}, {"type": "array", "items": {"type": "string"}}
EITHER = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
PAIR = {"type": "object", "properties": {"n": INTEGER}, "required": ["n"]}


@pytest.mark.parametrize(
    ("rule", "given", "fitted"),
    [
        (INTEGER, 5, 5),
        (INTEGER, "5", 5),
        (INTEGER, " -3 ", -3),
        (INTEGER, 5.0, 5),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "string"}, 5, "5"),
        ({"type": "string"}, True, "true"),
        ({"type": "string"}, {"a": 1}, '{"a": 1}'),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "no", False),
        ({"type": "boolean"}, 1, True),
        (STRINGS, ["a", 1], ["a", "1"]),
        (STRINGS, "a", ["a"]),
        (STRINGS, '["a", "b"]', ["a", "b"]),
        ({"type": "array"}, [1, "x"], [1, "x"]),
        (PAIR, '{"n": "1", "other": 2}', {"n": 1, "other": 2}),
        ({"type": ["integer", "string"]}, "x", "x"),
        (EITHER, None, None),
        (EITHER, "7", 7),
        ({"type": "string", "enum": ["a", "b"]}, "b", "b"),
        ({}, [1], [1]),
    ],
)
def test_value_is_made_to_fit(rule: dict[str, Any], given: Any, fitted: Any) -> None:
    got = fit_arguments(schema(rule), {"x": given})["x"]
    assert got == fitted and type(got) is type(fitted)


@pytest.mark.parametrize(
    ("rule", "given", "told"),
    [
        (INTEGER, "five", "'x' must be integer, not \"five\""),
        (INTEGER, 5.5, "must be integer"),
        (INTEGER, True, "must be integer"),
        (INTEGER, "nan", "must be integer"),
        ({"type": "number"}, "inf", "must be number"),
        ({"type": "boolean"}, "perhaps", "must be boolean"),
        ({"type": "boolean"}, [], "must be boolean"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "one of 'a', 'b'"),
        ({"type": "array", "items": INTEGER}, ["a"], "must be array"),
        (PAIR, "text", "must be object"),
        (PAIR, {"n": "x" * 200}, r"\.\.\."),
        (EITHER, "x", "integer or null"),
        (INTEGER, None, "'x' is missing"),
    ],
)
def test_misfit_is_named(rule: dict[str, Any], given: Any, told: str) -> None:
    with pytest.raises(ToolFailure, match=told):
        fit_arguments(schema(rule), {"x": given})


def test_defaults_unknown_and_left_out() -> None:
    rule = schema(INTEGER | {"default": 3})
    assert fit_arguments(rule, {"y": 1}) == {"x": 3}
    assert fit_arguments({**rule, "required": []}, {"x": None}) == {"x": 3}
    assert fit_arguments(schema(INTEGER, additionalProperties=True), {"x": 1, "y": 2}) == {
        "x": 1,
        "y": 2,
    }
    assert fit_arguments({"type": "object", "properties": {"x": EITHER}}, {}) == {}
    assert fit_arguments({}, {"y": 2}) == {"y": 2}
