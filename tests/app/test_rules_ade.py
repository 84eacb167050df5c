"""Pages of an agent's tool rules and secrets: forms, the checker, whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents.ade.rule_check import check
from agents.ade.rule_graph import draw
from agents.engine.strategies import strategy_of
from agents.engine.tool_rules import RULE_TYPES, parse_rules
from agents.models import Agent, AgentSecret
from agents.services.rule_edits import key_of

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "hush-4711"
ONE, TWO = "memory_insert", "memory_replace"
ROWS = {"row-TOTAL_FORMS": "3", "row-INITIAL_FORMS": "0"}
FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "run_first": ({"args": '{"label": "human"}'}, {"args": {"label": "human"}}),
    "exit_loop": ({}, {}),
    "continue_loop": ({}, {}),
    "constrain_child_tools": (
        {**ROWS, "row-0-tool": TWO, "row-0-args": '{"label": "human"}'},
        {"children": [TWO], "child_arg_nodes": [{"name": TWO, "args": {"label": "human"}}]},
    ),
    "parent_last_tool": ({"children": [TWO]}, {"children": [TWO]}),
    "conditional": (
        {**ROWS, "row-0-output": "yes", "row-0-tool": TWO, "require_output_mapping": "on"},
        {
            "child_output_mapping": {"yes": TWO},
            "default_child": None,
            "require_output_mapping": True,
        },
    ),
    "max_count_per_step": ({"max_count_limit": "2"}, {"max_count_limit": 2}),
    "required_before_exit": ({}, {}),
    "requires_approval": ({}, {}),
}


def home(agent: dict[str, Any]) -> str:
    return f"/agents/{agent['id']}/rules"


def rules_of(agent: dict[str, Any]) -> list[Any]:
    return list(Agent.objects.get(pk=agent["id"]).tool_rules)


def clear(agent: dict[str, Any], *rules: dict[str, Any]) -> None:
    Agent.objects.filter(pk=agent["id"]).update(tool_rules=list(rules))


def rule(kind: str, name: str = ONE, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "tool_name": name, **fields}


@pytest.mark.parametrize("kind", RULE_TYPES)
def test_a_rule_of_each_type_is_made_by_a_form(agent: dict[str, Any], kind: str) -> None:
    clear(agent)
    typed, stored = FORMS[kind]
    address = f"{home(agent)}/new?type={kind}"
    assert Client().get(address).status_code == 200

    answer = Client().post(address, {"tool_name": ONE, **typed})

    assert (answer.status_code, answer["Location"]) == (302, home(agent))
    assert rules_of(agent) == [rule(kind, **stored)]
    shown = Client().get(home(agent)).content.decode()
    assert f"{home(agent)}/{key_of(rules_of(agent)[0])}" in shown
    form = Client().get(f"{home(agent)}/{key_of(rules_of(agent)[0])}")
    again = Client().post(f"{home(agent)}/{key_of(rules_of(agent)[0])}", _typed_in(form))
    assert again.status_code == 302 and rules_of(agent) == [rule(kind, **stored)]


def _typed_in(page: Any) -> dict[str, Any]:
    """What a browser would send of a form that nobody touched."""
    form = page.context["form"]
    found = {f.html_name: f.value() for f in form if f.value() not in (None, False)}
    if form.rows is not None:
        found |= {f.html_name: f.value() for f in form.rows.management_form}
        found |= {f.html_name: f.value() or "" for row in form.rows for f in row}
    return found


def test_editing_keeps_the_place_and_what_the_form_does_not_show(agent: dict[str, Any]) -> None:
    template = rule("max_count_per_step", max_count_limit=1, prompt_template="mine")
    clear(agent, template, rule("exit_loop"))
    fields = {"tool_name": ONE, "max_count_limit": "3"}
    Client().post(f"{home(agent)}/{key_of(template)}", fields)
    assert rules_of(agent) == [{**template, "max_count_limit": 3}, rule("exit_loop")]


@pytest.mark.parametrize(
    ("kind", "typed", "words"),
    [
        ("run_first", {"args": "{nonsense"}, "not JSON"),
        ("run_first", {"args": "[1]"}, "as an object"),
        ("run_first", {"args": '{"a": NaN}'}, "not JSON"),
        ("max_count_per_step", {"max_count_limit": "0"}, "greater than or equal to 1"),
        ("conditional", {**ROWS, "row-0-output": "yes"}, "which tool is called then"),
        ("conditional", {**ROWS, "row-0-tool": TWO}, "what it returns"),
        ("constrain_child_tools", {**ROWS}, "at least one line"),
        ("constrain_child_tools", {**ROWS, "row-0-args": '{"a": 1}'}, "whose arguments"),
        ("parent_last_tool", {}, "required"),
        ("exit_loop", {"tool_name": "nobody"}, "not one of the available choices"),
    ],
)
def test_bad_rules_come_back_with_their_error(
    agent: dict[str, Any], kind: str, typed: dict[str, Any], words: str
) -> None:
    before = rules_of(agent)
    answer = Client().post(f"{home(agent)}/new?type={kind}", {"tool_name": ONE, **typed})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    if text := typed.get("args"):
        assert answer.context["form"]["args"].value() == text
    assert rules_of(agent) == before


def test_the_same_rule_twice_is_refused(agent: dict[str, Any]) -> None:
    clear(agent, rule("exit_loop"))
    answer = Client().post(f"{home(agent)}/new?type=exit_loop", {"tool_name": ONE})
    assert answer.status_code == 422 and "this rule already" in answer.content.decode()


def test_deleting_twice_is_not_an_error(agent: dict[str, Any]) -> None:
    clear(agent, rule("exit_loop"), rule("continue_loop"))
    address = f"{home(agent)}/{key_of(rule('exit_loop'))}/delete"
    assert [Client().post(address).status_code for _ in range(2)] == [302, 302]
    assert rules_of(agent) == [rule("continue_loop")]


def test_the_checker_plays_a_turn(agent: dict[str, Any]) -> None:
    after = rule("conditional", ONE, child_output_mapping={"yes": TWO}, default_child=None)
    clear(agent, rule("run_first"), after, rule("required_before_exit", TWO))

    def look(query: str = "") -> Any:
        return Client().get(home(agent) + query).context["check"]

    begun = look()
    assert [one.name for one in begun.choices if one.allowed] == [ONE]
    assert next(one for one in begun.choices if one.name == ONE).only
    why = next(one for one in begun.choices if one.name == TWO).because
    assert [str(one) for one in why] == [f"A turn starts with <code>{ONE}</code>."]
    went_on = look(f"?call={ONE}&returned=yes")
    assert [one.name for one in went_on.choices if one.allowed] == [TWO]
    assert went_on.missing == (TWO,)
    refused = look(f"?call={TWO}&returned=x")
    assert refused.calls == () and refused.choices == begun.choices
    other = look(f"?call={ONE}&returned=no&call={TWO}&returned=")
    assert all(one.allowed for one in other.choices) and not other.missing


def test_the_checker_says_when_rules_leave_nothing_and_when_a_turn_ends(
    agent: dict[str, Any],
) -> None:
    clear(agent, rule("run_first", "absent"), rule("exit_loop", TWO))
    assert "leave no tool at all" in Client().get(home(agent)).content.decode()
    ended = Client().get(f"{home(agent)}?call={TWO}").content.decode()
    assert "The turn ends here (tool_rule)" in ended


def test_a_ring_of_rules_is_drawn() -> None:
    rows = [
        rule("constrain_child_tools", "a", children=["b"]),
        rule("constrain_child_tools", "b", children=["a", "a"]),
        rule("exit_loop", "b"),
        rule("run_first", "c"),
        rule("constrain_child_tools", "c", children=["c"]),
    ]
    parsed = parse_rules(rows)
    strategy = strategy_of("letta_v1_agent")
    graph = draw(parsed, check(parsed, ["a", "b", "c"], [], strategy))
    assert graph is not None
    assert {node.name for node in graph.nodes} == {"start", "a", "b", "c", "end"}
    assert len(graph.arrows) == 5
    assert all(node.x + node.width <= graph.width for node in graph.nodes)
    assert draw((), check((), ["a"], [], strategy)) is None


def test_rules_and_secrets_of_others_are_404(foreign_agent: dict[str, Any]) -> None:
    key = key_of(foreign_agent["tool_rules"][0]) if foreign_agent["tool_rules"] else "0" * 16
    base = f"/agents/{foreign_agent['id']}"
    for path in ("rules", "rules/new?type=exit_loop", f"rules/{key}", "secrets"):
        assert Client().get(f"{base}/{path}").status_code == 404, path
    for path in (f"rules/{key}/delete", "secrets", "secrets/delete"):
        fields = {"key": "A", "value": "b"}
        assert Client().post(f"{base}/{path}", fields).status_code == 404, path
    assert not AgentSecret.objects.exists()


def test_unknown_types_and_rules_are_404(agent: dict[str, Any]) -> None:
    for path in ("new?type=nonsense", "new", "0123456789abcdef"):
        assert Client().get(f"{home(agent)}/{path}").status_code == 404, path


# --- secrets ---------------------------------------------------------------------------------


def secrets_page(agent: dict[str, Any]) -> str:
    return f"/agents/{agent['id']}/secrets"


def test_a_secret_is_set_replaced_and_deleted_and_never_shown(agent: dict[str, Any]) -> None:
    address, said = secrets_page(agent), []
    for value in ("first", SECRET):
        said.append(Client().post(address, {"key": "API_KEY", "value": value}, follow=True))
    row = AgentSecret.objects.get()
    assert (row.key, row.value) == ("API_KEY", SECRET)
    said += [Client().get(address), Client().get(f"/agents/{agent['id']}")]
    for headers in ({}, {"HX-Request": "true"}):
        bad = Client(headers=headers).post(address, {"key": "no good", "value": SECRET})
        assert bad.status_code == 422 and "letters, digits" in bad.content.decode()
        assert "no good" in bad.content.decode()
        said.append(bad)
    assert not [one for one in said if SECRET in one.content.decode()]
    assert "API_KEY" in said[2].content.decode()

    assert Client().post(f"{address}/delete", {"key": "API_KEY"}).status_code == 302
    assert not AgentSecret.objects.exists()


def test_the_page_says_which_tools_get_secrets(agent: dict[str, Any], api: Any) -> None:
    assert "None of this agent" in Client().get(secrets_page(agent)).content.decode()
    source = 'def weather() -> str:\n    """Tell the weather."""\n    return ""\n'
    tool = api.send("POST", "/v1/tools/", {"source_code": source}).json()
    api.send("PATCH", f"/v1/agents/{agent['id']}/tools/attach/{tool['id']}")
    shown = Client().get(secrets_page(agent)).content.decode()
    assert "weather" in shown and "as environment variables" in shown
