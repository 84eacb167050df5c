"""Folders, their files, and what agents have open, through each client."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.samples import file, old_clients_only, user
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

READ_WITHIN_S = 60
TOOLS = {"open_files", "grep_files", "semantic_search_files"}
NOTES = "The crane is yellow.\nWendy runs the office.\nConcrete needs a dry day.\n"


@pytest.fixture
def folder(client: Client) -> Iterator[dict[str, Any]]:
    made = client.call("folders.create", name=f"site {uuid.uuid4().hex}", instructions="Cite it.")
    yield made
    try:
        client.call("folders.delete", folder_id=made["id"])
    except ClientError as error:
        assert error.status == 404, error


def upload(client: Client, folder: dict[str, Any], name: str, text: str, /, **fields: Any) -> Any:
    """Upload a file and return it when it has been read."""
    fields = {"duplicate_handling": "suffix", **fields}  # one of the clients takes no call without
    sent = client.call(
        "folder_files.upload", folder_id=folder["id"], file=file(name, text), **fields
    )
    deadline = time.monotonic() + READ_WITHIN_S
    while time.monotonic() < deadline:
        listed = client.call("folder_files.list", folder_id=folder["id"])
        (found,) = [one for one in listed if one["id"] == sent["id"]]
        if found["processing_status"] in ("completed", "error"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{name} was not read within {READ_WITHIN_S} s: {found}")


def test_folder_life(client: Client, folder: dict[str, Any]) -> None:
    assert folder["id"].startswith("source-")
    found = client.call("folders.retrieve", folder_id=folder["id"])
    assert (found["name"], found["instructions"]) == (folder["name"], "Cite it.")
    changed = client.call("folders.update", folder_id=folder["id"], description="Site notes")
    assert (changed["description"], changed["instructions"]) == ("Site notes", "Cite it.")
    assert folder["id"] in [one["id"] for one in client.call("folders.list")]
    client.call("folders.delete", folder_id=folder["id"])
    with pytest.raises(ClientError) as caught:
        client.call("folders.retrieve", folder_id=folder["id"])
    assert caught.value.status == 404


def test_files(client: Client, folder: dict[str, Any]) -> None:
    done = upload(client, folder, "notes.md", NOTES)
    assert (done["processing_status"], done["original_file_name"]) == ("completed", "notes.md")
    assert done["file_size"] == len(NOTES)
    again = upload(client, folder, "notes.md", NOTES, duplicate_handling="suffix")
    assert again["file_name"] != done["file_name"]
    named = upload(client, folder, "notes.md", NOTES, name="other.md")
    assert named["file_name"].endswith("/other.md")
    with pytest.raises(ClientError) as caught:
        upload(client, folder, "notes.md", NOTES, duplicate_handling="error")
    assert caught.value.status == 409
    with pytest.raises(ClientError) as caught:
        upload(client, folder, "tool.exe", NOTES)
    assert caught.value.status == 415
    client.call("folder_files.delete", folder_id=folder["id"], file_id=again["id"])
    left = client.call("folder_files.list", folder_id=folder["id"])
    assert {one["id"] for one in left} == {done["id"], named["id"]}


def test_an_agent_with_a_folder(
    client: Client, agent: dict[str, Any], folder: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    notes = upload(client, folder, "notes.md", NOTES)
    state = client.call("agent_folders.attach", agent_id=agent["id"], folder_id=folder["id"])
    assert {tool["name"] for tool in state["tools"]} >= TOOLS
    (block,) = state["memory"]["file_blocks"]
    assert "2: Wendy runs the office." in block["value"]
    listed = client.call("agent_folders.list", agent_id=agent["id"])
    assert [one["id"] for one in listed] == [folder["id"]]
    _open_and_close(client, agent["id"], notes["id"])
    wanted = {"file_requests": [{"file_name": notes["file_name"], "offset": 3, "length": 1}]}
    fake_openai.push(Reply(calls=(Call("open_files", wanted),)), "A dry day.")
    client.call("messages.create", agent_id=agent["id"], messages=user("What does it need?"))
    said = fake_openai.chats[-1]["messages"]
    assert any("3: Concrete needs a dry day." in str(one.get("content")) for one in said)
    state = client.call("agent_folders.detach", agent_id=agent["id"], folder_id=folder["id"])
    assert not {tool["name"] for tool in state["tools"]} & TOOLS


def _open_and_close(client: Client, agent_id: str, file_id: str) -> None:
    client.call("agent_files.close", agent_id=agent_id, file_id=file_id)
    assert client.call("agent_files.open", agent_id=agent_id, file_id=file_id) == []
    if client.name != "npm0":  # its list has no return type
        listed = client.call("agent_files.list", agent_id=agent_id)
        rows = listed["files"] if isinstance(listed, dict) else listed
        assert [(one["file_id"], one["is_open"]) for one in rows] == [(file_id, True)]
    assert len(client.call("agent_files.close_all", agent_id=agent_id)) == 1


def test_agents_of_a_folder(client: Client, agent: dict[str, Any], folder: dict[str, Any]) -> None:
    client.call("agent_folders.attach", agent_id=agent["id"], folder_id=folder["id"])
    key = "source_id" if client.is_old else "folder_id"
    found = client.call("folders.agents", **{key: folder["id"]})
    assert found == [agent["id"]]


@old_clients_only
def test_sources(client: Client, agent: dict[str, Any]) -> None:
    name = f"site {uuid.uuid4().hex}"
    source = client.call("sources.create", name=name)
    try:
        assert client.call("sources.by_name", source_name=name) == source["id"]
        assert source["id"] in [one["id"] for one in client.call("sources.list")]
        upload(client, source, "notes.md", NOTES)
        (passage,) = client.call("source_passages.list", source_id=source["id"])
        assert passage["text"] == NOTES.strip()
        assert len(client.call("source_files.list", source_id=source["id"])) == 1
        state = client.call("agent_sources.attach", agent_id=agent["id"], source_id=source["id"])
        assert {tool["name"] for tool in state["tools"]} >= TOOLS
        listed = client.call("agent_sources.list", agent_id=agent["id"])
        assert [one["id"] for one in listed] == [source["id"]]
        state = client.call("agent_sources.detach", agent_id=agent["id"], source_id=source["id"])
        assert not {tool["name"] for tool in state["tools"]} & TOOLS
    finally:
        client.call("sources.delete", source_id=source["id"])
