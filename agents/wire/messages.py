"""Stored messages as Letta's messages: one of ours becomes none, one, or several of theirs."""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agents.types import (
    ImagePart,
    Json,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolReturn,
)
from agents.wire.moments import seconds
from letta_site.core.ids import derived_otid

MessageType = Literal[
    "system_message",
    "user_message",
    "assistant_message",
    "reasoning_message",
    "hidden_reasoning_message",
    "tool_call_message",
    "tool_return_message",
    "approval_request_message",
    "approval_response_message",
    "summary_message",
    "event_message",
]
LAST_PART = 127


@dataclass(frozen=True, slots=True)
class View:
    """How a caller wants to see messages.

    `text_is_reply`: words of the agent are its answer; otherwise they are thoughts. What it passes
    to `tool_name` is an answer either way: an agent of the native loop has that tool, too, when
    another agent tends its memory.
    """

    text_is_reply: bool = True
    use_assistant_message: bool = True
    tool_name: str = "send_message"
    tool_kwarg: str = "message"
    types: frozenset[str] | None = None
    compaction: bool = False

    def speaks_by(self, tool_name: str) -> bool:
        """Tell whether calls of this tool are to be shown as the agent's words."""
        return self.use_assistant_message and tool_name == self.tool_name

    def wants(self, message_type: str) -> bool:
        """Tell whether the caller asked for this type."""
        return self.types is None or message_type in self.types


def encode_history(messages: Iterable[Message], view: View) -> list[Json]:
    """Return what a caller sees of these messages, in the same order."""
    return [one for message in messages for one in encode_message(message, view)]


def encode_message(message: Message, view: View) -> list[Json]:
    """Return one stored message as the caller sees it."""
    bodies = _BY_ROLE[message.role](message, view)
    return [
        _frame(message, body, index) for index, body in enumerate(bodies) if _wanted(body, view)
    ]


def _wanted(body: Json, view: View) -> bool:
    return view.wants(body["message_type"])


def header(
    message_id: str, message_type: str, at: datetime, *, step_id: str | None, run_id: str | None
) -> Json:
    """Return the keys that every message has, null where nothing is known."""
    return {
        "id": message_id,
        "date": seconds(at),
        "name": None,
        "message_type": message_type,
        "otid": None,
        "sender_id": None,
        "step_id": step_id,
        "is_err": None,
        "seq_id": None,
        "run_id": run_id,
    }


def _frame(message: Message, body: Json, index: int) -> Json:
    whole = header(
        message.id,
        body["message_type"],
        message.created_at,
        step_id=message.step_id,
        run_id=message.run_id,
    )
    whole["name"] = message.name
    whole["sender_id"] = message.sender_id
    whole["is_err"] = True if message.is_err else None
    whole["otid"] = _otid(message, index)
    return whole | body


def _otid(message: Message, index: int) -> str | None:
    if message.role in ("user", "system", "approval", "summary"):
        return message.otid
    return derived_otid(message.id, min(index, LAST_PART))


def compaction_event(summary: Message, *, run_id: str | None) -> Json:
    """Return the frame that tells that old messages left the window. Its id names no message."""
    whole = header(
        str(uuid.uuid4()), "event_message", summary.created_at, step_id=None, run_id=run_id
    )
    data = _packed(summary.text).get("compaction_stats") or {}
    return {**whole, "event_type": "compaction", "event_data": data}


# --- by role ---------------------------------------------------------------------------------


def _system(message: Message, _view: View) -> list[Json]:
    return [{"message_type": "system_message", "content": message.text}]


def _user(message: Message, _view: View) -> list[Json]:
    return [{"message_type": "user_message", "content": _user_content(message)}]


def _summary(message: Message, view: View) -> list[Json]:
    if not view.compaction:
        return [{"message_type": "user_message", "content": message.text}]
    packed = _packed(message.text)
    return [
        {
            "message_type": "summary_message",
            "summary": packed.get("message", message.text),
            "compaction_stats": packed.get("compaction_stats"),
        }
    ]


def _assistant(message: Message, view: View) -> list[Json]:
    bodies = [_spoken(part, view) for part in message.parts if not isinstance(part, ImagePart)]
    said = [call for call in message.tool_calls if view.speaks_by(call.name)]
    calls = [call for call in message.tool_calls if not view.speaks_by(call.name)]
    bodies += [assistant_body(_argument(call, view.tool_kwarg)) for call in said]
    if calls:
        bodies.append(_calls_body("tool_call_message", calls))
    return [body for body in bodies if body is not None]


