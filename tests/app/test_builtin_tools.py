"""The toolbox and every built-in tool, called as the loop calls them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.models import Agent, AgentArchive
from agents.services.archives import archive_ids_of, find_own_archive, own_archive
from agents.tools.base import Builtin
from agents.tools.builtin import BUILTIN
from agents.tools.builtin.finding import time_ago
from agents.tools.toolbox import AgentToolBox
from agents.types import ToolCall, ToolContext, ToolOutcome, ToolSpec
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.logic.edits import BlockEdit, BlockView
from memory.services.passages import PassageDraft, insert_passages
from memory.services.search import Entry, index

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BLOCKS = (
    BlockView("b1", "human", "Name: Ada\nCity: Rome"),
    BlockView("b2", "rules", "Be kind.", read_only=True),
)


@pytest.fixture
def agent(owner: Actor) -> Agent:
    return Agent.objects.create(org_id=owner.org_id, name="Sam", model="letta/demo")


def call(
    name: str, agent_id: str = "agent-1", org_id: str = "org-1", **arguments: Any
) -> ToolOutcome:
    context = ToolContext(agent_id, org_id, "conv-1", "Europe/Rome", BLOCKS, NOW)
    box = AgentToolBox(org_id, [tool.spec for tool in BUILTIN.values()])
    return asyncio.run(box.call(ToolCall("call_1", name, "{}"), arguments, context))


def test_every_tool_has_a_description_and_a_whole_schema() -> None:
    for name, tool in BUILTIN.items():
        schema = tool.spec.parameters
        assert (tool.spec.name, schema["type"]) == (name, "object")
        assert tool.spec.description and tool.spec.tool_type.startswith("letta_")
        assert set(schema["required"]) <= set(schema["properties"])
        assert all("description" in rule for rule in schema["properties"].values())


def test_tools_are_of_the_contracts_types() -> None:
    types = {name: tool.spec.tool_type for name, tool in BUILTIN.items()}
    assert types["send_message"] == types["conversation_search"] == "letta_core"
    assert types["core_memory_append"] == types["memory"] == "letta_memory_core"
    assert types["memory_insert"] == types["memory_replace"] == "letta_sleeptime_core"


@pytest.mark.parametrize(
    ("name", "arguments", "text", "edit"),
    [
        (
            "core_memory_append",
            {"label": "human", "content": "Likes: tea"},
            "Name: Ada\nCity: Rome\nLikes: tea",
            ("append", {"content": "Likes: tea"}),
        ),
        (
            "core_memory_replace",
            {"label": "human", "old_content": "Rome", "new_content": "Oslo"},
            "Name: Ada\nCity: Oslo",
            ("replace_all", {"old": "Rome", "new": "Oslo"}),
        ),
        (
            "memory_replace",
            {"label": "human", "old_string": "Rome", "new_string": "Oslo"},
            "The block 'human' now reads:\nName: Ada\nCity: Oslo",
            ("replace_once", {"old": "Rome", "new": "Oslo"}),
        ),
        (
            "memory_insert",
            {"label": "human", "new_string": "x", "insert_line": "1"},
            "The block 'human' now reads:\nName: Ada\nx\nCity: Rome",
            ("insert_line", {"text": "x", "line": 1}),
        ),
        (
            "memory_rethink",
            {"label": "human", "new_memory": "Nothing."},
            "The block 'human' now reads:\nNothing.",
            ("rewrite", {"value": "Nothing."}),
        ),
        (
            "rethink_memory",
            {"target_block_label": "human", "new_memory": "n"},
            "The block 'human' now reads:\nn",
            ("rewrite", {"value": "n"}),
        ),
        (
            "rethink_user_memory",
            {"new_memory": "n"},
            "The block 'human' now reads:\nn",
            ("rewrite", {"value": "n"}),
        ),
        (
            "memory_apply_patch",
            {"label": "human", "patch": "@@\n-City: Rome\n+City: Oslo"},
            "The block 'human' now reads:\nName: Ada\nCity: Oslo",
            ("replace_once", {"old": "City: Rome", "new": "City: Oslo"}),
        ),
        (
            "memory",
            {
                "command": "str_replace",
                "path": "/memories/human",
                "old_string": "Ada",
                "new_string": "Bo",
            },
            "The block 'human' now reads:\nName: Bo\nCity: Rome",
            ("replace_once", {"old": "Ada", "new": "Bo"}),
        ),
        (
            "memory",
            {"command": "insert", "path": "human", "insert_text": "x", "insert_line": 0},
            "The block 'human' now reads:\nx\nName: Ada\nCity: Rome",
            ("insert_line", {"text": "x", "line": 0}),
        ),
        (
            "memory",
            {"command": "rename", "old_path": "/memories/human", "new_path": "/memories/user"},
            "The block 'human' is now called 'user'.",
            ("rename", {"new_label": "user"}),
        ),
        (
            "memory",
            {"command": "rename", "path": "/memories/human", "description": "Them."},
            "The block 'human' has a new description.",
            ("rename", {"description": "Them."}),
        ),
        (
            "memory",
            {"command": "delete", "path": "/memories/human"},
            "The block 'human' is gone from your memory.",
            ("delete", {}),
        ),
    ],
)
def test_memory_tools_answer_and_hand_the_edit_over(
    name: str, arguments: dict[str, Any], text: str, edit: tuple[Any, dict[str, Any]]
) -> None:
    outcome = call(name, **arguments)
    assert (outcome.text, outcome.status) == (text, "success")
    assert outcome.edits == (BlockEdit(edit[0], "human", edit[1]),)


def test_memory_creates_a_block() -> None:
    outcome = call(
        "memory", command="create", path="/memories/plans", file_text="x", description="Plans."
    )
    assert outcome.edits == (BlockEdit("create", "plans", {"value": "x", "description": "Plans."}),)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("memory_insert", {"label": "humam", "new_string": "x"}, "Your blocks: 'human', 'rules'"),
        ("memory_insert", {"label": "rules", "new_string": "x"}, "read-only"),
        ("memory_insert", {"label": "human"}, "'new_string' is missing"),
        ("memory_replace", {"label": "human", "old_string": "1→ N", "new_string": ""}, "line num"),
        ("memory_apply_patch", {"label": "human", "patch": "@@\n same"}, "changes nothing"),
        ("memory", {"command": "create", "path": "/memories/human"}, "already"),
        ("memory", {"command": "create", "path": "/memories/"}, "names no block"),
        ("memory", {"command": "rename", "old_path": "rules", "new_path": "human"}, "already"),
        ("memory", {"command": "insert", "path": "human"}, "also needs 'insert_text'"),
        ("memory", {"command": "explode"}, "one of 'create'"),
        ("core_memory_append", {"label": "rules", "content": "x"}, "read-only"),
        ("core_memory_replace", {"label": "rules", "old_content": "B", "new_content": ""}, "read-"),
        (
            "core_memory_replace",
            {"label": "human", "old_content": "x?", "new_content": ""},
            "not in",
        ),
        ("core_memory_append", {"label": "x", "content": "x"}, "no block 'x'"),
        ("core_memory_append", {"label": "human", "content": "2→ x"}, "line numbers"),
        ("memory_replace", {"label": "human", "old_string": "a", "new_string": ""}, "occurs 2"),
        ("memory_replace", {"label": "human", "old_string": "Bo", "new_string": ""}, "not in the"),
        ("memory_replace", {"label": "rules", "old_string": "Be", "new_string": ""}, "read-only"),
        ("memory_insert", {"label": "human", "new_string": "x", "insert_line": 9}, "no line 9"),
        ("memory_insert", {"label": "human", "new_string": "1→ x"}, "line numbers"),
        ("memory_rethink", {"label": "rules", "new_memory": "x"}, "read-only"),
        ("memory_rethink", {"label": "human", "new_memory": "1→ x"}, "line numbers"),
        ("memory_rethink", {"label": "x", "new_memory": "x"}, "no block 'x'"),
        ("memory_rethink", {"label": "human", "new_memory": "x" * 100_001}, "1 too many"),
        ("rethink_memory", {"target_block_label": "rules", "new_memory": "x"}, "read-only"),
        ("memory_apply_patch", {"label": "rules", "patch": "@@\n-Be kind."}, "read-only"),
        ("memory_apply_patch", {"label": "human", "patch": "@@\n-Zip"}, "not in the block"),
        ("memory_apply_patch", {"label": "human", "patch": "City"}, "starts with none of"),
        ("memory", {"command": "delete", "path": "/memories/rules"}, "read-only"),
        ("memory", {"command": "delete", "path": "/memories/x"}, "no block 'x'"),
        ("memory", {"command": "str_replace", "path": "human"}, "also needs 'old_string'"),
        ("memory", {"command": "str_replace", "path": "human", "old_string": "a"}, "occurs 2"),
        ("memory", {"command": "insert", "path": "rules", "insert_text": "x"}, "read-only"),
        ("memory", {"command": "rename", "old_path": "rules", "new_path": "x"}, "read-only"),
        ("memory", {"command": "rename", "old_path": "x", "new_path": "y"}, "no block 'x'"),
        ("memory", {"command": "rename"}, "also needs 'old_path', 'new_path'"),
        ("archival_memory_insert", {"content": "  "}, "empty"),
        ("archival_memory_search", {"query": "x", "start_datetime": "soon"}, "not a date"),
        ("store_memories", {"chunks": []}, "no chunk"),
        ("no_such_tool", {}, "no tool 'no_such_tool'. Your tools: archival_memory_insert"),
    ],
)
def test_failure_is_an_outcome_the_model_can_read(
    name: str, arguments: dict[str, Any], told: str
) -> None:
    outcome = call(name, **arguments)
    assert outcome.status == "error" and outcome.edits == ()
    assert outcome.text.startswith("Error: ") and told in outcome.text


def test_tools_without_an_answer() -> None:
    assert call("send_message", message="hi").text == "Sent message successfully."
    assert call("memory_finish_edits").text == "None"
    assert call("finish_rethinking_memory").text == "None"


def test_text_that_no_database_keeps_is_cleaned() -> None:
    (edit,) = call("core_memory_append", label="human", content="a\0b\ud800").edits
    assert edit.args["content"] == "a\ufffdb\ufffd"


@pytest.mark.django_db(transaction=True)
def test_notes_are_handed_over_with_their_tags() -> None:
    outcome = call("archival_memory_insert", content=" code ", tags=["a", "a", " ", "b"])
    (note,) = outcome.passages
    assert (note.text, note.tags, outcome.text) == ("code", ("a", "b"), "None")
    chunks = [{"start_index": 0, "end_index": "2", "context": "About tea."}]
    (memory,) = call("store_memories", chunks=chunks).passages
    assert memory.text == "About tea."


def only(spec: ToolSpec) -> ToolOutcome:
    context = ToolContext("agent-1", "org-1", "conv-1", "UTC", BLOCKS, NOW)
    return asyncio.run(
        AgentToolBox("org-1", [spec]).call(ToolCall("c", spec.name, ""), {}, context)
    )


@pytest.mark.django_db(transaction=True)
def test_a_tool_whose_server_is_gone_says_so() -> None:
    outcome = only(ToolSpec("roll_dice", "", {}, "external_mcp"))
    assert outcome.status == "error"
    assert "no longer there" in outcome.text


@pytest.mark.django_db(transaction=True)
def test_custom_tool_is_not_mistaken_for_a_builtin_of_its_name() -> None:
    outcome = only(ToolSpec("send_message", "", {}, "custom"))
    assert (outcome.status, "no source code" in outcome.text) == ("error", True)


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, run: Any, limit: int = 10) -> ToolOutcome:
    spec = ToolSpec(name, "", {}, "letta_core", return_limit_chars=limit)
    monkeypatch.setitem(BUILTIN, name, Builtin(spec, run))
    return only(spec)


async def _long(_arguments: Any, _context: Any) -> ToolOutcome:
    return ToolOutcome("x" * 25)


async def _endless(_arguments: Any, _context: Any) -> ToolOutcome:
    await asyncio.sleep(60)
    return ToolOutcome("never")


def test_long_return_is_cut_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    text = stand_in(monkeypatch, "probe", _long).text
    assert text.startswith("x" * 10 + "... [NOTE: ") and "15 more" in text
    assert stand_in(monkeypatch, "conversation_search", _long).text == "x" * 25


def test_slow_tool_is_stopped(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.TOOL_TIMEOUT_S = 0.01
    outcome = stand_in(monkeypatch, "probe", _endless)
    assert outcome.status == "error" and "0.01 seconds" in outcome.text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"),
     (86400 * 3, "3 days ago")],
)  # fmt: skip
def test_time_ago(seconds: int, words: str) -> None:
    assert time_ago(NOW - timedelta(seconds=seconds), NOW) == words


def said(agent: Agent, number: int, role: str, text: str, at: datetime = NOW) -> None:
    entry = Entry(agent.org_id, "message", f"message-{number}", agent.id, text, at, role, number)
    index([entry])


@pytest.mark.django_db(transaction=True)
def test_conversation_is_searched_by_role_and_date(agent: Agent) -> None:
    said(agent, 1, "user", "The folder is blue.", NOW - timedelta(days=3))
    said(agent, 2, "assistant", "A blue folder, noted.", NOW - timedelta(days=1))
    said(agent, 3, "user", "Nothing else.")
    found = call("conversation_search", agent.id, agent.org_id, query="folder")
    answer = json.loads(found.text)
    assert answer["message"] == "Found 2 messages."
    assert {row["role"] for row in answer["results"]} == {"user", "assistant"}
    assert found.retrieval and found.retrieval.kind == "messages"
    assert {hit["id"] for hit in found.retrieval.hits} == {"message-1", "message-2"}

    only_user = call(
        "conversation_search",
        agent.id,
        agent.org_id,
        query="folder",
        roles=["user"],
        end_date="2026-02-26",
        limit="3",
    )
    (row,) = json.loads(only_user.text)["results"]
    assert row == {
        "timestamp": "2026-02-26T13:00:00+01:00",
        "time_ago": "3 days ago",
        "role": "user",
        "content": "The folder is blue.",
    }
    whenever = {"start_date": "0001-01-01", "end_date": "9999-12-31"}
    unbounded = call("conversation_search", agent.id, agent.org_id, query="folder", **whenever)
    assert len(json.loads(unbounded.text)["results"]) == 2
    none = call("conversation_search", agent.id, agent.org_id, query="unicorn")
    assert json.loads(none.text) == {"message": "Nothing was found.", "results": []}
    spoken = call(
        "search_memory",
        agent.id,
        agent.org_id,
        convo_keyword_queries=["folder"],
        start_minutes_ago=2000,
    )
    assert [row["role"] for row in json.loads(spoken.text)["results"]] == ["assistant"]


@pytest.mark.django_db(transaction=True)
def test_archive_is_searched_by_tag(owner: Actor, agent: Agent) -> None:
    assert call("archival_memory_search", agent.id, agent.org_id, query="code").text == "[]"
    archive = own_archive(owner, agent.id)
    drafts = [PassageDraft(text="door code 12", tags=["home"]), PassageDraft(text="bike code 7")]
    home, _ = insert_passages(owner, archive_id=archive.id, rows=drafts)
    found = call("archival_memory_search", agent.id, agent.org_id, query="code")
    assert {row["content"] for row in json.loads(found.text)} == {"door code 12", "bike code 7"}
    tagged = call("archival_memory_search", agent.id, agent.org_id, query="code", tags=["home"])
    (row,) = json.loads(tagged.text)
    assert (row["id"], row["tags"]) == (home.id, ["home"])
    assert tagged.retrieval and tagged.retrieval.filters["tags"] == ["home"]


@pytest.mark.django_db(transaction=True)
def test_a_note_that_is_there_already_is_stored_and_reported(owner: Actor, agent: Agent) -> None:
    archive = own_archive(owner, agent.id)
    (old,) = insert_passages(owner, archive_id=archive.id, rows=[PassageDraft("The code is 12.")])
    same = call("archival_memory_insert", agent.id, agent.org_id, content="the CODE is 12")
    assert [one.text for one in same.passages] == ["the CODE is 12"]
    assert "the same words is there already" in same.text and old.id in same.text
    assert call("archival_memory_insert", agent.id, agent.org_id, content="Tea?").text == "None"


@pytest.mark.django_db
def test_own_archive_is_made_once(owner: Actor, stranger: Actor, agent: Agent) -> None:
    assert find_own_archive(owner, agent.id) is None and archive_ids_of(agent.id) == ()
    archive = own_archive(owner, agent.id)
    assert archive.name == "Sam's Archive"
    assert own_archive(owner, agent.id) == archive
    assert archive_ids_of(agent.id) == (archive.id,)
    assert AgentArchive.objects.count() == 1
    long = Agent.objects.create(org_id=owner.org_id, name="n" * 200, model="letta/demo")
    assert own_archive(owner, long.id).name == "n" * 190 + "'s Archive"
    with pytest.raises(NotFound):
        own_archive(stranger, agent.id)
