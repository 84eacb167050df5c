"""From a provider's answer to our Reply; whole or in pieces. Pure."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from agents.engine.ports import ReplyDelta
from agents.types import Json, ToolCall, Usage


@dataclass
class PartialCall:
    """A tool call that is still arriving."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class ReplyBuffer:
    """Collects an answer, from one whole response or from chunks of a stream."""

    text: str = ""
    reasoning: str = ""
    calls: dict[int, PartialCall] = field(default_factory=dict)
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    id: str = ""

    def add_chunk(self, chunk: Json) -> list[ReplyDelta]:
        """Take one stream chunk and return what is new in it."""
        self.id = chunk.get("id") or self.id
        self.model = chunk.get("model") or self.model
        if chunk.get("usage"):
            self.usage = parse_usage(chunk["usage"])
        deltas: list[ReplyDelta] = []
        for choice in (chunk.get("choices") or [])[:1]:
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            deltas += self._add_delta(choice.get("delta") or {})
        return deltas

    def add_whole(self, response: Json) -> None:
        """Take a response that was not streamed."""
        self.id, self.model = response.get("id") or "", response.get("model") or ""
        self.usage = parse_usage(response.get("usage") or {})
        for choice in (response.get("choices") or [])[:1]:
            self.finish_reason = choice.get("finish_reason") or ""
            self._add_delta(choice.get("message") or {})

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the calls in order, each with an id of its own."""
        seen: set[str] = set()
        calls = []
        for _, call in sorted(self.calls.items()):
            call_id = call.id if call.id and call.id not in seen else f"call_{uuid.uuid4().hex[:8]}"
            seen.add(call_id)
            calls.append(ToolCall(call_id, call.name, call.arguments or "{}"))
        return tuple(calls)

    def raw(self) -> Json:
        """Return the answer in the provider's form, put together again if it was streamed."""
        message: Json = {"role": "assistant", "content": self.text or None}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.tool_calls()
            ]
        return {
            "id": self.id,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            "usage": {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "total_tokens": self.usage.total_tokens,
            },
        }

    def _add_delta(self, delta: Json) -> list[ReplyDelta]:
        found: list[ReplyDelta] = []
        if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
            self.reasoning += str(reasoning)
            found.append(ReplyDelta(reasoning=str(reasoning)))
        if text := _plain(delta.get("content")):
            self.text += text
            found.append(ReplyDelta(text=text))
        for place, piece in enumerate(delta.get("tool_calls") or []):
            found.append(self._add_call(piece, place))
        return found

    def _add_call(self, piece: Json, place: int) -> ReplyDelta:
        index = piece.get("index")
        index = place if index is None else int(index)
        call = self.calls.setdefault(index, PartialCall())
        function = piece.get("function") or {}
        name, arguments = function.get("name") or "", _as_text(function.get("arguments"))
        call.id = call.id or piece.get("id") or f"call_{uuid.uuid4().hex[:8]}"
        first = not call.name and bool(name)
        call.name = call.name or name
        call.arguments += arguments
        return ReplyDelta(
            index=index,
            tool_call_id=call.id,
            name=call.name if first else None,
            arguments=arguments,
        )


def _as_text(arguments: Any) -> str:
    # Some local servers send the arguments as an object instead of as JSON text.
    return arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content) if content else ""


def parse_usage(usage: Json) -> Usage:
    """Return tokens as the provider counted them."""
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cached_input_tokens=prompt.get("cached_tokens"),
        reasoning_tokens=completion.get("reasoning_tokens"),
    )
