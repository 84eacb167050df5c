"""From our values to the body of `POST /chat/completions`. Pure."""

import hashlib
import json
import re
from typing import Any

from agents.engine.ports import ChatRequest
from agents.llm.dialects import Dialect, reasons
from agents.llm.roles import strict_roles
from agents.llm.tolerant import safe_name
from agents.types import ImagePart, Json, Message, ModelParams, ReasoningPart, TextPart, ToolSpec

COMMON = Dialect()
_KEPT_INVALID_CHARS = 500
_BAD_IN_PERSON = re.compile(r"[\s<|\\/>]+")


def build_body(request: ChatRequest, model: str, dialect: Dialect = COMMON) -> Json:
    """Return the request body for `model`, keys in a fixed order so that bytes are repeatable."""
    body: Json = {"model": model, "messages": build_messages(request, dialect)}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _choice(request.forced_tool, dialect)
        if not request.model.parallel_tool_calls and not reasons(model):
            body["parallel_tool_calls"] = False
    body |= _params(request.model, model, dialect)
    body |= _thinking(request, dialect)
    if shape := _format(request.model.response_format, dialect):
        body["response_format"] = shape
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return {key: value for key, value in body.items() if key not in dialect.never}


def build_messages(request: ChatRequest, dialect: Dialect = COMMON) -> list[Json]:
    """Return the message list: system, summary, then the window."""
    transcript = request.transcript
    system = transcript.system + _format_note(request.model.response_format, dialect)
    rows: list[Json] = [{"role": "system", "content": system}]
    if transcript.summary:
        rows.append({"role": "user", "content": transcript.summary.text})
    for message in transcript.messages:
        rows.extend(_message(message, request.tool_return_limit_chars))
    if not dialect.names:
        rows = [{key: row[key] for key in row if key != "name"} for row in rows]
    return strict_roles(rows) if dialect.strict_roles else rows


def row_origins(request: ChatRequest, dialect: Dialect = COMMON) -> list[str] | None:
    """Return the ids of the messages behind the rows of `build_messages` after the first.

    None where the dialect joins rows of several messages.
    """
    if dialect.strict_roles:
        return None
    transcript, limit = request.transcript, request.tool_return_limit_chars
    summary = [transcript.summary.id] if transcript.summary else []
    rows = (one.id for one in transcript.messages for _ in _message(one, limit))
    return [*summary, *rows]


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


def _params(params: ModelParams, model: str, dialect: Dialect) -> Json:
    body: Json = {}
    if params.temperature is not None and not reasons(model):
        body["temperature"] = params.temperature
    if params.max_tokens is not None:
        body["max_completion_tokens" if reasons(model) else "max_tokens"] = params.max_tokens
    if params.reasoning_effort and (dialect.effort or reasons(model)):
        body["reasoning_effort"] = params.reasoning_effort
    return body | {key: value for key, value in params.options.items() if key not in _THINKING}


_THINKING = ("thinking", "thinking_config")


def _thinking(request: ChatRequest, dialect: Dialect) -> Json:
    options = request.model.options
    if dialect.thinking == "google" and options.get("thinking_config"):
        return {"extra_body": {"google": {"thinking_config": options["thinking_config"]}}}
    # A thinking model of Anthropic's wants its thoughts back with each tool return, which do not
    # come through this interface; without tools there is nothing to bring back.
    if dialect.thinking == "body" and options.get("thinking") and not request.tools:
        return {"thinking": options["thinking"]}
    return {}


def _format(wanted: Json | None, dialect: Dialect) -> Json | None:
    """Return the response format to send: the wanted one, or a looser one that the server takes."""
    kind = (wanted or {}).get("type")
    if kind in dialect.formats:
        return wanted
    if kind == "json_schema" and "json_object" in dialect.formats:
        return {"type": "json_object"}
    return None


def _format_note(wanted: Json | None, dialect: Dialect) -> str:
    """Return what the model is told of the format where the server does not see to it.

    OpenAI refuses `json_object` when no message speaks of JSON.
    """
    kind = (wanted or {}).get("type")
    if wanted is None or kind not in ("json_schema", "json_object"):
        return ""
    if kind == "json_schema" and "json_schema" in dialect.formats:
        return ""
    note = "\n\nWhen you answer in words, answer with one JSON object and nothing else."
    schema = (wanted.get("json_schema") or {}).get("schema")
    return f"{note} It must fit this JSON schema: {json.dumps(schema)}" if schema else note


def _choice(forced: str | None, dialect: Dialect) -> str | Json:
    if forced is None or not dialect.any_call:
        return "auto"
    if forced == "required" or not dialect.named_call:
        return dialect.any_call
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
        return [row | {"name": _person(message.name)}] if message.name else [row]
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
                "function": {"name": safe_name(call.name), "arguments": _valid(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return row


def _person(name: str) -> str:
    return _BAD_IN_PERSON.sub("_", name)[:64]


def _valid(arguments: str) -> str:
    """Return arguments as JSON of an object: servers that parse a history refuse anything else."""
    try:
        if isinstance(json.loads(arguments, strict=False), dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return json.dumps({"invalid": arguments[:_KEPT_INVALID_CHARS]}, ensure_ascii=False)


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
