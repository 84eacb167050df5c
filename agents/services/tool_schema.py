"""The JSON schema of a tool from its Python source. The source is read, never run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from docstring_parser import DocstringStyle, ParseError, parse

from agents.services.tool_types import REFUSAL, Annotations, is_optional, refused
from agents.types import Json
from letta_site.core.errors import Invalid

SOURCE_TYPES = ("python", "typescript", "json")
MAX_SOURCE_CHARS = 200_000
HIDDEN_PARAMETERS = frozenset(("self", "agent_state"))


Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a source from having a schema. `line` counts from 1; 0: no line in particular."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring in Google's style."""

    description: str
    parameters: dict[str, str]


def schema_of_source(source: str, *, name: str | None = None) -> Json:
    """Return {"name", "description", "parameters"} of the function `name`, else of the last one.

    Raises Invalid when the source cannot be read, or leaves a parameter untyped or undescribed.
    """
    module = _parse(source)
    function, annotations = _function(module, name), Annotations(module)
    doc = read_docstring(ast.get_docstring(function) or "")
    if not doc.description and not doc.parameters:
        raise refused(f"Function {function.name} missing docstring")
    properties: Json = {}
    required: list[str] = []
    for parameter, default in _parameters(function):
        properties[parameter.arg] = _property(parameter, function, doc, annotations)
        if default is None and not is_optional(parameter.annotation):
            required.append(parameter.arg)
    shape: Json = {"type": "object", "properties": properties, "required": required}
    return {"name": function.name, "description": doc.description, "parameters": shape}


def problems_in(source: str) -> list[Problem]:
    """Return all that keeps a source from having a schema, each with its line; never raises."""
    try:
        module = ast.parse(source)
        function = _function(module, None)
        doc = read_docstring(ast.get_docstring(function) or "")
    except SyntaxError as error:
        return [Problem(error.lineno or 0, error.msg)]
    except (ValueError, RecursionError, MemoryError) as error:
        return [Problem(0, str(error))]
    except Invalid as error:
        return [Problem(0, said_plainly(error))]
    if not doc.description and not doc.parameters:
        return [Problem(function.lineno, f"Function {function.name} missing docstring")]
    annotations = Annotations(module)
    found = []
    for parameter, _ in _parameters(function):
        try:
            _property(parameter, function, doc, annotations)
        except Invalid as error:
            found.append(Problem(parameter.lineno, said_plainly(error)))
    return sorted(found, key=lambda one: one.line)


def said_plainly(error: Invalid) -> str:
    """Return what is wrong without saying that it is the schema that cannot be derived."""
    return error.what.removeprefix(REFUSAL)


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


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise refused(f"Failed to parse source code: {error}") from None


def _function(module: ast.Module, name: str | None) -> Function:
    found = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (name is None or node.name == name)
    ]
    if not found:
        raise refused(f"No function named {name}" if name else "No functions found in source code")
    return found[-1]


def _parameters(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    spec = function.args
    plain = [*spec.posonlyargs, *spec.args]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(spec.defaults))
    pairs = [*zip(plain, [*missing, *spec.defaults], strict=True)]
    pairs += zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    return (pair for pair in pairs if pair[0].arg not in HIDDEN_PARAMETERS)


def _property(
    parameter: ast.arg, function: Function, doc: Docstring, annotations: Annotations
) -> Json:
    where = f"Parameter '{parameter.arg}' in function '{function.name}'"
    if parameter.annotation is None:
        raise refused(f"{where} lacks a type annotation")
    if not doc.parameters.get(parameter.arg):
        raise refused(f"{where} lacks a description in the docstring")
    shape = annotations.schema(parameter.annotation, where)
    return {**shape, "description": doc.parameters[parameter.arg]}


def read_docstring(text: str) -> Docstring:
    """Split a docstring into its description and the descriptions of its parameters."""
    try:
        doc = parse(text, style=DocstringStyle.GOOGLE)
    except ParseError as error:
        raise refused(f"The docstring cannot be read: {error}") from None
    described = {one.arg_name: " ".join((one.description or "").split()) for one in doc.params}
    return Docstring((doc.description or "").strip(), described)
