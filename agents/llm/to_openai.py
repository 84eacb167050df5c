"""From our values to the body of `POST /chat/completions`. Pure."""

import hashlib
import json
from typing import Any

from agents.engine.ports import ChatRequest
from agents.types import ImagePart, Json, Message, ModelParams, ReasoningPart, TextPart, ToolSpec

# Names of models that take `max_completion_tokens` and no temperature.
_REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")


def build_body(request: ChatRequest, model: str) -> Json:
    """Return the request body for `model`, keys in a fixed order so that bytes are repeatable."""
    body: Json = {"model": model, "messages": build_messages(request)}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _choice(request.forced_tool)
        if not request.model.parallel_tool_calls and not _reasons(model):
            body["parallel_tool_calls"] = False
    body |= _params(request.model, model)
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def build_messages(request: ChatRequest) -> list[Json]:
    """Return the message list: system, summary, then the window."""
    transcript = request.transcript
    rows: list[Json] = [{"role": "system", "content": transcript.system}]
    if transcript.summary:
        rows.append({"role": "user", "content": transcript.summary.text})
    for message in transcript.messages:
        rows.extend(_message(message, request.tool_return_limit_chars))
    return rows


def encode(body: Json) -> bytes:
    """Return the bytes that go over the wire."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def sent_parts(body: Json) -> Json:
    """Split a body into what is stored of it: shared texts, parameters, and the whole's digest."""
    params = {key: value for key, value in body.items() if key not in ("messages", "tools")}
    return {
        "system": str(body["messages"][0]["content"]),
        "tools": json.dumps(body.get("tools", []), ensure_ascii=False, separators=(",", ":")),
        "params": params,
        "sha256": hashlib.sha256(encode(body)).hexdigest(),
    }


def _reasons(model: str) -> bool:
    return model.rsplit("/", 1)[-1].startswith(_REASONING_MODELS)


def _params(params: ModelParams, model: str) -> Json:
    body: Json = {}
    if params.temperature is not None and not _reasons(model):
        body["temperature"] = params.temperature
    if params.max_tokens is not None:
        body["max_completion_tokens" if _reasons(model) else "max_tokens"] = params.max_tokens
    if params.reasoning_effort and _reasons(model):
        body["reasoning_effort"] = params.reasoning_effort
    if params.response_format and params.response_format.get("type") != "text":
        body["response_format"] = params.response_format
    return body | params.options


def _choice(forced: str | None) -> str | Json:
    if forced is None:
        return "auto"
    if forced == "required":
        return "required"
    return {"type": "function", "function": {"name": forced}}


def _tool(tool: ToolSpec) -> Json:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def _message(message: Message, limit_chars: int) -> list[Json]:
    if message.role == "assistant":
        return [_assistant(message)]
    if message.role == "tool":
        return [
            {
                "role": "tool",
                "tool_call_id": one.tool_call_id,
                "content": clip(one.text, limit_chars),
            }
            for one in message.tool_returns
        ]
    if message.role in ("system", "user"):
        row: Json = {"role": message.role, "content": _content(message)}
        return [row | {"name": message.name}] if message.name else [row]
    return []


def _assistant(message: Message) -> Json:
    # A model's own reasoning is not sent back: most compatible servers refuse the field.
    thoughts = [
        part.text for part in message.parts if isinstance(part, ReasoningPart) and not part.native
    ]
    text = "\n".join([*thoughts, message.text]).strip() or None
    row: Json = {"role": "assistant", "content": text}
    if message.tool_calls:
        row["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return row


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, ImagePart) for part in message.parts):
        return message.text
    rows: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            rows.append({"type": "text", "text": part.text})
        elif isinstance(part, ImagePart):
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            rows.append({"type": "image_url", "image_url": {"url": url}})
    return rows


def clip(text: str, limit_chars: int) -> str:
    """Shorten a tool's return for the model; the whole stays in the history."""
    if len(text) <= limit_chars:
        return text
    return f"{text[:limit_chars]}\n[{len(text) - limit_chars} more characters not shown]"
