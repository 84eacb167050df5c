"""What the fake provider may answer, and how an answer looks on the wire, whole or streamed."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
ARGUMENT_PIECE_CHARS = 7


def new_call_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True)
class Call:
    """One tool call. Arguments given as text are sent as they are, even if broken JSON."""

    name: str
    arguments: Json | str = field(default_factory=dict)
    id: str = field(default_factory=new_call_id)

    @property
    def arguments_text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True)
class Usage:
    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0

    def as_json(self) -> Json:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning, "audio_tokens": 0},
        }


@dataclass(frozen=True)
class Reply:
    """A completion. `usage` left out is counted from the words that went in and out."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    delay_s: float = 0.0  # before every chunk of a stream, or once before a whole answer
    cut_after: int | None = None  # break the connection once so many chunks were sent
    wait_for: threading.Event | None = None  # hold the answer back until the test sets it
    edit: Callable[[Json], Json] | None = None  # the last word on each chunk, or on the whole

    def edited(self, body: Json) -> Json:
        return self.edit(body) if self.edit else body

    @property
    def ending(self) -> str:
        return self.finish_reason or ("tool_calls" if self.calls else "stop")


@dataclass(frozen=True)
class Failure:
    """An answer that is not a completion: status and body, sent exactly as given."""

    status: int
    body: Json | str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Raw:
    """Bytes that are no answer, sent exactly as given with status 200.

    `hold_s` is waited before, `hang_up` breaks the connection behind them.
    """

    body: bytes = b""
    content_type: str = "application/json"
    hold_s: float = 0.0
    hang_up: bool = False


def error_body(message: str, *, code: str | None = None, param: str | None = None) -> Json:
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def rate_limited(retry_after_s: int = 1) -> Failure:
    body = {"error": {"message": "Rate limit reached.", "type": "requests", "param": None}}
    body["error"]["code"] = "rate_limit_exceeded"
    return Failure(429, body, (("Retry-After", str(retry_after_s)),))


def context_exceeded(limit: int = 16000) -> Failure:
    message = f"This model's maximum context length is {limit} tokens. Please reduce the messages."
    return Failure(400, error_body(message, code="context_length_exceeded", param="messages"))


def pieces_of(text: str) -> list[str]:
    """Split as a model streams: word by word, each with the white space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def count_words(value: Any) -> int:
    return len(re.findall(r"\w+", json.dumps(value)))


def counted_usage(request: Json, reply: Reply) -> Usage:
    """Numbers that differ between requests, so a test notices when they are lost or mixed up."""
    if reply.usage is not None:
        return reply.usage
    called = sum(len(pieces_of(call.arguments_text)) + 3 for call in reply.calls)
    spoken, thought = len(pieces_of(reply.text)), len(pieces_of(reply.reasoning))
    prompt = count_words([request.get("messages"), request.get("tools")])
    return Usage(prompt=prompt, completion=max(1, spoken + thought + called), reasoning=thought)


def call_json(call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments_text}
    return {"id": call.id, "type": "function", "function": function}


def message_json(reply: Reply) -> Json:
    message: Json = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [call_json(call) for call in reply.calls]
    return message


def envelope(model: str, kind: str) -> Json:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:29]}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def completion_json(model: str, reply: Reply, usage: Usage) -> Json:
    choice = {
        "index": 0,
        "message": message_json(reply),
        "logprobs": None,
        "finish_reason": reply.ending,
    }
    return {**envelope(model, "chat.completion"), "choices": [choice], "usage": usage.as_json()}


def call_deltas(index: int, call: Call) -> Iterator[Json]:
    """The name arrives first and alone, then the arguments in pieces that break anywhere."""
    opening = {"name": call.name, "arguments": ""}
    yield {"index": index, "id": call.id, "type": "function", "function": opening}
    text = call.arguments_text
    size = max(ARGUMENT_PIECE_CHARS, len(text) // 1000)
    for start in range(0, len(text), size):
        yield {"index": index, "function": {"arguments": text[start : start + size]}}


def deltas_of(reply: Reply) -> Iterator[Json]:
    yield {"role": "assistant", "content": "", "refusal": None}
    for piece in pieces_of(reply.reasoning):
        yield {"reasoning_content": piece}
    for piece in pieces_of(reply.text):
        yield {"content": piece}
    for index, call in enumerate(reply.calls):
        for delta in call_deltas(index, call):
            yield {"tool_calls": [delta]}


def chunks_of(model: str, reply: Reply, usage: Usage, *, with_usage: bool) -> Iterator[Json]:
    """Chunks of one stream; asked for usage, all carry the key and the last one the numbers."""
    base = envelope(model, "chat.completion.chunk")
    if with_usage:
        base["usage"] = None
    endings = [None] * sum(1 for _ in deltas_of(reply)) + [reply.ending]
    for delta, ending in zip(itertools.chain(deltas_of(reply), [{}]), endings, strict=True):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": ending}
        yield {**base, "choices": [choice]}
    if with_usage:
        yield {**base, "choices": [], "usage": usage.as_json()}