def _tool(message: Message, view: View) -> list[Json]:
    shown = [one for one in message.tool_returns if not view.speaks_by(one.name)]
    if not shown:
        return []
    return [_returns_body(shown) | {"name": message.name or shown[0].name}]


def _approval(message: Message, view: View) -> list[Json]:
    if message.tool_calls:
        thoughts = [_spoken(part, view) for part in message.parts]
        body = _calls_body("approval_request_message", message.tool_calls)
        return [one for one in thoughts if one is not None] + [body | {"otid": message.id}]
    first = message.approvals[0] if message.approvals else {}
    answers = [_answer_row(one) for one in message.approvals]
    return [
        {
            "message_type": "approval_response_message",
            "approvals": answers,
            "approve": first.get("approve", first.get("status") == "success"),
            "approval_request_id": first.get("approval_request_id"),
            "reason": first.get("reason"),
        }
    ]


def _answer_row(row: Json) -> Json:
    return {key: value for key, value in row.items() if key != "approval_request_id"}


_BY_ROLE = {
    "system": _system,
    "user": _user,
    "summary": _summary,
    "assistant": _assistant,
    "tool": _tool,
    "approval": _approval,
}


# --- bodies ----------------------------------------------------------------------------------


def assistant_body(text: str) -> Json:
    """Return the keys of an answer in words."""
    return {"message_type": "assistant_message", "content": text}


def reasoning_body(text: str, *, native: bool, signature: str | None = None) -> Json:
    """Return the keys of a thought."""
    return {
        "message_type": "reasoning_message",
        "source": "reasoner_model" if native else "non_reasoner_model",
        "reasoning": text,
        "signature": signature,
    }


def _spoken(part: Part, view: View) -> Json | None:
    if isinstance(part, ReasoningPart):
        if not part.text:
            state = "redacted" if part.signature else "omitted"
            hidden = {"state": state, "hidden_reasoning": part.signature}
            return {"message_type": "hidden_reasoning_message", **hidden}
        return reasoning_body(part.text, native=part.native, signature=part.signature)
    if not isinstance(part, TextPart) or not part.text:
        return None
    if view.text_is_reply:
        return assistant_body(part.text)
    return reasoning_body(part.text, native=False)


def _calls_body(message_type: str, calls: Sequence[ToolCall]) -> Json:
    rows = [
        {"name": call.name, "arguments": call.arguments, "tool_call_id": call.id} for call in calls
    ]
    return {"message_type": message_type, "tool_call": rows[0], "tool_calls": rows}


def _returns_body(returns: Sequence[ToolReturn]) -> Json:
    rows = [_return_row(one) for one in returns]
    first = {key: value for key, value in rows[0].items() if key != "type"}
    return {"message_type": "tool_return_message", **first, "tool_returns": rows}


def _return_row(one: ToolReturn) -> Json:
    return {
        "type": "tool",
        "tool_return": one.text,
        "status": one.status,
        "tool_call_id": one.tool_call_id,
        "stdout": list(one.stdout),
        "stderr": list(one.stderr),
    }


def _argument(call: ToolCall, name: str) -> str:
    arguments = _packed(call.arguments)
    return str(arguments.get(name, "")) if arguments else call.arguments


def _packed(text: str) -> Json:
    """Return the JSON object in `text`, or an empty one."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _user_content(message: Message) -> str | list[Json]:
    if any(isinstance(part, ImagePart) for part in message.parts):
        return [encode_part(part) for part in message.parts]
    packed = _packed(message.text)
    # Only this envelope is taken off: logins, heartbeats and alerts are shown as they are stored.
    if packed.get("type") == "user_message" and "message" in packed:
        return str(packed["message"])
    return message.text


def encode_part(part: Part) -> Json:
    """Return a part of a content list."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text, "signature": None}
    if isinstance(part, ReasoningPart):
        body: dict[str, Any] = {"is_native": part.native, "reasoning": part.text}
        return {"type": "reasoning", **body, "signature": part.signature}
    if part.url:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    source = {"type": "base64", "media_type": part.media_type, "data": part.data, "detail": None}
    return {"type": "image", "source": source}
