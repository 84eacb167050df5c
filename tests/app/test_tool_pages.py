"""The pages of tools without a browser: writing, trying, attaching, versions, whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncClient, Client

from agents.models import Agent, Tool
from agents.sandbox import walls
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from agents.services.tool_schema import problems_in
from agents.services.tools import ToolDraft, save_tool
from letta_site.core.types import Actor
from tests.app.posting import play

pytestmark = pytest.mark.django_db(transaction=True)

SOURCE = '''def add(a: int, b: int = 2) -> int:
    """Add numbers.

    Args:
        a: The one.
        b: The other.
    """
    print("adding")
    return a + b
'''
FIELDS = {"return_char_limit": "5000", "source_type": "python"}


@pytest.fixture
def tool(owner: Actor) -> Tool:
    return save_tool(owner, ToolDraft(SOURCE, fields={"tags": ["sums"]}))


@pytest.fixture
def agent(owner: Actor) -> Agent:
    return create_agent(owner, AgentDraft(model=ModelWish(handle="letta/demo"), name="counter"))


def page_of(path: str) -> str:
    answer = Client().get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def post(path: str, **fields: Any) -> Any:
    return Client().post(path, {**FIELDS, **fields})


def run(path: str, **fields: Any) -> Any:
    return play(lambda: AsyncClient().post(path, {**FIELDS, **fields}))


def test_the_library_is_searched_and_filtered_by_address(tool: Tool) -> None:
    assert ">add<" in page_of("/tools?q=numbers&type=custom&tag=sums")
    assert "No tool matches." in page_of("/tools?q=nothing-like-this")
    assert ">add<" not in page_of("/tools?tag=other")
    assert ">add<" not in page_of("/tools?type=builtin")


def test_the_library_says_what_a_custom_tool_is_when_there_is_none(owner: Actor) -> None:
    assert "No custom tools yet" in page_of("/tools?type=custom")


def test_a_tool_is_created_without_javascript(owner: Actor) -> None:
    answer = post("/tools/new", source_code=SOURCE, tags="a, b", pip_requirements="six==1.16")
    row = Tool.objects.get(name="add")
    assert answer.headers["Location"] == f"/tools/{row.id}"
    assert row.tags == ["a", "b"]
    assert row.pip_requirements == [{"name": "six", "version": "1.16"}]


def test_a_refused_source_comes_back_with_the_error(owner: Actor) -> None:
    answer = post("/tools/new", source_code="def f(a):\n    return a", tags="kept")
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "missing docstring" in text
    assert 'value="kept"' in text
    assert not Tool.objects.filter(name="f").exists()


def test_a_new_tool_does_not_replace_one_of_its_name(tool: Tool) -> None:
    answer = post("/tools/new", source_code=SOURCE.replace("a + b", "a - b"))
    assert "There is a tool named add already." in answer.content.decode()
    tool.refresh_from_db()
    assert "a + b" in (tool.source_code or "")


def test_limits_are_said_beside_their_field(tool: Tool) -> None:
    answer = post(f"/tools/{tool.id}", source_code=SOURCE, return_char_limit="0")
    assert answer.status_code == 422
    assert "tool-return_char_limit_error" in answer.content.decode()


def test_saving_changes_source_grants_and_description(tool: Tool) -> None:
    source = SOURCE.replace("Add numbers.", "Sum them.")
    fields = {"source_code": source, "version": "1", "grants": ["network"], "tags": ""}
    assert post(f"/tools/{tool.id}", **fields).status_code == 302
    tool.refresh_from_db()
    assert (tool.description, tool.tags) == ("Sum them.", [])
    assert (tool.metadata or {})["grants"] == ["network"]


def test_a_save_over_somebody_elses_is_asked_about_first(owner: Actor, tool: Tool) -> None:
    save_tool(owner, ToolDraft(SOURCE.replace("a + b", "b + a")))
    mine = SOURCE.replace("a + b", "sum((a, b))")
    answer = post(f"/tools/{tool.id}", source_code=mine, version="1")
    assert answer.status_code == 422
    assert "Version 2 of this tool was saved while you wrote." in answer.content.decode()
    assert "sum((a, b))" in answer.content.decode()
    assert post(f"/tools/{tool.id}", source_code=mine, version="2").status_code == 302


def test_problems_name_their_lines() -> None:
    two = 'def f(\n    a,\n    b: int,\n):\n    """Do.\n\n    Args:\n        a: One.\n    """\n'
    assert [one.line for one in problems_in(two)] == [2, 3]
    assert problems_in("def f(:\n")[0].line == 1
    assert problems_in("x = 1")[0].text == "No functions found in source code"
    assert problems_in(SOURCE) == []


def test_the_source_is_checked_as_it_is_written(owner: Actor) -> None:
    text = post("/tools/check", source_code="def f(a: int):\n    '''Do.'''").content.decode()
    assert 'data-line="1"' in text
    text = post("/tools/check", source_code=SOURCE, **{"arg-a": "7"}).content.decode()
    assert 'name="arg-b"' in text
    assert 'value="7"' in text


@pytest.mark.skipif(walls._found("auto") is None, reason="there is no sandbox here")
def test_a_trial_shows_value_output_and_status(tool: Tool) -> None:
    answer = run(f"/tools/{tool.id}/run", source_code=SOURCE, **{"arg-a": "40"})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert ">42</pre>" in text
    assert "adding" in text
    text = run("/tools/new/run", source_code=SOURCE.replace("a + b", "a / 0"), **{"arg-a": "1"})
    assert "ZeroDivisionError" in text.content.decode()


def test_arguments_that_do_not_fit_are_not_run(tool: Tool) -> None:
    answer = run(f"/tools/{tool.id}/run", source_code=SOURCE, **{"arg-a": "many"})
    assert answer.status_code == 422
    assert "arg-a_error" in answer.content.decode()


def test_a_tool_is_attached_and_detached(tool: Tool, agent: Agent) -> None:
    post(f"/tools/{tool.id}/agents", agent_id=agent.id)
    assert agent.tool_links.filter(tool=tool).exists()
    assert "counter" in page_of(f"/tools/{tool.id}/delete")
    post(f"/tools/{tool.id}/agents/{agent.id}/detach")
    assert not agent.tool_links.filter(tool=tool).exists()


def test_an_old_version_is_made_the_newest(tool: Tool) -> None:
    post(f"/tools/{tool.id}", source_code=SOURCE.replace("a + b", "a - b"), tags="x")
    assert "−" in page_of(f"/tools/{tool.id}/versions")
    post(f"/tools/{tool.id}/versions/1")
    tool.refresh_from_db()
    assert (tool.source_code, tool.tags) == (SOURCE, ["sums"])
    assert tool.versions.count() == 3


def test_built_in_tools_are_only_shown(owner: Actor) -> None:
    Client().get("/tools")
    row = Tool.objects.get(name="memory_insert")
    text = page_of(f"/tools/{row.id}")
    assert "new_string" in text
    assert "<textarea" not in text
    assert post(f"/tools/{row.id}/delete").status_code == 404


def test_deleting_takes_the_tool_away(tool: Tool) -> None:
    assert post(f"/tools/{tool.id}/delete").headers["Location"] == "/tools"
    assert not Tool.objects.filter(pk=tool.id).exists()


def test_tools_of_others_are_404(owner: Actor, stranger: Actor) -> None:
    theirs = save_tool(stranger, ToolDraft(SOURCE))
    for part in ("", "/versions", "/delete", "/arguments"):
        assert Client().get(f"/tools/{theirs.id}{part}").status_code == 404, part
    for part in ("", "/agents", "/agents/x/detach", "/versions/1", "/delete"):
        assert post(f"/tools/{theirs.id}{part}", source_code=SOURCE).status_code == 404, part
    assert run(f"/tools/{theirs.id}/run", source_code=SOURCE).status_code == 404
    assert Tool.objects.filter(pk=theirs.id).exists()
