"""Folders of agents: attaching, open files, and what the prompt shows of them."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from letta_site.core.ids import new_id
from letta_site.core.types import Actor
from memory.services.folders import create_folder
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
    tool_names,
)
from tests.app.uploading import add, upload

__all__ = ["files_dir", "folder", "make", "provider_at_hand", "reader"]
pytestmark = pytest.mark.django_db(transaction=True)
TOOLS = {"open_files", "grep_files", "semantic_search_files"}


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
    folder_head = '<directory name="docs">\n<description>My notes</description>\n<instructions>'
    assert folder_head in head_of(reader)
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


def test_smaller_limits_hold_at_once(api: Any, reader: Any, folder: Any) -> None:
    for name in "abc":
        add(api, folder["id"], f"{name}.txt", LINES)
    assert len(open_names(api, reader)) == 3
    body = {"max_files_open": 2, "per_file_view_window_char_limit": 60}
    assert api.send("PATCH", f"/v1/agents/{reader['id']}", body).status_code == 200
    assert open_names(api, reader) == {"docs/b.txt", "docs/c.txt"}
    shown = [one["end_line"] for one in files_of(api, reader, is_open="true")["files"]]
    assert shown == [6, 6]
    assert "7: line 7" not in head_of(reader) and "6: line 6" in head_of(reader)


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
