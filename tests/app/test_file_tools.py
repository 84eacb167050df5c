"""The file tools: by hand, and within runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from agents.models import Agent, AgentFile
from letta_site.core.clock import now
from letta_site.core.types import Actor
from memory.models import Retrieval
from tests.app.posting import send
from tests.app.reading import (
    LINES,
    attach,
    files_dir,
    files_of,
    folder,
    head_of,
    make,
    open_names,
    provider_at_hand,
    reader,
    run,
)
from tests.app.test_statements import statements_of
from tests.app.uploading import add
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

__all__ = ["files_dir", "folder", "make", "provider_at_hand", "reader"]
pytestmark = pytest.mark.django_db(transaction=True)


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
    said = run(api, reader, "grep_files", pattern=r"^(a+)+$")
    assert said == "No matches in 1 files."


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


def test_a_view_that_was_cut_in_the_return_is_in_the_next_head(
    api: Any, make: Any, folder: Any, fake_openai: FakeOpenAI
) -> None:
    add(api, folder["id"], "a.txt", "\n".join(f"line {n} of many" for n in range(1, 400)))
    agent = attach(
        api, make(context_window_limit=8_000, per_file_view_window_char_limit=9_000), folder
    )
    send(agent["id"], {"input": "hello"})
    wanted = [{"file_name": "docs/a.txt", "offset": 2}]
    fake_openai.push(Reply(calls=(Call("open_files", {"file_requests": wanted}),)), "Yes.", "Yes.")
    send(agent["id"], {"input": "Read it from line 2."})
    assert "\n1: line 1" in fake_openai.chats[-1]["messages"][0]["content"]
    send(agent["id"], {"input": "And?"})
    head = fake_openai.chats[-1]["messages"][0]["content"]
    assert "[Viewing lines 2 to " in head and "380: line 380" in head


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
    if connection.vendor != "sqlite":
        pytest.skip("elsewhere a hop may be served by any of several connections")
    for n in range(12):
        add(api, folder["id"], f"{n}.txt", "x")
    plain = Agent.objects.get(pk=make()["id"])
    attached = Agent.objects.get(pk=reader["id"])
    for agent in (plain, attached):
        statements_of(owner, agent)
    assert len(statements_of(owner, attached)) == len(statements_of(owner, plain)) + 1
