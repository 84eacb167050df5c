# ruff: noqa: F811 - fixtures of another file are named again as parameters
"""The window under X-rays: what is shown of the next request is what the provider then gets."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from agents.models import Agent, Message, Run, Step
from letta_site.core.clock import now
from tests.app.conftest import Api
from tests.app.posting import send, stream
from tests.app.test_messages import HELLO, agent, make  # noqa: F401
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

DRAFT = {"messages": [{"role": "user", "content": 'Grüß "Bo" \\ \u2028 <memory_blocks> 猫\n'}]}
LONG = "word " * 400


def show(api: Api, agent_id: str, body: Any = None) -> dict[str, Any]:
    response = api.send("POST", f"/v1/agents/{agent_id}/context/request", body or {})
    assert response.status_code == 200, response.content
    shown: dict[str, Any] = response.json()
    return shown


def whole(shown: dict[str, Any]) -> bytes:
    return "".join(one["text"] for one in shown["sections"]).encode()


def of_kind(shown: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in shown["sections"] if one["kind"] == kind]


@pytest.fixture
def lived(api: Api, openai: FakeOpenAI) -> Any:
    """An agent with a past: words, a call with its return, a rule, and odd characters."""
    agent = make(
        api,
        memory_blocks=[
            {"label": "human", "value": "Zoë <human> 1\t"},
            {"label": "a/b", "value": ""},
        ],
        tool_rules=[{"type": "exit_loop", "tool_name": "memory_insert"}],
        system="Be kind.\n\n{CORE_MEMORY}\n\nAlways.",
    )
    note = Call("conversation_search", {"query": "tea"}, "call_1")
    openai.push(Reply("Let me see.", calls=(note,)), "Nothing.", "Hello again.")
    send(agent["id"], HELLO)
    send(agent["id"], HELLO)
    return agent


def test_the_sections_are_the_very_bytes_that_are_sent_next(
    api: Api, lived: Any, openai: FakeOpenAI
) -> None:
    for body, sending in (
        (DRAFT, lambda: send(lived["id"], DRAFT)),
        (
            {**HELLO, "stream_tokens": True},
            lambda: stream(lived["id"], {**HELLO, "stream_tokens": True, "streaming": True}),
        ),
    ):
        shown = show(api, lived["id"], body)
        assert shown["exact"] is True
        sending()
        assert json.loads(whole(shown)) == openai.chats[-1]
        step = Step.objects.order_by("-seq")[0]
        assert hashlib.sha256(whole(shown)).hexdigest() == step.request["sha256"]


def test_nothing_is_stored_or_sent_for_it(api: Api, lived: Any, openai: FakeOpenAI) -> None:
    before = Message.objects.count(), Run.objects.count(), len(openai.chats)
    show(api, lived["id"], DRAFT)
    assert api.get(f"/v1/agents/{lived['id']}/context/request").status_code == 200
    assert (Message.objects.count(), Run.objects.count(), len(openai.chats)) == before


def test_every_part_has_its_label_and_its_tokens(api: Api, lived: Any) -> None:
    shown = show(api, lived["id"], DRAFT)
    assert [one["name"] for one in of_kind(shown, "block")] == ["human", "a/b"]
    assert of_kind(shown, "block")[0]["text"].startswith("<human>\\n<description>")
    for kind in ("instructions", "memory", "tool_rules", "metadata"):
        assert of_kind(shown, kind), kind
    instructions = "".join(one["text"] for one in of_kind(shown, "instructions"))
    assert instructions.startswith("Be kind.") and instructions.endswith("Always.")
    roles = [one["name"] for one in of_kind(shown, "message")]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant", "user"]
    assert all(one["message_id"] for one in of_kind(shown, "message"))
    names = {one["name"] for one in of_kind(shown, "tool")}
    assert names == {tool["name"] for tool in lived["tools"]}
    assert all(one["tokens"] == 0 for one in of_kind(shown, "frame"))
    assert all(one["tokens"] > 0 for one in shown["sections"] if one["kind"] in ("message", "tool"))
    assert shown["tokens"] == sum(one["tokens"] for one in shown["sections"])
    assert shown["tokens"] == pytest.approx(shown["eviction"]["size_tokens"], rel=0.1)


def test_a_picture_counts_as_one_and_not_by_its_bytes(api: Api, lived: Any) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}
    given = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]
    shown = show(api, lived["id"], {"messages": [{"role": "user", "content": given}]})
    assert of_kind(shown, "message")[-1]["tokens"] < 2_000


def test_the_cache_holds_while_a_conversation_only_grows(api: Api, lived: Any) -> None:
    cache = show(api, lived["id"], DRAFT)["cache"]
    assert cache["step_id"] == Step.objects.order_by("-seq")[0].id
    assert (cache["breaks_at"], cache["model_changed"], cache["cold"]) == (None, False, False)
    assert 0 < cache["kept_tokens"] < show(api, lived["id"], DRAFT)["tokens"]


def test_where_the_cache_breaks(api: Api, lived: Any) -> None:
    whole_prefix = show(api, lived["id"])["cache"]["kept_tokens"]
    path = f"/v1/agents/{lived['id']}/core-memory/blocks/human"
    api.send("PATCH", path, {"value": "Zoë moved."})
    cache = show(api, lived["id"])["cache"]
    assert (cache["breaks_at"]["kind"], cache["breaks_at"]["name"]) == ("block", "human")
    assert 0 < cache["kept_tokens"] < whole_prefix
    Agent.objects.update(last_run_completion=now() - timedelta(hours=1))
    assert show(api, lived["id"])["cache"]["cold"] is True


def test_what_if(api: Api, lived: Any) -> None:
    as_is = show(api, lived["id"])
    other = show(api, lived["id"], {"model": "openai/gpt-4.1"})
    assert json.loads(whole(other))["model"] == "gpt-4.1"
    assert (other["cache"]["model_changed"], other["cache"]["kept_tokens"]) == (True, 0)

    fewer = show(api, lived["id"], {"what_if": {"without_tools": ["conversation_search"]}})
    assert fewer["tokens"] < as_is["tokens"]
    assert fewer["cache"]["breaks_at"]["kind"] == "tool"

    shorter = show(api, lived["id"], {"what_if": {"blocks": {"human": "Z"}}})
    assert "Zo\u00eb" not in whole(shorter).decode() and shorter["recompiled"] is True

    instructed = show(api, lived["id"], {"what_if": {"system": "Be brief."}})
    assert of_kind(instructed, "instructions")[0]["text"].startswith("Be brief.")

    limit = as_is["tokens"] // 2
    small = show(api, lived["id"], {"what_if": {"context_window_limit": limit}})
    assert (small["eviction"]["window_tokens"], small["eviction"]["due"]) == (limit, True)
    assert small["exact"] is False
    assert show(api, lived["id"]) == as_is  # and nothing of it has stayed


def test_what_leaves_next_is_what_then_leaves(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, memory_blocks=[], context_window_limit=4_000, include_base_tools=False)
    for n in range(4):
        send(agent["id"], {"input": f"Fact {n}. {LONG}"})
    before = show(api, agent["id"], {"input": LONG})
    assert before["eviction"]["due"] is False
    assert before["eviction"]["left_tokens"] > 0
    ahead = show(api, agent["id"], {"input": LONG * 4})["eviction"]
    assert ahead["due"] is True and ahead["size_tokens"] > ahead["at_tokens"]
    assert ahead["leaving_tokens"] > 0
    send(agent["id"], {"input": LONG * 4})
    (done,) = api.get(f"/v1/agents/{agent['id']}/compactions").json()
    assert done["message_ids"] == ahead["leaving_message_ids"]


def test_a_fresh_agent_has_no_cache_and_a_conversation_its_own(api: Api, lived: Any) -> None:
    fresh = make(api)
    assert show(api, fresh["id"])["cache"] is None
    talk = api.send("POST", f"/v1/conversations/?agent_id={lived['id']}", {}).json()
    shown = show(api, lived["id"], {"conversation_id": talk["id"]})
    assert (shown["conversation_id"], of_kind(shown, "message")) == (talk["id"], [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"what_if": {"blocks": {"nose": "x"}}}, 404),
        ({"conversation_id": "conv-00000000-0000-4000-8000-000000000000"}, 404),
        ({"messages": [{"role": "user", "content": ""}]}, 400),
        ({"what_if": {"context_window_limit": 0}}, 422),
        ({"model": "noslash"}, 400),
    ],
)
def test_what_cannot_be_shown(api: Api, lived: Any, body: Any, status: int) -> None:
    response = api.send("POST", f"/v1/agents/{lived['id']}/context/request", body)
    assert response.status_code == status, response.content


def test_another_organizations_agent_is_not_found(api: Api, foreign_agent: Any) -> None:
    path = f"/v1/agents/{foreign_agent['id']}/context/request"
    assert api.get(path).status_code == api.send("POST", path, {}).status_code == 404


def test_the_overview_shows_memory_as_the_next_run_will(api: Api, lived: Any) -> None:
    block = api.get(f"/v1/agents/{lived['id']}/core-memory/blocks/human").json()
    api.send("PATCH", f"/v1/blocks/{block['id']}", {"value": "Zoë has moved to Oslo."})
    found = api.get(f"/v1/agents/{lived['id']}/context").json()
    assert "Zoë has moved to Oslo." in found["core_memory"]
    assert found["context_window_size_current"] == sum(
        found[f"num_tokens_{name}"]
        for name in (
            "external_memory_summary",
            "system",
            "core_memory",
            "memory_filesystem",
            "tool_usage_rules",
            "directories",
            "summary_memory",
            "functions_definitions",
            "messages",
        )
    )
