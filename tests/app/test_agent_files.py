"""Folders of agents: attaching, open files, the three tools, and what the model sees of it all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from agents.models import Agent, AgentFile, Conversation, Message
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.types import Actor
from memory.models import Retrieval
from memory.services.folders import create_folder
from tests.app.posting import play, post, send
from tests.app.uploading import add, upload
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)
TOOLS = {"open_files", "grep_files", "semantic_search_files"}
LINES = "\n".join(f"line {n}" for n in range(1, 101))


@pytest.fixture(autouse=True)
def _own_surroundings(settings: Any, tmp_path: Any, fake_openai: FakeOpenAI) -> None:
    settings.FILES_DIR = tmp_path / "files"
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    settings.LLM_TRIES = 1


@pytest.fixture
def folder(api: Any) -> Any:
    return api.send("POST", "/v1/folders/", {"name": "docs", "instructions": "Cite it."}).json()


@pytest.fixture
def make(api: Any) -> Any:
    def make(**fields: Any) -> Any:
        answer = api.send("POST", "/v1/agents/", {"model": "openai/gpt-4o-mini", **fields})
        assert answer.status_code == 200, answer.content
        return answer.json()

    return make


@pytest.fixture
def reader(api: Any, make: Any, folder: Any) -> Any:
    """An agent with the folder attached."""
    return attach(api, make(), folder)


def attach(api: Any, agent: Any, folder: Any, era: str = "folders", what: str = "attach") -> Any:
    answer = api.send("PATCH", f"/v1/agents/{agent['id']}/{era}/{what}/{folder['id']}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def tool_names(state: Any) -> set[str]:
    return {tool["name"] for tool in state["tools"]}


def head_of(agent: Any) -> str:
    talk = Conversation.objects.get(agent_id=agent["id"], is_default=True)
    return str(Message.objects.get(pk=talk.system_message_id).content[0]["text"])


def files_of(api: Any, agent: Any, **query: Any) -> Any:
    return api.get(f"/v1/agents/{agent['id']}/files", query).json()


def open_names(api: Any, agent: Any) -> set[str]:
    return {one["file_name"] for one in files_of(api, agent, is_open="true")["files"]}


def run(api: Any, agent: Any, tool: str, **arguments: Any) -> Any:
    """Run a tool by hand and return what it gave, or its error."""

    async def scenario() -> Any:
        return await post(f"/v1/agents/{agent['id']}/tools/{tool}/run", {"args": arguments})

    said = play(scenario).json()
    return said["func_return"] if said["status"] == "success" else said["stderr"][0]


@pytest.mark.parametrize("era", ["folders", "sources"])
def test_tools_and_files_come_and_go_with_the_folder(
    api: Any, make: Any, folder: Any, era: str
) -> None:
    file = add(api, folder["id"], "a.md", "The crane is yellow.")
    agent = make()
    assert not TOOLS & tool_names(agent)
    state = attach(api, agent, folder, era)
    assert tool_names(state) >= TOOLS
    types = {tool["tool_type"] for tool in state["tools"] if tool["name"] in TOOLS}
    assert types == {"letta_files_core"}
    assert [one["id"] for one in state["sources"]] == [folder["id"]]
    (block,) = state["memory"]["file_blocks"]
    assert (block["label"], block["is_open"], block["file_id"]) == ("docs/a.md", True, file["id"])
    assert block["value"].endswith("\n1: The crane is yellow.")
    assert [one["id"] for one in api.get(f"/v1/agents/{agent['id']}/{era}").json()] == [
        folder["id"]
    ]
    assert api.get(f"/v1/{era}/{folder['id']}/agents").json() == [agent["id"]]
    assert attach(api, agent, folder, era)["sources"] == state["sources"]
    state = attach(api, agent, folder, era, "detach")
    assert not TOOLS & tool_names(state)
    assert (state["sources"], state["memory"]["file_blocks"]) == ([], [])
    assert "<directories>" not in head_of(agent)


def test_tools_stay_while_there_is_a_folder(api: Any, reader: Any, folder: Any) -> None:
    other = api.send("POST", "/v1/folders/", {"name": "more"}).json()
    attach(api, reader, other)
    assert tool_names(attach(api, reader, folder, what="detach")) >= TOOLS
    assert api.send("DELETE", f"/v1/folders/{other['id']}").status_code == 200
    state = api.get(f"/v1/agents/{reader['id']}").json()
    assert not TOOLS & tool_names(state) and state["sources"] == []


def test_folders_at_creation_and_by_a_change(api: Any, make: Any, folder: Any) -> None:
    other = api.send("POST", "/v1/folders/", {"name": "more"}).json()
    agent = make(folder_ids=[folder["id"]], source_ids=[other["id"]])
    assert [one["name"] for one in agent["sources"]] == ["docs"]
    assert tool_names(agent) >= TOOLS and '<directory name="docs">' in head_of(agent)
    path = f"/v1/agents/{agent['id']}"
    changed = api.send("PATCH", path, {"source_ids": [other["id"]]}).json()
    assert [one["name"] for one in changed["sources"]] == ["more"]
    assert '<directory name="more">' in head_of(agent)
    unchanged = api.send("PATCH", path, {"name": "Sam"}).json()
    assert [one["name"] for one in unchanged["sources"]] == ["more"]
    assert not TOOLS & tool_names(api.send("PATCH", path, {"folder_ids": []}).json())
    body = {"model": "letta/demo", "folder_ids": [new_id("source")]}
    assert api.send("POST", "/v1/agents/", body).status_code == 404


def test_the_prompt_shows_folders_and_open_files(api: Any, reader: Any, folder: Any) -> None:
    assert '<directory name="docs">\n<instructions>Cite it.</instructions>' in head_of(reader)
    add(api, folder["id"], "a.md", "The crane is yellow.")
    send(reader["id"], {"input": "hello"})
    head = head_of(reader)
    assert '<file status="open" name="docs/a.md">' in head
    assert "[Viewing lines 1 to 1 (out of 1 lines)]\n1: The crane is yellow." in head
    context = api.get(f"/v1/agents/{reader['id']}/context").json()
    assert context["directories"].startswith("<directories>")
    assert context["num_tokens_directories"] > 20


def test_an_unread_or_broken_file_is_not_shown(api: Any, reader: Any, folder: Any) -> None:
    upload(api, folder["id"], "later.md", "x")
    assert "later.md" not in api.get(f"/v1/agents/{reader['id']}/context").json()["directories"]
    broken = add(api, folder["id"], "broken.pdf", "no pdf")
    assert broken["processing_status"] == "error" and broken["error_message"]
    send(reader["id"], {"input": "hello"})
    assert "later.md" in head_of(reader) and "broken.pdf" not in head_of(reader)
    answer = api.send("PATCH", f"/v1/agents/{reader['id']}/files/{broken['id']}/open")
    assert answer.status_code == 409


def test_open_and_close(api: Any, reader: Any, folder: Any) -> None:
    a, b = (add(api, folder["id"], f"{n}.md", f"I am {n}.") for n in "ab")
    path = f"/v1/agents/{reader['id']}/files"
    closed = api.send("PATCH", f"{path}/{a['id']}/close")
    assert (closed.status_code, closed.json()) == (200, None)
    assert "I am a." not in head_of(reader) and "I am b." in head_of(reader)
    assert open_names(api, reader) == {"docs/b.md"}
    assert api.send("PATCH", f"{path}/{a['id']}/open").json() == []
    assert "I am a." in head_of(reader)
    assert sorted(api.send("PATCH", f"{path}/close-all").json()) == ["docs/a.md", "docs/b.md"]
    assert api.send("PATCH", f"{path}/close-all").json() == []
    assert "I am" not in head_of(reader)
    blocks = api.get(f"/v1/agents/{reader['id']}").json()["memory"]["file_blocks"]
    assert [block["is_open"] for block in blocks] == [False, False]
    assert api.send("PATCH", f"{path}/{b['id']}/open").json() == []


def test_the_file_opened_longest_ago_makes_room(api: Any, make: Any, folder: Any) -> None:
    files = [add(api, folder["id"], f"{n}.md", f"I am {n}.") for n in range(4)]
    agent = attach(api, make(max_files_open=2), folder)
    assert open_names(api, agent) == {"docs/0.md", "docs/1.md"}
    path = f"/v1/agents/{agent['id']}/files"
    assert api.send("PATCH", f"{path}/{files[2]['id']}/open").json() == ["docs/0.md"]
    assert api.send("PATCH", f"{path}/{files[1]['id']}/open").json() == []
    assert api.send("PATCH", f"{path}/{files[3]['id']}/open").json() == ["docs/2.md"]
    assert open_names(api, agent) == {"docs/1.md", "docs/3.md"}
    add(api, folder["id"], "new.md", "I am new.")
    assert open_names(api, agent) == {"docs/1.md", "docs/3.md"}


def test_a_view_is_as_long_as_the_agent_allows(api: Any, make: Any, folder: Any) -> None:
    add(api, folder["id"], "a.txt", LINES)
    agent = attach(api, make(per_file_view_window_char_limit=60), folder)
    (one,) = files_of(api, agent)["files"]
    assert (one["start_line"], one["end_line"]) == (1, 6)
    assert one["visible_content"].endswith("\n6: line 6")


def test_open_files_leave_room_in_a_small_window(api: Any, make: Any, folder: Any) -> None:
    for n in range(5):
        add(api, folder["id"], f"{n}.txt", "words and more words\n" * 700)
    agent = attach(api, make(context_window_limit=16_000), folder)
    assert len(open_names(api, agent)) == 5
    context = api.get(f"/v1/agents/{agent['id']}/context").json()
    assert 5_000 < context["num_tokens_directories"] < 8_000
    assert "left out" in context["directories"]


def test_many_files_are_counted_rather_than_named(api: Any, make: Any, folder: Any) -> None:
    for n in range(25):
        add(api, folder["id"], f"{n:02}.txt", "x")
    agent = attach(api, make(context_window_limit=8_000, max_files_open=1), folder)
    assert "and 5 more files" in head_of(agent)


def test_an_agents_files_by_the_page(api: Any, reader: Any, folder: Any) -> None:
    names = [f"docs/{n}.md" for n in range(3)]
    for n in range(3):
        add(api, folder["id"], f"{n}.md", "x")
    page = files_of(api, reader, limit=2)
    assert page.keys() == {"files", "next_cursor", "has_more"} and page["has_more"]
    assert [one["file_name"] for one in page["files"]] == names[:0:-1]
    first = page["files"][0]
    assert first.keys() == {
        "id", "file_id", "file_name", "folder_id", "folder_name", "is_open", "last_accessed_at",
        "visible_content", "start_line", "end_line",
    }  # fmt: skip
    assert first["id"].startswith("file_agent-")
    for name in ("after", "cursor"):
        rest = files_of(api, reader, **{name: page["next_cursor"]})
        assert [one["file_name"] for one in rest["files"]] == names[:1]
        assert (rest["has_more"], rest["next_cursor"]) == (False, None)
    assert files_of(api, reader, is_open="false")["files"] == []
    assert api.send("PATCH", f"/v1/agents/{reader['id']}/files").json() == files_of(api, reader)


def test_a_stranger_sees_nothing(api: Any, make: Any, folder: Any, stranger: Actor) -> None:
    file = add(api, folder["id"], "a.md", "x")
    theirs = create_folder(stranger, name="theirs")
    agent = make()
    path = f"/v1/agents/{agent['id']}"
    assert api.send("PATCH", f"{path}/folders/attach/{theirs.id}").status_code == 404
    assert api.send("PATCH", f"{path}/sources/detach/{theirs.id}").status_code == 404
    assert api.send("PATCH", f"{path}/files/{file['id']}/open").status_code == 404
    Agent.objects.filter(pk=agent["id"]).update(org_id=stranger.org_id)
    for tail in ("folders", "sources", "files"):
        assert api.get(f"{path}/{tail}").status_code == 404
    for tail in (f"folders/attach/{folder['id']}", "files/close-all"):
        assert api.send("PATCH", f"{path}/{tail}").status_code == 404


# --- the tools -------------------------------------------------------------------------------


def test_open_files_shows_a_part(api: Any, reader: Any, folder: Any) -> None:
    add(api, folder["id"], "a.txt", LINES)
    wanted = [{"file_name": "docs/a.txt", "offset": 50, "length": 2}]
    said = run(api, reader, "open_files", file_requests=wanted)
    view = "[Viewing lines 50 to 51 (out of 100 lines)]\n50: line 50\n51: line 51"
    assert said == f"Opened 1 file.\n\ndocs/a.txt\n{view}"
    (one,) = files_of(api, reader)["files"]
    assert (one["start_line"], one["end_line"], one["visible_content"]) == (50, 51, view)
    assert f"<value>\n{view}\n</value>" in head_of(reader)


def test_open_files_by_the_bare_name_and_close_the_others(
    api: Any, reader: Any, folder: Any
) -> None:
    for name in "ab":
        add(api, folder["id"], f"{name}.txt", name)
    said = run(
        api, reader, "open_files", file_requests=[{"file_name": "a.txt"}], close_all_others=True
    )
    assert "Closed: docs/b.txt." in said
    assert open_names(api, reader) == {"docs/a.txt"}


def test_open_files_tells_what_is_wrong(api: Any, reader: Any, folder: Any) -> None:
    add(api, folder["id"], "a.txt", "x")

    def asked(*requests: Any) -> str:
        return str(run(api, reader, "open_files", file_requests=list(requests)))

    assert "There is no file 'b.txt'. There are: docs/a.txt." in asked({"file_name": "b.txt"})
    assert "At most 10 files" in asked(*[{"file_name": f"{n}"} for n in range(11)])
    assert "do not fit" in asked({"file_name": "a.txt", "offset": "top"})
    other = api.send("POST", "/v1/folders/", {"name": "more"}).json()
    add(api, other["id"], "a.txt", "y")
    attach(api, reader, other)
    assert "Several files" in asked({"file_name": "a.txt"})


def test_grep_by_the_page(api: Any, reader: Any, folder: Any) -> None:
    add(api, folder["id"], "a.txt", LINES)
    add(api, folder["id"], "b.py", "line = 1")
    said = run(api, reader, "grep_files", pattern=r"^LINE \d+$", context_lines=0)
    assert said.startswith("Matches 1 to 20:\n\ndocs/a.txt, line 1\n> 1: line 1\n\n")
    assert said.endswith("There are more matches: call again with offset=20.")
    last = run(api, reader, "grep_files", pattern=r"^line \d+$", offset=80)
    assert last.startswith("Matches 81 to 100:") and "more matches" not in last
    assert "  99: line 99\n> 100: line 100" in last
    only = run(api, reader, "grep_files", pattern="line", include="*.py")
    assert only == "Matches 1 to 1:\n\ndocs/b.py, line 1\n> 1: line = 1"
    assert run(api, reader, "grep_files", pattern="nothing") == "No matches in 2 files."
    assert "not understood" in run(api, reader, "grep_files", pattern="(")


def test_a_pattern_that_explodes_elsewhere_stops_nobody(api: Any, reader: Any, folder: Any) -> None:
    add(api, folder["id"], "a.txt", "a" * 50_000 + "!")
    longest = 0.0

    async def heartbeat(done: asyncio.Event) -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while not done.is_set():
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)

    async def scenario() -> Any:
        done = asyncio.Event()
        beating = asyncio.create_task(heartbeat(done))
        path = f"/v1/agents/{reader['id']}/tools/grep_files/run"
        answer = await post(path, {"args": {"pattern": r"^(a+)+$"}})
        done.set()
        await beating
        return answer

    assert play(scenario).json()["func_return"] == "No matches in 1 files."
    assert longest < 10  # a backtracking engine would not come back at all


def test_search_finds_a_passage_of_the_agents_folders_only(
    api: Any, reader: Any, folder: Any
) -> None:
    add(api, folder["id"], "a.md", "# Machines\n\nThe crane is yellow.")
    other = api.send("POST", "/v1/folders/", {"name": "more"}).json()
    add(api, other["id"], "b.md", "A yellow crane that nobody may see.")
    said = run(api, reader, "semantic_search_files", query="yellow cranes")
    assert said == "docs/a.md, from line 1:\n# Machines\n\nThe crane is yellow."
    assert run(api, reader, "semantic_search_files", query="zebra") == "Nothing was found."


# --- within runs -----------------------------------------------------------------------------


def test_a_search_is_on_record(reader: Any, api: Any, folder: Any, fake_openai: FakeOpenAI) -> None:
    add(api, folder["id"], "a.md", "The crane is yellow.")
    fake_openai.push(Reply(calls=(Call("semantic_search_files", {"query": "crane"}),)))
    fake_openai.push("It is yellow.")
    send(reader["id"], {"input": "What colour?"})
    record = Retrieval.objects.get()
    assert (record.kind, record.query, len(record.hits)) == ("files", "crane", 1)


def test_the_head_holds_still_when_the_agent_itself_opens_a_file(
    reader: Any, api: Any, folder: Any, fake_openai: FakeOpenAI
) -> None:
    add(api, folder["id"], "a.txt", LINES)
    send(reader["id"], {"input": "hello"})
    wanted = [{"file_name": "docs/a.txt", "offset": 70, "length": 1}]
    fake_openai.push(Reply(calls=(Call("open_files", {"file_requests": wanted}),)))
    fake_openai.push("Line seventy.")
    fake_openai.push("Again.")
    before = len(fake_openai.chats)
    send(reader["id"], {"input": "Read line 70."})
    send(reader["id"], {"input": "And again."})
    heads = {chat["messages"][0]["content"] for chat in fake_openai.chats[before:]}
    assert len(heads) == 1
    last = fake_openai.chats[-1]["messages"]
    assert any("70: line 70" in str(message.get("content")) for message in last[1:])
    (one,) = files_of(api, reader)["files"]
    assert (one["start_line"], one["end_line"]) == (70, 70)
    # When the provider has forgotten the prompt anyway, the head follows.
    past = now() - timedelta(hours=1)
    Agent.objects.filter(pk=reader["id"]).update(last_run_completion=past)
    send(reader["id"], {"input": "Later."})
    assert "70: line 70" in head_of(reader)


def test_what_others_change_shows_in_the_next_run(
    reader: Any, api: Any, folder: Any, fake_openai: FakeOpenAI
) -> None:
    send(reader["id"], {"input": "hello"})
    add(api, folder["id"], "a.txt", "The crane is yellow.")
    send(reader["id"], {"input": "hello"})
    assert "The crane is yellow." in fake_openai.chats[-1]["messages"][0]["content"]
    file_id = files_of(api, reader)["files"][0]["file_id"]
    api.send("DELETE", f"/v1/folders/{folder['id']}/{file_id}")
    send(reader["id"], {"input": "hello"})
    assert "crane" not in fake_openai.chats[-1]["messages"][0]["content"]
    assert not AgentFile.objects.exists()
    api.send("PATCH", f"/v1/folders/{folder['id']}", {"instructions": "Never guess."})
    send(reader["id"], {"input": "hello"})
    assert "Never guess." in fake_openai.chats[-1]["messages"][0]["content"]


def test_folders_cost_an_agent_with_them_one_statement(
    owner: Actor, reader: Any, make: Any, api: Any, folder: Any
) -> None:
    from django.db import connection

    from tests.app.test_statements import statements_of

    if connection.vendor != "sqlite":
        pytest.skip("elsewhere a hop may be served by any of several connections")
    for n in range(12):
        add(api, folder["id"], f"{n}.txt", "x")
    plain = Agent.objects.get(pk=make()["id"])
    attached = Agent.objects.get(pk=reader["id"])
    for agent in (plain, attached):
        asyncio.run(in_db(lambda: None))
        statements_of(owner, agent)
    assert len(statements_of(owner, attached)) == len(statements_of(owner, plain)) + 1
