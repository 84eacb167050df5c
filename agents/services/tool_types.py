"""What a type annotation means as a JSON schema. It is read, never evaluated."""

import ast
from collections.abc import Callable, Sequence

from agents.types import Json
from letta_site.core.errors import Invalid

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
REFUSAL = "Failed to derive json schema: "
_ALIASES = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "Sequence": "list"}
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
# Classes whose annotated fields are the keys of an object.
_RECORDS = frozenset(("BaseModel", "TypedDict", "NamedTuple"))


class Annotations:
    """The annotations of one source, whose own classes they may name."""

    def __init__(self, module: ast.Module) -> None:
        self._classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
        self._open: list[str] = []

    def schema(self, node: ast.expr, where: str) -> Json:
        """Return the schema. Raises Invalid, naming `where`, for what no schema can say."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.schema(_quoted(node.value, where), where)
        members = [member for member in _members(node) if not _is_none(member)]
        if len(members) != 1:
            raise refused(f"{where} has a Union type, which is not supported")
        member = members[0]
        if member is not node and isinstance(member, ast.Constant):
            return self.schema(member, where)
        if isinstance(member, ast.Subscript):
            return self._generic(member, where)
        if isinstance(member, ast.Name) and member.id in self._classes:
            return self._own_class(self._classes[member.id], where)
        shape = _SIMPLE.get(_name_of(member))
        if shape is None:
            raise refused(f"{where} has the type {ast.unparse(member)}, which is not supported")
        return dict(shape)

    def _generic(self, node: ast.Subscript, where: str) -> Json:
        build = _GENERICS.get(_name_of(node.value))
        if build is None:
            raise refused(f"{where} has the type {ast.unparse(node)}, which is not supported")
        return build(self, node, where)

    def _array(self, node: ast.Subscript, where: str) -> Json:
        return {"type": "array", "items": self.schema(_arguments(node)[0], where)}

    def _object(self, node: ast.Subscript, where: str) -> Json:
        return {"type": "object", "additionalProperties": self.schema(_arguments(node)[-1], where)}

    def _annotated(self, node: ast.Subscript, where: str) -> Json:
        return self.schema(_arguments(node)[0], where)

    def _literal(self, node: ast.Subscript, where: str) -> Json:
        values = [item.value for item in _arguments(node) if isinstance(item, ast.Constant)]
        return _choices(values, f"{where} has a Literal")

    def _own_class(self, node: ast.ClassDef, where: str) -> Json:
        bases = {_name_of(base) for base in node.bases}
        if node.name in self._open:
            raise refused(f"{where} has the type {node.name}, which contains itself")
        if any(base.endswith("Enum") for base in bases):
            return _choices(_constants(node), f"{where} has the type {node.name}, an Enum")
        decorated = {_name_of(getattr(one, "func", one)) for one in node.decorator_list}
        if not (bases & _RECORDS or "dataclass" in decorated):
            raise refused(f"{where} has the type {node.name}, which is not supported")
        self._open.append(node.name)
        try:
            return self._record(node, where)
        finally:
            self._open.pop()

    def _record(self, node: ast.ClassDef, where: str) -> Json:
        fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
        named = [(one.target.id, one) for one in fields if isinstance(one.target, ast.Name)]
        properties: Json = {}
        for name, field in named:
            shape = self.schema(field.annotation, f"{where}, field '{name}',")
            properties[name] = shape | _described(field.value)
        needed = [
            name
            for name, field in named
            if not (_has_default(field.value) or is_optional(field.annotation))
        ]
        shape = {"type": "object", "properties": properties, "required": needed}
        text = ast.get_docstring(node)
        return shape | ({"description": text} if text else {})


def refused(why: str) -> Invalid:
    """Return the failure to raise for source that gives no schema."""
    return Invalid(f"{REFUSAL}{why}")


def is_optional(node: ast.expr | None) -> bool:
    """Tell whether None is among the alternatives."""
    return any(_is_none(member) for member in _members(node))


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


def _quoted(text: str, where: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise refused(f"{where} has the type {text!r}, which cannot be read") from None


def _choices(values: Sequence[object], what: str) -> Json:
    kinds = {_JSON_TYPES.get(type(value)) for value in values}
    if len(kinds) != 1 or None in kinds:
        raise refused(f"{what} whose values are not of one plain type")
    return {"type": kinds.pop(), "enum": list(values)}


def _constants(node: ast.ClassDef) -> list[object]:
    assigned = [one.value for one in node.body if isinstance(one, ast.Assign)]
    return [one.value if isinstance(one, ast.Constant) else None for one in assigned]


def _keyword(call: ast.expr | None, *names: str) -> ast.expr | None:
    """Return the value of the first of `names` that `Field(...)` or `field(...)` is given."""
    if not (isinstance(call, ast.Call) and _name_of(call.func).lower() == "field"):
        return None
    return next((one.value for one in call.keywords if one.arg in names), None)


def _described(value: ast.expr | None) -> Json:
    text = _keyword(value, "description")
    return {"description": text.value} if isinstance(text, ast.Constant) else {}


def _has_default(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call) and _name_of(value.func).lower() == "field":
        if _keyword(value, "default", "default_factory"):
            return True
        return bool(value.args) and not _is_ellipsis(value.args[0])
    return value is not None and not _is_ellipsis(value)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


_GENERICS: dict[str, Callable[[Annotations, ast.Subscript, str], Json]] = {
    "list": Annotations._array,
    "tuple": Annotations._array,
    "set": Annotations._array,
    "dict": Annotations._object,
    "Literal": Annotations._literal,
    "Annotated": Annotations._annotated,
}
