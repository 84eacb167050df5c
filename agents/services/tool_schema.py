"""The JSON schema of a tool from its Python source. The source is read, never run."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agents.types import Json
from letta_site.core.errors import Invalid

SOURCE_TYPES = ("python", "typescript", "json")
MAX_SOURCE_CHARS = 200_000
HIDDEN_PARAMETERS = frozenset(("self", "agent_state"))

_SIMPLE: dict[str, Json] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}},
    "tuple": {"type": "array", "items": {"type": "string"}},
    "set": {"type": "array", "items": {"type": "string"}},
    "dict": {"type": "object"},
    "Any": {"type": "object"},
    "object": {"type": "object"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
}
_ALIASES = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "Sequence": "list"}
_SECTION = re.compile(r"(Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?|Notes?):\s*\Z")
_PARAMETER = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)\Z")
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring in Google's style."""

    description: str
    parameters: dict[str, str]


def schema_of_source(source: str, *, name: str | None = None) -> Json:
    """Return {"name", "description", "parameters"} of the function `name`, else of the last one.

    Raises Invalid when the source cannot be read, or leaves a parameter untyped or undescribed.
    """
    function = _function(_parse(source), name)
    doc = read_docstring(ast.get_docstring(function) or "")
    if not doc.description and not doc.parameters:
        raise _refused(f"Function {function.name} missing docstring")
    properties: Json = {}
    required: list[str] = []
    for parameter, default in _parameters(function):
        properties[parameter.arg] = _property(parameter, function, doc)
        if default is None and not _is_optional(parameter.annotation):
            required.append(parameter.arg)
    shape: Json = {"type": "object", "properties": properties, "required": required}
    return {"name": function.name, "description": doc.description, "parameters": shape}


def check_source(source: str, source_type: str) -> None:
    """Raise Invalid when this is no source that a tool may have."""
    if source_type not in SOURCE_TYPES:
        raise Invalid(f"Unknown tool source type: {source_type}")
    if not source.strip():
        raise Invalid("Custom tool is missing source_code field.")
    if len(source) > MAX_SOURCE_CHARS:
        raise Invalid(
            f"The source has {len(source)} characters; it may have {MAX_SOURCE_CHARS}.",
            todo="Put large data elsewhere, and shared code into a package.",
        )


def function_name(source: str, name: str | None) -> str:
    """Return the function that a call of this source runs: `name`, else the last one.

    Raises Invalid when the source cannot be read or has no such function.
    """
    return _function(_parse(source), name).name


def _refused(why: str) -> Invalid:
    return Invalid(f"Failed to derive json schema: {why}")


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused(f"Failed to parse source code: {error}") from None


def _function(module: ast.Module, name: str | None) -> Function:
    found = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (name is None or node.name == name)
    ]
    if not found:
        raise _refused(f"No function named {name}" if name else "No functions found in source code")
    return found[-1]


def _parameters(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    spec = function.args
    plain = [*spec.posonlyargs, *spec.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(spec.defaults))
    pairs = [*zip(plain, [*missing, *spec.defaults], strict=True)]
    pairs += zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return (pair for pair in pairs if pair[0].arg not in HIDDEN_PARAMETERS)


def _property(parameter: ast.arg, function: Function, doc: Docstring) -> Json:
    where = f"Parameter '{parameter.arg}' in function '{function.name}'"
    if parameter.annotation is None:
        raise _refused(f"{where} lacks a type annotation")
    if not doc.parameters.get(parameter.arg):
        raise _refused(f"{where} lacks a description in the docstring")
    shape = _type(parameter.annotation, where)
    return {**shape, "description": doc.parameters[parameter.arg]}


# --- annotations -----------------------------------------------------------------------------


def _name_of(node: ast.expr) -> str:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return _ALIASES.get(name, name)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _members(node: ast.expr | None) -> list[ast.expr]:
    """Return the alternatives of `A | B`, `Union[A, B]` or `Optional[A]`, else the node itself."""
    if node is None:
        return []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    if isinstance(node, ast.Subscript) and _name_of(node.value) == "Union":
        return _arguments(node)
    if isinstance(node, ast.Subscript) and _name_of(node.value) == "Optional":
        return [node.slice, ast.Constant(None)]
    return [node]


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _is_optional(node: ast.expr | None) -> bool:
    return any(_is_none(member) for member in _members(node))


def _type(node: ast.expr, where: str) -> Json:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _type(_quoted(node.value, where), where)
    members = [member for member in _members(node) if not _is_none(member)]
    if len(members) != 1:
        raise _refused(f"{where} has a Union type, which is not supported")
    member = members[0]
    if isinstance(member, ast.Subscript):
        return _generic(member, where)
    shape = _SIMPLE.get(_name_of(member))
    if shape is None:
        raise _refused(f"{where} has the type {ast.unparse(member)}, which is not supported")
    return dict(shape)


def _quoted(text: str, where: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise _refused(f"{where} has the type {text!r}, which cannot be read") from None


def _array(node: ast.Subscript, where: str) -> Json:
    return {"type": "array", "items": _type(_arguments(node)[0], where)}


def _object(node: ast.Subscript, where: str) -> Json:
    return {"type": "object", "additionalProperties": _type(_arguments(node)[-1], where)}


def _literal(node: ast.Subscript, where: str) -> Json:
    values = [item.value for item in _arguments(node) if isinstance(item, ast.Constant)]
    kinds = {_JSON_TYPES.get(type(value)) for value in values}
    if len(kinds) != 1 or None in kinds:
        raise _refused(f"{where} has a Literal whose values are not of one plain type")
    return {"type": kinds.pop(), "enum": values}


def _annotated(node: ast.Subscript, where: str) -> Json:
    return _type(_arguments(node)[0], where)


_GENERICS: dict[str, Callable[[ast.Subscript, str], Json]] = {
    "list": _array,
    "tuple": _array,
    "set": _array,
    "dict": _object,
    "Literal": _literal,
    "Annotated": _annotated,
}


def _generic(node: ast.Subscript, where: str) -> Json:
    build = _GENERICS.get(_name_of(node.value))
    if build is None:
        raise _refused(f"{where} has the type {ast.unparse(node)}, which is not supported")
    return build(node, where)


# --- docstrings ------------------------------------------------------------------------------


def read_docstring(text: str) -> Docstring:
    """Split a docstring into its description and the descriptions of its parameters."""
    description: list[str] = []
    arguments: list[str] = []
    section = ""
    for line in text.splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = heading[1]
        elif not section:
            description.append(line)
        elif section in ("Args", "Arguments", "Parameters"):
            arguments.append(line)
    return Docstring("\n".join(description).strip(), _described(arguments))


def _described(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name, indent = "", None
    for line in lines:
        depth = len(line) - len(line.lstrip())
        match = _PARAMETER.match(line.strip())
        if line.strip() and indent is None:
            indent = depth
        if match and depth == indent:
            name = match["name"]
            found[name] = match["text"].strip()
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found
