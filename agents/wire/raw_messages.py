"""Stored messages as they are, in the shape of the contract's internal `Message`."""

from agents.models import Message
from agents.types import Json
from agents.wire.moments import stamp

_PLAIN = (
    "id",
    "agent_id",
    "conversation_id",
    "model",
    "role",
    "name",
    "step_id",
    "run_id",
    "otid",
    "sender_id",
    "group_id",
    "created_by_id",
    "last_updated_by_id",
)


def encode_raw(message: Message) -> Json:
    """Return a stored message with its parts, calls and returns."""
    calls = [_call(call) for call in message.tool_calls]
    returns = [_return(one) for one in message.tool_returns]
    return {
        **{name: getattr(message, name) for name in _PLAIN},
        "created_at": stamp(message.created_at),
        "updated_at": stamp(message.updated_at),
        "content": [_part(part) for part in message.content] or _return_text(message),
        "tool_calls": calls or None,
        "tool_call_id": returns[0]["tool_call_id"] if returns else None,
        "tool_returns": returns or None,
        "is_err": True if message.is_err else None,
        "batch_item_id": None,
        "approvals": message.approvals or None,
        "approval_request_id": None,
        "approve": None,
        "denial_reason": None,
    }


def _part(part: Json) -> Json:
    kind = part.get("type")
    if kind == "reasoning":
        return {
            "type": "reasoning",
            "is_native": part.get("native", True),
            "reasoning": part["text"],
            "signature": part.get("signature"),
        }
    if kind == "image" and part.get("url"):
        return {"type": "image", "source": {"type": "url", "url": part["url"]}}
    if kind == "image":
        source = {"media_type": part.get("media_type"), "data": part.get("data"), "detail": None}
        return {"type": "image", "source": {"type": "base64", **source}}
    return {"type": "text", "text": part.get("text", ""), "signature": None}


def _return_text(message: Message) -> list[Json]:
    return [_part({"text": one["text"]}) for one in message.tool_returns]


def _call(call: Json) -> Json:
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}


def _return(one: Json) -> Json:
    return {
        "tool_call_id": one["tool_call_id"],
        "status": one["status"],
        "stdout": one.get("stdout") or [],
        "stderr": one.get("stderr") or [],
        "func_response": one["text"],
    }
