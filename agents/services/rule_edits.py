"""Single tool rules of an agent: adding, replacing, removing one."""

import hashlib
import json

from agents.services.agent_changes import edit_rules
from agents.types import Json
from letta_site.core.errors import Conflict
from letta_site.core.types import Actor
from memory.services.storable import storable_json

KEY_CHARS = 16


def key_of(rule: Json) -> str:
    """Return what names a rule among those of its agent: rules have no ids, but none is twice."""
    text = json.dumps(rule, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARS]


def add_rule(actor: Actor, agent_id: str, rule: Json) -> None:
    """Give an agent one more rule. Raises NotFound, Invalid, Conflict when it has it already."""
    new = storable_json(rule)
    edit_rules(actor, agent_id, lambda rules: [*_without_twin(rules, new), new])


def replace_rule(actor: Actor, agent_id: str, key: str, rule: Json) -> None:
    """Put a rule in the place of the one with this key. Raises NotFound, Invalid, Conflict."""
    new = storable_json(rule)

    def edit(rules: list[Json]) -> list[Json]:
        place = _place(rules, key)
        before, after = rules[:place], rules[place + 1 :]
        _without_twin(before + after, new)
        return [*before, new, *after]

    edit_rules(actor, agent_id, edit)


def remove_rule(actor: Actor, agent_id: str, key: str) -> None:
    """Take a rule from an agent. Raises NotFound, Conflict when it is not there any more."""

    def edit(rules: list[Json]) -> list[Json]:
        place = _place(rules, key)
        return rules[:place] + rules[place + 1 :]

    edit_rules(actor, agent_id, edit)


def _place(rules: list[Json], key: str) -> int:
    for place, rule in enumerate(rules):
        if key_of(rule) == key:
            return place
    raise Conflict("This rule was changed or removed meanwhile.", todo="Look at the rules anew.")


def _without_twin(rules: list[Json], rule: Json) -> list[Json]:
    if key_of(rule) in map(key_of, rules):
        raise Conflict("The agent has this rule already.")
    return rules
