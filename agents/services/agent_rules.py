"""Tool rules of an agent: those it starts with, and the one that asks for approval."""

import json

from agents.engine.strategies import Strategy, base_rules, wants_base_rules
from agents.engine.tool_rules import parse_rules
from agents.models import Tool
from agents.types import Json

BASE_TYPES = (
    "letta_core",
    "letta_memory_core",
    "letta_sleeptime_core",
    "letta_voice_sleeptime_core",
    "letta_multi_agent_core",
)
APPROVAL = "requires_approval"


def first_rules(
    tools: list[Tool],
    handle: str,
    strategy: Strategy,
    wish: tuple[tuple[Json, ...] | None, bool | None],
) -> list[Json]:
    """Return the rules of a new agent. `wish`: the rules its creator gave, and whether it wants
    the stock ones, None being its type's habit. Raises Invalid on a rule that says nothing."""
    given, include = wish
    rules = list(given or ())
    if include is None:
        include = given is None and wants_base_rules(strategy, model=handle)
    if include:
        stock = base_rules(tool.name for tool in tools if tool.tool_type in BASE_TYPES)
        ruled = {(rule.get("tool_name"), rule.get("type")) for rule in rules}
        rules += [rule for rule in stock if (rule["tool_name"], rule["type"]) not in ruled]
    rules += [approval_rule(tool.name) for tool in tools if tool.default_requires_approval]
    return distinct_rules(rules)


def distinct_rules(rules: list[Json]) -> list[Json]:
    """Return the rules, a repeated one once. Raises Invalid when one cannot be understood."""
    parse_rules(rules)
    return list({json.dumps(rule, sort_keys=True): rule for rule in rules}.values())


def approval_rule(tool_name: str) -> Json:
    """Return the rule that a call of this tool waits for a person."""
    return {"tool_name": tool_name, "type": APPROVAL}
