"""Schemas from Python source."""

from __future__ import annotations

from typing import Any

import pytest

from agents.services.tool_schema import read_docstring, schema_of_source
from letta_site.core.errors import Invalid


def of(annotation: str, default: str = "") -> Any:
    source = f'def f(x: {annotation}{default}):\n    """D.\n\n    Args:\n        x: The x.\n    """'
    shape = schema_of_source(source)["parameters"]
    found = dict(shape["properties"]["x"])
    assert found.pop("description") == "The x."
    return found, shape["required"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("str", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("dict", {"type": "object"}),
        ("list[int]", {"type": "array", "items": {"type": "integer"}}),
        ("typing.List[str]", {"type": "array", "items": {"type": "string"}}),
        ("Dict[str, float]", {"type": "object", "additionalProperties": {"type": "number"}}),
        ("Literal['a', 'b']", {"type": "string", "enum": ["a", "b"]}),
        ("Annotated[int, 'n']", {"type": "integer"}),
        ("'list[str]'", {"type": "array", "items": {"type": "string"}}),
        ("datetime", {"type": "string", "format": "date-time"}),
    ],
)
def test_types(annotation: str, expected: Any) -> None:
    assert of(annotation) == (expected, ["x"])


@pytest.mark.parametrize(
    ("annotation", "default"),
    [("Optional[int]", ""), ("int | None", ""), ("Union[int, None]", " = 3"), ("int", " = 3")],
)
def test_what_may_be_left_out(annotation: str, default: str) -> None:
    assert of(annotation, default) == ({"type": "integer"}, [])


@pytest.mark.parametrize(
    "annotation", ["Union[int, str]", "int | str", "Path", "set[Path]", "Literal[1, 'a']", "'a b'"]
)
def test_types_that_no_schema_can_say(annotation: str) -> None:
    with pytest.raises(Invalid, match="Parameter 'x' in function 'f'"):
        of(annotation)


def test_the_last_function_counts_and_hidden_parameters_do_not() -> None:
    source = (
        'def first():\n    """One."""\n\n'
        "async def last(self, agent_state, *, n: int):\n"
        '    """Two.\n\n    More.\n\n    Args:\n        n (int): The\n            number.\n\n'
        '    Returns:\n        str: x: y\n    """\n'
    )
    schema = schema_of_source(source)
    assert (schema["name"], schema["description"]) == ("last", "Two.\n\nMore.")
    assert list(schema["parameters"]["properties"]) == ["n"]
    assert schema["parameters"]["properties"]["n"]["description"] == "The number."
    assert schema_of_source(source, name="first")["name"] == "first"
    with pytest.raises(Invalid, match="No function named nope"):
        schema_of_source(source, name="nope")


@pytest.mark.parametrize("source", ["def f(:", "x = 1", "", "\x00", "(" * 5000])
def test_source_that_is_none(source: str) -> None:
    with pytest.raises(Invalid, match="Failed to derive json schema"):
        schema_of_source(source)


def test_nothing_is_run() -> None:
    schema_of_source('raise SystemExit\ndef f():\n    """D."""')


def test_a_docstring_with_colons() -> None:
    text = "D.\n\nArgs:\n    a (dict[str, int]): One: two.\n    b: Three\n        four: five.\n"
    assert read_docstring(text).parameters == {"a": "One: two.", "b": "Three four: five."}


def test_models_that_the_source_defines_become_objects() -> None:
    source = (
        "from enum import Enum\nfrom dataclasses import dataclass\n"
        "class Colour(str, Enum):\n    RED = 'red'\n    BLUE = 'blue'\n\n"
        "@dataclass\nclass Size:\n    width: int\n    height: int = 1\n\n"
        "class Brick(BaseModel):\n"
        '    """One brick."""\n'
        "    colour: Colour = Field(description='Its colour.')\n"
        "    size: Size | None\n"
        "    tags: list[str] = Field(default_factory=list)\n"
        "    weight: float = Field(..., gt=0)\n\n"
        "def lay(bricks: list[Brick], how: Optional['Size'] = None) -> str:\n"
        '    """Lay them.\n\n    Args:\n        bricks: What.\n        how: Pattern.\n    """\n'
    )
    parameters = schema_of_source(source)["parameters"]
    brick = parameters["properties"]["bricks"]["items"]
    assert parameters["required"] == ["bricks"]
    assert brick["description"] == "One brick."
    assert brick["required"] == ["colour", "weight"]
    assert brick["properties"]["colour"] == {
        "type": "string",
        "enum": ["red", "blue"],
        "description": "Its colour.",
    }
    size = {
        "type": "object",
        "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}},
        "required": ["width"],
    }
    assert brick["properties"]["size"] == size
    assert parameters["properties"]["how"] == {**size, "description": "Pattern."}


@pytest.mark.parametrize(
    "classes",
    [
        "class T(BaseModel):\n    inner: 'T'\n",
        "class T:\n    pass\n",
        "class T(Enum):\n    A = object()\n",
        "class T(BaseModel):\n    path: Path\n",
    ],
)
def test_classes_that_no_schema_can_say(classes: str) -> None:
    source = f'{classes}\ndef f(x: T):\n    """D.\n\n    Args:\n        x: The x.\n    """'
    with pytest.raises(Invalid, match="Parameter 'x' in function 'f'"):
        schema_of_source(source)
