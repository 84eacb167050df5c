"""What a run tells, as the frames of an answer. One encoder serves one run and one caller."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.engine.events import (
    Event,
    Failure,
    ReasoningDelta,
    RunFinished,
    StepCommitted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    WindowShortened,
)
from agents.types import Json, Message, Usage
from agents.wire.messages import (
    LAST_PART,
    View,
    assistant_body,
    compaction_event,
    encode_message,
    header,
    reasoning_body,
)
from letta_site.core.ids import derived_otid


@dataclass(slots=True)
class FrameEncoder:
    """Turns events into messages of the wire.

    With `tokens`, words go out as they come, and a commit adds only what was not sent yet; without,
    each message goes out whole with its commit. Both give a message the same id and otids.
    """

    run_id: str
    view: View
    tokens: bool = False
    step_id: str | None = None
    started_at: datetime | None = None
    sent: set[str] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)
    said: dict[int, int] = field(default_factory=dict)
    part: tuple[str, int] | None = None
    index: int = -1

    def frames(self, event: Event) -> list[Json]:
        """Return what this event adds to the answer, often nothing."""
        encode = _ENCODERS.get(type(event))
        return encode(self, event) if encode else []

    def _start(self, event: StepStarted) -> list[Json]:
        self.step_id, self.started_at = event.step_id, event.started_at
        self.names, self.arguments, self.said = {}, {}, {}
        self.part, self.index = None, -1
        return []

    def _shortened(self, event: WindowShortened) -> list[Json]:
        """Tell of a compaction: as the event and its summary, or as the message it became."""
        frames = encode_message(event.summary, self.view)
        if not self.view.compaction or not self.view.wants("event_message"):
            return frames
        return [compaction_event(event.summary, run_id=self.run_id), *frames]

    def _reasoning(self, event: ReasoningDelta) -> list[Json]:
        body = reasoning_body(event.text, native=True)
        return self._piece(event.message_id, ("reasoning", 0), body)

    def _text(self, event: TextDelta) -> list[Json]:
        body = assistant_body(event.text)
        if not self.view.text_is_reply:
            body = reasoning_body(event.text, native=False)
        return self._piece(event.message_id, ("text", 0), body)

    def _call(self, event: ToolCallDelta) -> list[Json]:
        name = self.names.setdefault(event.index, event.name or "")
        if self.view.speaks_by(name):
            return self._said(event)
        delta = {
            "name": event.name,
            "arguments": event.arguments,
            "tool_call_id": event.tool_call_id,
        }
        body = {"message_type": "tool_call_message", "tool_call": delta, "tool_calls": delta}
        return self._piece(event.message_id, ("calls", 0), body)

    def _said(self, event: ToolCallDelta) -> list[Json]:
        """Return the new words of a message that arrives as the argument of a tool."""
        whole = self.arguments.get(event.index, "") + event.arguments
        self.arguments[event.index] = whole
        text = partial_argument(whole, self.view.tool_kwarg)
        before = self.said.get(event.index, 0)
        if len(text) <= before:
            return []
        self.said[event.index] = len(text)
        return self._piece(event.message_id, ("said", event.index), assistant_body(text[before:]))

    def _piece(self, message_id: str, part: tuple[str, int], body: Json) -> list[Json]:
        if not self.tokens or self.started_at is None:
            return []
        self.sent.add(message_id)
        if part != self.part:
            self.part, self.index = part, self.index + 1
        if not self.view.wants(body["message_type"]):
            return []
        frame = header(
            message_id,
            body["message_type"],
            self.started_at,
            step_id=self.step_id,
            run_id=self.run_id,
        )
        frame["otid"] = derived_otid(message_id, min(self.index, LAST_PART))
        return [frame | body]

    def _commit(self, event: StepCommitted) -> list[Json]:
        new = [message for message in event.messages if message.id not in self.sent]
        self.sent.update(message.id for message in new)
        answers = [message for message in new if is_answer(message, self.view)]
        return [frame for message in answers for frame in encode_message(message, self.view)]


def is_answer(message: Message, view: View) -> bool:
    """Tell what belongs into an answer: not the caller's own words, nor heartbeats."""
    if message.role == "summary":
        return view.compaction
    if message.role == "approval":
        return bool(message.tool_calls)
    return message.role in ("assistant", "tool")


_ENCODERS: dict[type[Any], Callable[[FrameEncoder, Any], list[Json]]] = {
    WindowShortened: FrameEncoder._shortened,
    StepStarted: FrameEncoder._start,
    ReasoningDelta: FrameEncoder._reasoning,
    TextDelta: FrameEncoder._text,
    ToolCallDelta: FrameEncoder._call,
    StepCommitted: FrameEncoder._commit,
}

_CUT_ESCAPE = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\u[0-9a-fA-F]{0,3})?\Z")


def partial_argument(arguments: str, name: str) -> str:
    """Return what has arrived of the text argument `name` in a JSON object still being written."""
    found = re.search(rf'"{re.escape(name)}"\s*:\s*"((?:[^"\\]|\\.)*)', arguments, re.DOTALL)
    if found is None:
        return ""
    raw = _CUT_ESCAPE.sub("", found[1])
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return ""


# --- the end of an answer --------------------------------------------------------------------


def encode_stop(stop_reason: str) -> Json:
    """Return the frame that tells why the run ended."""
    return {"message_type": "stop_reason", "stop_reason": stop_reason}


def encode_usage(usage: Usage, *, step_count: int, context_tokens: int | None = None) -> Json:
    """Return the frame with the tokens of a run."""
    return {
        "message_type": "usage_statistics",
        "completion_tokens": usage.completion_tokens,
        "prompt_tokens": usage.prompt_tokens,
        "total_tokens": usage.total_tokens,
        "step_count": step_count,
        "run_ids": None,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "context_tokens": context_tokens,
    }


def encode_end(end: RunFinished) -> Json:
    """Return the usage of a run that has ended."""
    usage = encode_usage(end.usage, step_count=end.step_count, context_tokens=end.context_tokens)
    return usage | {"run_ids": list(end.run_ids) or None}


def encode_failure(failure: Failure, *, run_id: str) -> Json:
    """Return the frame of a failed stream."""
    return {
        "message_type": "error_message",
        "run_id": run_id,
        "error_type": failure.kind,
        "message": f"{failure.message} {failure.todo}".strip(),
        "detail": failure.detail,
        "seq_id": None,
    }


def encode_response(messages: list[Json], end: RunFinished) -> Json:
    """Return the answer to a blocking send."""
    return {
        "messages": messages,
        "stop_reason": encode_stop(end.stop_reason),
        "usage": encode_end(end),
        "logprobs": None,
        "turns": None,
    }
