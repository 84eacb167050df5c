"""Pages without a browser: what they cost, what they refuse, and whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from agents.ade.pages import workspace_context
from agents.models import Agent
from agents.sandbox import walls
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from agents.services.archives import own_archive
from letta_site.core.types import Actor
from memory.models import Block
from memory.services.blocks import update_block
from memory.services.passages import PassageDraft, insert_passages

pytestmark = pytest.mark.django_db

MAX_QUERIES = 15


@pytest.fixture
def agent(owner: Actor) -> Agent:
    blocks = ({"label": "human", "value": "Name: Ada"}, {"label": "persona", "value": "Sam"})
    return create_agent(owner, AgentDraft(model=ModelWish(handle="letta/demo"), blocks=blocks))


@pytest.fixture
def human(agent: Agent) -> Block:
    block: Block = agent.blocks.get(label="human")
    return block


def post(path: str, **fields: Any) -> Any:
    return Client().post(path, fields)


def post_htmx(path: str, **fields: Any) -> Any:
    return Client(headers={"HX-Request": "true"}).post(path, fields)


def test_a_workspace_costs_few_queries(owner: Actor, agent: Agent) -> None:
    drafts = [PassageDraft(f"passage {n}") for n in range(30)]
    insert_passages(owner, archive_id=own_archive(owner, agent.id).id, rows=drafts)
    request = RequestFactory().get(f"/agents/{agent.id}")
    request.actor = owner  # type: ignore[attr-defined]
    request.session = {}  # type: ignore[assignment]
    with CaptureQueriesContext(connection) as queries:
        context = workspace_context(request, agent.id)
        html = render_to_string("agents/workspace.html", context, request)

    assert len(queries) <= MAX_QUERIES
    assert len(html.encode()) <= 100 * 1024
    for forbidden in ("style=", "onclick=", "hx-on", "javascript:", "<style"):
        assert forbidden not in html


def test_pages_of_nothing_are_404(owner: Actor, agent: Agent) -> None:
    client = Client()
    for path in ("/agents/agent-x", "/agents/agent-x/delete", "/blocks/x", "/blocks/x/history"):
        assert client.get(path).status_code == 404, path
    posts = ("/agents/x/blocks", "/agents/x/settings", "/agents/x/about", "/blocks/x/save")
    for path in posts:
        fields = {"name": "x", "label": "x", "limit": "5", "version": "1"}
        assert post(path, **fields).status_code == 404, path
    passage = f"/agents/{agent.id}/passages/passage-x/delete"
    assert post(passage).status_code == 404


def test_pages_of_others_are_404(stranger: Actor, owner: Actor) -> None:
    theirs = create_agent(stranger, AgentDraft(model=ModelWish(handle="letta/demo")))

    assert Client().get(f"/agents/{theirs.id}").status_code == 404
    assert theirs.name not in Client().get("/agents").content.decode()


def test_a_stale_save_is_refused_and_nothing_is_lost(owner: Actor, human: Block) -> None:
    update_block(owner, human.id, changes={"value": "theirs"})
    answer = post_htmx(f"/blocks/{human.id}/save", value="mine", version="1")

    assert answer.status_code == 409
    page = answer.content.decode()
    assert ">mine</textarea>" in page
    assert 'name="version" value="2"' in page
    human.refresh_from_db()
    assert human.value == "theirs"


@pytest.mark.parametrize("version", ["", "x", "-1", "²", "9" * 30])
def test_a_save_with_a_broken_version_is_refused(human: Block, version: str) -> None:
    assert post_htmx(f"/blocks/{human.id}/save", value="x", version=version).status_code in (
        409,
        422,
    )


def test_a_text_over_the_limit_comes_back(owner: Actor, human: Block) -> None:
    update_block(owner, human.id, changes={"limit": 20})
    answer = post_htmx(f"/blocks/{human.id}/save", value="x" * 21, version="2")

    assert answer.status_code == 422
    assert "x" * 21 in answer.content.decode()
    assert "too long" in answer.content.decode()


def test_the_page_to_return_to_is_never_another_site(human: Block) -> None:
    answer = post(f"/blocks/{human.id}/save", value="x", version="1", next="https://evil.invalid/")

    assert answer.status_code == 302
    assert answer["Location"] == f"/blocks/{human.id}"


def test_settings_keep_what_the_form_does_not_show(agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(
        model_settings={"provider_type": "letta", "temperature": 0.5}
    )
    fields = {"model": "letta/demo", "context_window_limit": "9000", "max_output_tokens": "300"}
    assert post_htmx(f"/agents/{agent.id}/settings", **fields).status_code == 200

    agent.refresh_from_db()
    assert agent.model_settings == {"provider_type": "letta", "max_output_tokens": 300}
    assert agent.context_window_limit == 9000


@pytest.mark.parametrize("before", ["", "x", "²", "-1", "0", "9" * 40])
def test_any_number_may_be_asked_for(agent: Agent, before: str) -> None:
    for path in (f"/agents/{agent.id}", f"/agents/{agent.id}/messages/older"):
        assert Client().get(path, {"before": before}).status_code == 200


def test_search_takes_any_text(agent: Agent) -> None:
    client = Client(headers={"HX-Request": "true"})
    for words in ('"', "a OR", "*", "NEAR(", "\x00", "é" * 300):
        assert client.get(f"/agents/{agent.id}/passages", {"passages": words}).status_code == 200
        assert client.get("/agents", {"q": words, "tag": words}).status_code == 200


def test_a_form_without_its_token_is_refused(agent: Agent) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"/agents/{agent.id}/stop").status_code == 403


def test_every_page_warns_of_tools_without_a_sandbox(
    client: Client, agent: Agent, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_warned_of(path: str) -> bool:
        return b'class="alarm" role="alert"' in client.get(path, follow=True).content

    settings.UNSAFE_TOOLS = True
    monkeypatch.setattr(walls, "_found", lambda _: walls.Walls(("landlock", "seccomp")))
    assert not is_warned_of("/")
    monkeypatch.setattr(walls, "_found", lambda _: None)
    assert is_warned_of("/")
    assert is_warned_of(f"/agents/{agent.id}")
    settings.UNSAFE_TOOLS = False
    assert not is_warned_of("/")
