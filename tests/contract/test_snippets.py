"""The documentation's own snippets do what they say; only the server's address is replaced."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.contract.driving import environment_for, node_folder, require
from tests.contract.samples import AGENT_ID, HUMAN, PERSONA
from tests.fakes.openai_replies import Reply, Usage
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

SNIPPETS = Path(__file__).resolve().parent / "snippets"
ANSWER = "Doing well, Bob! The roof is nearly done."
USAGE = Usage(prompt=1234, completion=56)


def snippet(name: str, server: Product) -> str:
    return (SNIPPETS / name).read_text().replace("http://localhost:8283", server.url)


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl(*arguments: str) -> Any:
    return json.loads(run(["curl", "-sS", "--fail-with-body", *arguments]))


def api(server: Product, path: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"{server.url}{path}", method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def assert_created_as_written(state: dict[str, Any]) -> None:
    assert AGENT_ID.fullmatch(state["id"])
    assert state["name"]
    blocks = {block["label"]: block["value"] for block in state["memory"]["blocks"]}
    assert blocks == {"human": HUMAN, "persona": PERSONA}
    assert state["model"] == "openai/gpt-4o-mini"
    assert state["embedding"] == "openai/text-embedding-3-small"
    assert state["llm_config"]["context_window"] == 16000


def test_curl(letta_server: Product, fake_openai: FakeOpenAI) -> None:
    fake_openai.push(Reply(ANSWER, usage=USAGE))
    state = json.loads(run(["bash", "-c", snippet("create.sh", letta_server)]))
    assert_created_as_written(state)
    environment = {**environment_for("curl"), "AGENT_ID": state["id"]}
    response = json.loads(run(["bash", "-c", snippet("send.sh", letta_server)], environment))
    assert [m["content"] for m in response["messages"]] == [ANSWER]
    assert response["messages"][0]["message_type"] == "assistant_message"
    assert response["usage"]["prompt_tokens"] == USAGE.prompt
    assert response["usage"]["completion_tokens"] == USAGE.completion
    assert response["usage"]["total_tokens"] == USAGE.prompt + USAGE.completion
    assert response["usage"]["step_count"] == 1


def test_curl_retrieves_lists_and_deletes(letta_server: Product, fake_openai: FakeOpenAI) -> None:
    state = json.loads(run(["bash", "-c", snippet("create.sh", letta_server)]))
    one = f"{letta_server.url}/v1/agents/{state['id']}"
    assert_created_as_written(curl(one))
    assert state["id"] in [found["id"] for found in curl(f"{letta_server.url}/v1/agents/")]
    assert "message" in curl("-X", "DELETE", one)
    with_status = ["curl", "-s", "-w", "\\n%{http_code}", one]
    body, status = run(with_status).splitlines()
    assert state["id"] in json.loads(body)["detail"] and status == "404"


def assert_printed(output: str, server: Product) -> None:
    """The agent's state, the response, its usage and every message were printed."""
    match = AGENT_ID.search(output)
    assert match, output
    assert_created_as_written(api(server, f"/v1/agents/{match[0]}"))
    assert HUMAN.split("'")[0] in output and ANSWER in output
    assert re.search(rf"(total_tokens|totalTokens)\W+{USAGE.prompt + USAGE.completion}\b", output)
    assert "assistant_message" in output or "assistantMessage" in output
    api(server, f"/v1/agents/{match[0]}", "DELETE")


@pytest.mark.parametrize("name", ["py1", "py0"])
def test_python(name: str, letta_server: Product, fake_openai: FakeOpenAI, tmp_path: Path) -> None:
    require(name)
    fake_openai.push(Reply(ANSWER, usage=USAGE))
    script = tmp_path / "overview.py"
    script.write_text(snippet("overview.py", letta_server))
    assert_printed(run([sys.executable, str(script)], environment_for(name)), letta_server)


@pytest.mark.parametrize("name", ["npm1", "npm0"])
def test_typescript(
    name: str, letta_server: Product, fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    require(name)
    fake_openai.push(Reply(ANSWER, usage=USAGE))
    script = node_folder(name, tmp_path / name) / "overview.mjs"
    script.write_text(snippet(f"overview_{name}.mjs", letta_server))
    assert_printed(run(["node", str(script)], environment_for(name)), letta_server)
