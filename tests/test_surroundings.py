"""What every other test relies on: no way out of the machine, and a provider that is strict."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.fakes.openai_replies import Call, Reply, Usage, rate_limited
from tests.fakes.openai_server import FakeOpenAI
from tests.network import NetworkBlocked
from tests.product import clean_environment

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RETURN = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
ASKING = {"role": "user", "content": "hello"}
BROKEN_HISTORIES = {
    "call without return": [ASKING, CALLING],
    "call interrupted": [ASKING, CALLING, ASKING],
    "return without call": [ASKING, RETURN],
    "return twice": [ASKING, CALLING, RETURN, RETURN],
    "empty assistant": [ASKING, {"role": "assistant", "content": None}],
    "unknown role": [{"role": "memory", "content": "x"}],
}


@pytest.fixture
def sdk(fake_openai: FakeOpenAI) -> openai.OpenAI:
    return openai.OpenAI(base_url=fake_openai.base_url, api_key="sk-test", max_retries=0)


def send(sdk: openai.OpenAI, messages: list[Any] | None = None, **options: Any) -> Any:
    fields: dict[str, Any] = {"model": "gpt-4o-mini", "messages": messages or [ASKING], **options}
    return sdk.chat.completions.create(**fields)


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.com", 80)])
def test_no_test_leaves_the_machine(address: tuple[str, int]) -> None:
    with pytest.raises(NetworkBlocked):
        socket.create_connection(address, timeout=1)


def test_no_server_leaves_the_machine(tmp_path: Path) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    environment = clean_environment(tmp_path, {})
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert b"NetworkBlocked" in done.stderr


def test_no_key_of_the_developer_is_seen() -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY")]


@pytest.mark.parametrize("name", BROKEN_HISTORIES)
def test_broken_history_is_refused(sdk: openai.OpenAI, name: str) -> None:
    with pytest.raises(openai.BadRequestError):
        send(sdk, BROKEN_HISTORIES[name])


def test_whole_history_is_accepted(sdk: openai.OpenAI, fake_openai: FakeOpenAI) -> None:
    fake_openai.push(Reply("seen it", usage=Usage(7, 2)))
    answer = send(sdk, [ASKING, CALLING, RETURN])
    assert answer.choices[0].message.content == "seen it"
    assert answer.usage.total_tokens == 9


def test_unknown_model_is_not_found(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        send(sdk, model="gpt-nonesuch")


def test_streamed_call_is_put_together_again(sdk: openai.OpenAI, fake_openai: FakeOpenAI) -> None:
    arguments = {"query": "something that takes several pieces"}
    fake_openai.push(Reply("Let me see.", reasoning="Hm.", calls=(Call("look", arguments),)))
    chunks = list(send(sdk, stream=True, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    pieces = [delta.tool_calls[0].function.arguments for delta in deltas if delta.tool_calls]
    assert len(pieces) > 2 and json.loads("".join(pieces)) == arguments
    assert "".join(delta.content or "" for delta in deltas) == "Let me see."
    assert chunks[-1].usage.prompt_tokens == fake_openai.usages[0].prompt


def test_scripted_errors_and_broken_connections(
    sdk: openai.OpenAI, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(rate_limited(), Reply("one two three", cut_after=2))
    with pytest.raises(openai.RateLimitError):
        send(sdk)
    with pytest.raises(openai.APIConnectionError):
        list(send(sdk, stream=True))


def test_embeddings_of_like_texts_are_alike(sdk: openai.OpenAI) -> None:
    texts = ["the crane is yellow", "a yellow crane", "wet concrete"]
    data = sdk.embeddings.create(model="text-embedding-3-small", input=texts).data
    first, like, unlike = (item.embedding for item in data)
    assert len(first) == 1536
    assert sum(map(float.__mul__, first, like)) > sum(map(float.__mul__, first, unlike)) + 0.3
