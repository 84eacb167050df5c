"""Agents over REST."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent, Conversation, Message
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from letta_site.core.types import Actor
from memory.models import Archive, Block, SearchEntry
from tests.app.conftest import Api

pytestmark = pytest.mark.django_db

AGENT_KEYS = set(
    "id name agent_type system description metadata llm_config embedding_config model embedding "
    "model_settings compaction_settings response_format memory blocks tools sources tags "
    "tool_exec_environment_variables secrets project_id template_id base_template_id deployment_id "
    "entity_id identity_ids identities pending_approval message_buffer_autoclear enable_sleeptime "
    "multi_agent_group managed_group last_run_completion last_run_duration_ms last_stop_reason "
    "timezone max_files_open per_file_view_window_char_limit hidden tool_rules message_ids "
    "created_at updated_at created_by_id last_updated_by_id".split()
)
CONFIG_KEYS = set(
    "context_window model compatibility_type display_name effort enable_reasoner frequency_penalty "
    "handle max_reasoning_tokens max_tokens parallel_tool_calls provider_category provider_name "
    "put_inner_thoughts_in_kwargs reasoning_effort response_format return_logprobs "
    "return_token_ids strict temperature tier tool_call_parser top_logprobs verbosity "
    "model_endpoint_type model_endpoint model_wrapper".split()
)
BLOCK_KEYS = set(
    "value id base_template_id created_by_id deployment_id description entity_id hidden "
    "is_template label last_updated_by_id limit metadata preserve_on_migration project_id "
    "read_only tags template_id template_name".split()
)
UNKNOWN = "agent-00000000-0000-4000-8000-000000000000"


def create(api: Api, **body: Any) -> Any:
    response = api.send("POST", "/v1/agents/", {"model": "letta/demo", **body})
    assert response.status_code == 200, response.content
    return response.json()


def refusal(api: Api, **body: Any) -> tuple[int, str]:
    response = api.send("POST", "/v1/agents/", {"model": "letta/demo", **body})
    return response.status_code, response.json()["detail"]


def test_an_agent_has_the_keys_of_both_eras(api: Api) -> None:
    agent = create(api, memory_blocks=[{"label": "human", "value": "Bob"}])
    assert set(agent) == AGENT_KEYS
    assert set(agent["llm_config"]) == CONFIG_KEYS
    assert set(agent["blocks"][0]) == BLOCK_KEYS | {"name", "version"}  # `name`: old; ours
    assert agent["memory"]["blocks"] == agent["blocks"]
    assert agent["multi_agent_group"] is agent["managed_group"] is None


def test_what_is_left_out_is_filled_in(api: Api) -> None:
    agent = create(api)
    assert agent["agent_type"] == "letta_v1_agent"
    assert agent["name"].isalpha() and agent["name"][0].isupper()
    assert (agent["timezone"], agent["message_buffer_autoclear"]) == ("UTC", False)
    assert (agent["blocks"], agent["tags"], agent["tool_rules"]) == ([], [], [])
    names = {tool["name"] for tool in agent["tools"]}
    assert names == {"conversation_search", "memory_replace", "memory_insert"}
    assert agent["compaction_settings"]["mode"] == "sliding_window"
    assert agent["embedding"] is agent["embedding_config"] is None


def test_the_history_begins_with_the_system_message(api: Api) -> None:
    agent = create(api, memory_blocks=[{"label": "human", "value": "Bob likes tea."}])
    (message,) = api.get(f"/v1/agents/{agent['id']}/messages").json()
    assert message["message_type"] == "system_message"
    assert "Bob likes tea." in message["content"]
    assert agent["message_ids"] == [message["id"]]
    assert Conversation.objects.get().is_default


@pytest.mark.parametrize(
    ("agent_type", "types"),
    [
        (
            "memgpt_v2_agent",
            ["system_message", "reasoning_message", "assistant_message", "user_message"],
        ),
        ("sleeptime_agent", ["system_message"]),
        ("react_agent", ["system_message", "assistant_message", "user_message"]),
    ],
)
def test_a_type_has_its_own_beginning(api: Api, agent_type: str, types: list[str]) -> None:
    agent = create(api, agent_type=agent_type)
    messages = api.get(f"/v1/agents/{agent['id']}/messages").json()
    assert [message["message_type"] for message in messages] == types


def test_a_given_beginning_replaces_the_usual_one(api: Api) -> None:
    seed = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    agent = create(api, agent_type="memgpt_v2_agent", initial_message_sequence=seed)
    messages = api.get(f"/v1/agents/{agent['id']}/messages").json()
    assert [message.get("content") for message in messages[1:]] == ["Hi.", "Hello."]


def test_everything_that_can_be_given(api: Api, owner: Actor) -> None:
    block = Block.objects.create(org_id=owner.org_id, label="notes", value="n")
    agent = create(
        api,
        name="Søren's agent_2",
        description="d",
        system="Be brief.",
        block_ids=[block.id],
        memory_blocks=[{"label": "human", "value": "Bob"}],
        tools=["archival_memory_search"],
        include_base_tools=False,
        tags=["b", "a", "b"],
        secrets={"KEY": "value"},
        timezone="Europe/Oslo",
        context_window_limit=16000,
        metadata={"x": [1]},
        embedding="openai/text-embedding-3-small",
        model_settings={"provider_type": "openai", "temperature": 0.2, "max_output_tokens": 99},
    )
    assert [one["label"] for one in agent["blocks"]] == ["human", "notes"]
    assert [tool["name"] for tool in agent["tools"]] == ["archival_memory_search"]
    assert agent["tags"] == ["b", "a"]
    assert agent["secrets"] == agent["tool_exec_environment_variables"]
    assert (agent["secrets"][0]["key"], agent["secrets"][0]["value"]) == ("KEY", "value")
    assert (agent["llm_config"]["context_window"], agent["max_files_open"]) == (16000, 5)
    assert (agent["llm_config"]["temperature"], agent["llm_config"]["max_tokens"]) == (0.2, 99)
    assert agent["embedding_config"]["embedding_dim"] == 1536
    assert agent["metadata"] == {"x": [1]}


def test_an_old_style_config_names_the_model(api: Api) -> None:
    config = {"model": "demo", "model_endpoint_type": "letta", "context_window": 9000}
    agent = create(api, model=None, llm_config=config)
    assert (agent["model"], agent["llm_config"]["context_window"]) == ("letta/demo", 9000)


def test_a_subagent_is_hidden(api: Api) -> None:
    assert create(api, tags=["role:subagent"])["hidden"] is True


def test_repeated_rules_collapse_and_approval_is_added(api: Api) -> None:
    rule = {"type": "exit_loop", "tool_name": "memory_insert"}
    agent = create(api, tool_rules=[rule, rule])
    assert agent["tool_rules"] == [{"tool_name": "memory_insert", "type": "exit_loop"}]


def test_stock_rules_of_the_type(api: Api) -> None:
    rules = create(api, agent_type="memgpt_v2_agent")["tool_rules"]
    assert {"tool_name": "send_message", "type": "exit_loop"} in rules
    assert (
        create(api, agent_type="memgpt_v2_agent", include_base_tool_rules=False)["tool_rules"] == []
    )


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"model": None}, 400, "Must specify either model or llm_config"),
        ({"model": "gpt"}, 400, "provider/model-name"),
        ({"model": "nope/x"}, 404, "Handle nope/x not found, must be one of"),
        ({"model": ""}, 404, "Handle"),
        ({"embedding": "nope/x"}, 400, "Embedding model nope/x not found"),
        ({"name": "a/b"}, 400, "invalid characters"),
        ({"name": ""}, 400, "empty"),
        ({"name": "x" * 201}, 400, "200"),
        ({"tools": ["nope"]}, 400, "Tools not found by name"),
        ({"tool_ids": ["tool-x"]}, 400, "Tools not found by id"),
        ({"block_ids": ["block-x"]}, 404, "block-x"),
        ({"memory_blocks": [{"label": "a", "value": ""}] * 2}, 400, "one block of each label"),
        ({"memory_blocks": [{"label": "a", "value": "xx", "limit": 1}]}, 422, "limit"),
        ({"memory_blocks": [{"value": "a"}]}, 422, "label"),
        ({"agent_type": "wizard"}, 422, "agent_type"),
        ({"tags": "x"}, 422, "tags"),
        ({"tags": ["x" * 201]}, 400, "tag"),
        ({"context_window_limit": 0}, 400, "at least 1"),
        ({"context_window_limit": 10**12}, 400, "context_window_limit"),
        ({"timezone": "x" * 65}, 400, "timezone"),
        ({"tool_rules": [{"type": "nope", "tool_name": "x"}]}, 422, "tool_rules"),
        ({"tool_rules": [{"type": "max_count_per_step", "tool_name": "x"}]}, 400, "not complete"),
    ],
)
def test_what_cannot_be_made(api: Api, body: dict[str, Any], status: int, text: str) -> None:
    found, detail = refusal(api, **body)
    assert (found, text in detail) == (status, True), detail
    assert not Agent.objects.exists()
    assert not Block.objects.exists()


def test_unknown_keys_are_ignored_and_odd_text_is_stored(api: Api) -> None:
    agent = create(
        api, nonsense=1, description="a\x00b", tags=["t" * 200] + [str(n) for n in range(3000)]
    )
    assert agent["description"] == "ab"
    assert len(agent["tags"]) == 3001


def test_changing_an_agent(api: Api) -> None:
    agent = create(api, tags=["old"], memory_blocks=[{"label": "human", "value": "Bob"}])
    changes = {"name": "New", "tags": [], "description": None, "tool_ids": [], "block_ids": []}
    response = api.send("PATCH", f"/v1/agents/{agent['id']}", changes)
    after = response.json()
    assert set(after) == AGENT_KEYS
    assert (after["name"], after["tags"], after["tools"], after["blocks"]) == ("New", [], [], [])
    assert after["system"] == agent["system"]
    assert after["updated_at"] > agent["updated_at"]


def test_a_new_system_text_is_compiled_at_once(api: Api) -> None:
    agent = create(api)
    api.send("PATCH", f"/v1/agents/{agent['id']}", {"system": "Only rhymes."})
    (message,) = api.get(f"/v1/agents/{agent['id']}/messages").json()
    assert message["content"].startswith("Only rhymes.")
    assert message["id"] == agent["message_ids"][0]


def test_changing_the_model_keeps_settings_and_window_alone_is_enough(api: Api) -> None:
    agent = create(api, model_settings={"provider_type": "openai", "temperature": 0.1})
    after = api.send("PATCH", f"/v1/agents/{agent['id']}", {"model": "openai/gpt-4o-mini"}).json()
    assert (after["model"], after["llm_config"]["context_window"]) == ("openai/gpt-4o-mini", 128000)
    assert after["model_settings"]["temperature"] == 0.1
    after = api.send("PATCH", f"/v1/agents/{agent['id']}", {"context_window_limit": 5000}).json()
    assert (after["model"], after["llm_config"]["context_window"]) == ("openai/gpt-4o-mini", 5000)
    refused = api.send("PATCH", f"/v1/agents/{agent['id']}", {"model": "nope/x"})
    assert refused.status_code == 404


def test_deleting_takes_everything_along(api: Api, owner: Actor) -> None:
    agent = create(api, agent_type="memgpt_v2_agent")
    archive = Archive.objects.create(org_id=owner.org_id, name="a")
    Agent.objects.get().archives.add(archive)
    assert SearchEntry.objects.exists()
    response = api.send("DELETE", f"/v1/agents/{agent['id']}")
    assert response.json() == {"message": f"Agent id={agent['id']} successfully deleted"}
    assert not any(rows.objects.exists() for rows in (Agent, Message, SearchEntry, Archive))
    assert api.send("DELETE", f"/v1/agents/{agent['id']}").status_code == 404


def test_a_shared_archive_outlives_one_of_its_agents(api: Api, owner: Actor) -> None:
    archive = Archive.objects.create(org_id=owner.org_id, name="a")
    agents = [create(api), create(api)]
    for agent in agents:
        Agent.objects.get(pk=agent["id"]).archives.add(archive)
    api.send("DELETE", f"/v1/agents/{agents[0]['id']}")
    assert Archive.objects.exists()


ROUTES = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("GET", "/context"),
    ("GET", "/tools"),
    ("GET", "/messages"),
    ("POST", "/recompile"),
    ("POST", "/system-prompt/recompile"),
    ("PATCH", "/reset-messages"),
    ("PATCH", "/tools/attach/tool-00000000-0000-4000-8000-000000000000"),
    ("PATCH", "/tools/detach/tool-00000000-0000-4000-8000-000000000000"),
    ("PATCH", "/tools/approval/memory_insert?requires_approval=true"),
    ("POST", "/summarize"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_stranger_finds_nothing(api: Api, stranger: Actor, method: str, path: str) -> None:
    theirs = create_agent(stranger, AgentDraft(ModelWish("letta/demo")))
    for agent_id in (theirs.id, UNKNOWN):
        body = {} if method != "GET" else None
        response = api.send(method, f"/v1/agents/{agent_id}{path}", body)
        assert response.status_code == 404, (path, response.content)


def test_a_malformed_id_is_refused_before_any_look_up(api: Api) -> None:
    response = api.get("/v1/agents/agent-1/context")
    assert response.status_code == 422
    assert response.json()["examples"] == ["agent-123e4567-e89b-42d3-8456-426614174000"]


def test_reset_empties_the_window_only(api: Api) -> None:
    agent = create(api, agent_type="memgpt_v2_agent")
    path = f"/v1/agents/{agent['id']}"
    after = api.send("PATCH", f"{path}/reset-messages").json()
    assert after["message_ids"] == agent["message_ids"][:1]
    assert len(api.get(f"{path}/messages").json()) == len(agent["message_ids"])
    after = api.send("PATCH", f"{path}/reset-messages?add_default_initial_messages=true").json()
    assert len(after["message_ids"]) == len(agent["message_ids"])
    body = {"add_default_initial_messages": False}
    after = api.send("PATCH", f"{path}/reset-messages", body).json()
    assert len(after["message_ids"]) == 1


def test_recompiling_returns_the_prompt(api: Api) -> None:
    agent = create(api, system="Short.")
    path = f"/v1/agents/{agent['id']}"
    Agent.objects.update(system="Changed.")
    assert api.send("POST", f"{path}/recompile?dry_run=true").json().startswith("Changed.")
    assert api.get(f"{path}/messages").json()[0]["content"].startswith("Short.")
    assert api.send("POST", f"{path}/recompile").json().startswith("Changed.")
    assert api.get(f"{path}/messages").json()[0]["content"].startswith("Changed.")


def test_what_fills_the_window(api: Api) -> None:
    agent = create(
        api, agent_type="memgpt_v2_agent", memory_blocks=[{"label": "human", "value": "B"}]
    )
    found = api.get(f"/v1/agents/{agent['id']}/context").json()
    assert found["num_messages"] == len(found["messages"]) == len(agent["message_ids"])
    parts = ("system", "core_memory", "summary_memory", "functions_definitions", "messages")
    parts += ("tool_usage_rules", "external_memory_summary")
    assert (
        sum(found[f"num_tokens_{name}"] for name in parts) == found["context_window_size_current"]
    )
    assert "<memory_blocks>" in found["core_memory"]
    assert "<tool_usage_rules>" in found["tool_usage_rules"]
    assert len(found["functions_definitions"]) == len(agent["tools"])
    message = found["messages"][1]
    assert message["tool_calls"][0]["function"]["name"] == "send_message"


def test_a_preview_shows_the_request_and_stores_nothing(api: Api) -> None:
    agent = create(api)
    path = f"/v1/agents/{agent['id']}/messages/preview-raw-payload"
    body = api.send("POST", path, {"messages": [{"role": "user", "content": "hi"}]}).json()
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert {tool["function"]["name"] for tool in body["tools"]} >= {"memory_insert"}
    assert Message.objects.count() == 1
