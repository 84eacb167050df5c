"""Tool rules: which calls a model may make next, and which it must."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from agents.types import Json
from letta_site.core.errors import Invalid

VIOLATION_PREFIX = "[ToolConstraintError] Cannot call"
RULE_TYPES = (
    "run_first",
    "exit_loop",
    "continue_loop",
    "constrain_child_tools",
    "parent_last_tool",
    "conditional",
    "max_count_per_step",
    "required_before_exit",
    "requires_approval",
)
# Types whose rules narrow the choice so far that the model is made to call something.
_FORCING = ("run_first", "constrain_child_tools", "conditional", "parent_last_tool")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about the tool `tool_name`. Which other fields matter depends on `type`.

    `outputs` are the pairs (return text, child) of a conditional rule; `prefill` are arguments by
    tool name that win over the model's.
    """

    type: str
    tool_name: str
    children: tuple[str, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    default_child: str | None = None
    must_match: bool = False
    limit: int = 0
    prefill: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleState:
    """The rules, and the calls (name, return text) that one request has led to so far."""

    rules: tuple[Rule, ...] = ()
    called: tuple[tuple[str, str], ...] = ()

    def after(self, name: str, returned: str = "") -> "RuleState":
        """Return the state after a call that was carried out."""
        return replace(self, called=(*self.called, (name, returned)))

    @property
    def last(self) -> str | None:
        """The name of the latest call."""
        return self.called[-1][0] if self.called else None

    def of_type(self, *types: str) -> tuple[Rule, ...]:
        """Return the rules of these types."""
        return tuple(rule for rule in self.rules if rule.type in types)

    def has(self, rule_type: str, name: str) -> bool:
        """Tell whether the tool `name` has a rule of this type."""
        return any(rule.tool_name == name for rule in self.of_type(rule_type))

    def allowed(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return which of `names` may be called next: all of them if the rules leave none."""
        left = tuple(name for name in names if not self.refusing(name))
        return left or tuple(names)

    def refusing(self, name: str) -> tuple[Rule, ...]:
        """Return the rules that keep the tool `name` from being called next."""
        return tuple(rule for rule in self.rules if _refuses(rule, self, name))

    def forced(self, names: Sequence[str], *, needs_call: bool = False) -> str | None:
        """Return a tool's name if only that may be called, "required" for some call, else None.

        `needs_call`: a call is wanted at every turn, also when no rule asks for one.
        """
        rules = self.of_type(*_FORCING)
        narrowed = any(set(_choices(rule, self) or ()) & set(names) for rule in rules)
        if not names or not (narrowed or needs_call):
            return None
        left = self.allowed(names)
        return left[0] if len(left) == 1 and narrowed else "required"

    def prefilled(self, name: str) -> Json:
        """Return the arguments that the rules lay down for the next call of `name`."""
        given: Json = {}
        for rule in self.of_type("run_first", "constrain_child_tools"):
            if name in (_choices(rule, self) or ()):
                given |= rule.prefill.get(name, {})
        return given

    def violation(self, name: str, names: Sequence[str]) -> str | None:
        """Return what to tell a model that called `name` now, or None when it may."""
        left = self.allowed(names)
        if name in left or name not in names:
            return None
        listed = ", ".join(left)
        return f"{VIOLATION_PREFIX} {name}: the rules allow these tools now: {listed}."

    def with_turn(self, called: Iterable[tuple[str, str]]) -> "RuleState":
        """Return the state of a turn that goes on: `called` is what it led to before it waited."""
        carried_out = (one for one in called if not one[1].startswith(VIOLATION_PREFIX))
        return replace(self, called=tuple(carried_out))

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the tools that must be called before the turn may end and were not."""
        done = {name for name, _ in self.called}
        required = (rule.tool_name for rule in self.of_type("required_before_exit"))
        return tuple(name for name in required if name in set(names) and name not in done)

    def needs_approval(self, name: str) -> bool:
        """Tell whether a person must agree to calls of `name`."""
        return self.has("requires_approval", name)


def parse_rules(rows: Iterable[Json]) -> tuple[Rule, ...]:
    """Return the rules that `rows`, in the wire's form, describe; a repeated one counts once.

    Raises Invalid on an unknown type or when a field is missing or of the wrong kind.
    """
    distinct = {json.dumps(row, sort_keys=True, default=str): row for row in rows}
    return tuple(_parse(row) for row in distinct.values())


def describe_rules(rules: Iterable[Rule]) -> str:
    """Return the `<tool_usage_rules>` section of the system prompt, or an empty text."""
    lines = [_SENTENCES[rule.type](rule) for rule in rules if rule.type in _SENTENCES]
    if not lines:
        return ""
    listed = "\n".join(f"- {line}" for line in dict.fromkeys(lines))
    intro = "Calls of your tools are subject to these rules:"
    return f"<tool_usage_rules>\n{intro}\n{listed}\n</tool_usage_rules>"


def _parse(row: Json) -> Rule:
    rule_type = row.get("type")
    if rule_type not in RULE_TYPES:
        known = ", ".join(RULE_TYPES)
        raise Invalid(f"{rule_type!r} is not a type of tool rule; the types are {known}.")
    try:
        return _rule(rule_type, row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(f"The {rule_type} rule {row!r} is not complete: {error!r}.") from None


def _rule(rule_type: str, row: Json) -> Rule:
    name = str(row["tool_name"])
    rule = Rule(rule_type, name)
    if rule_type in ("constrain_child_tools", "parent_last_tool"):
        nodes = row.get("child_arg_nodes") or ()
        prefill = {str(node["name"]): dict(node.get("args") or {}) for node in nodes}
        return replace(rule, children=tuple(map(str, row["children"])), prefill=prefill)
    if rule_type == "conditional":
        outputs = tuple((str(k), str(v)) for k, v in row["child_output_mapping"].items())
        return replace(
            rule,
            outputs=outputs,
            default_child=row.get("default_child"),
            must_match=bool(row.get("require_output_mapping")),
        )
    if rule_type == "max_count_per_step":
        return replace(rule, limit=int(row["max_count_limit"]))
    if rule_type == "run_first" and row.get("args"):
        return replace(rule, prefill={name: dict(row["args"])})
    return rule


def _choices(rule: Rule, state: RuleState) -> tuple[str, ...] | None:
    """Return the only tools this rule lets through now, or None when it does not narrow."""
    if rule.type == "run_first" and not state.called:
        return tuple(first.tool_name for first in state.of_type("run_first"))
    if state.last != rule.tool_name:
        return None
    if rule.type in ("constrain_child_tools", "parent_last_tool"):
        return rule.children
    if rule.type == "conditional":
        return _mapped(rule, state.called[-1][1])
    return None


def _refuses(rule: Rule, state: RuleState, name: str) -> bool:
    choices = _choices(rule, state)
    return (choices is not None and name not in choices) or name in _barred(rule, state)


def _mapped(rule: Rule, returned: str) -> tuple[str, ...] | None:
    for output, child in rule.outputs:
        if _same_output(output, returned):
            return (child,)
    if rule.default_child:
        return (rule.default_child,)
    return () if rule.must_match else None


def _same_output(expected: str, returned: str) -> bool:
    text = returned.strip()
    return expected == text or expected.lower() == text.strip('"').lower()


def _barred(rule: Rule, state: RuleState) -> tuple[str, ...]:
    """Return the tools this rule keeps out now."""
    if rule.type == "parent_last_tool" and state.last != rule.tool_name:
        return rule.children
    if rule.type == "max_count_per_step":
        count = sum(name == rule.tool_name for name, _ in state.called)
        return (rule.tool_name,) if count >= rule.limit else ()
    return ()


def _children(rule: Rule) -> str:
    return ", ".join(rule.children)


def _conditional_sentence(rule: Rule) -> str:
    cases = "; ".join(f"on {output!r} call {child}" for output, child in rule.outputs)
    default = f"; otherwise call {rule.default_child}" if rule.default_child else ""
    return f"After {rule.tool_name}, go by what it returned: {cases}{default}."


_SENTENCES: dict[str, Callable[[Rule], str]] = {
    "run_first": lambda rule: f"Start every turn with {rule.tool_name}.",
    "exit_loop": lambda rule: f"{rule.tool_name} ends your turn.",
    "continue_loop": lambda rule: f"After {rule.tool_name} you go on with another call.",
    "constrain_child_tools": lambda rule: (
        f"Right after {rule.tool_name} call one of: {_children(rule)}."
    ),
    "parent_last_tool": lambda rule: f"Call {_children(rule)} only right after {rule.tool_name}.",
    "conditional": _conditional_sentence,
    "max_count_per_step": lambda rule: (
        f"Call {rule.tool_name} at most {rule.limit} times in a turn."
    ),
}
