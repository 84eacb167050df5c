"""Refuse what the real provider refuses, so that a server with broken histories fails its tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.openai_replies import Failure, Json, error_body

ROLES = {"system", "developer", "user", "assistant", "tool"}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
KNOWN_ARGUMENTS = frozenset(
    "model messages stream stream_options tools tool_choice parallel_tool_calls temperature top_p "
    "n stop max_tokens max_completion_tokens presence_penalty frequency_penalty logit_bias "
    "logprobs top_logprobs response_format seed user store metadata reasoning_effort verbosity "
    "service_tier modalities audio prediction safety_identifier prompt_cache_key "
    "web_search_options".split()
)


class Refused(Exception):
    """The request is one the real provider answers with status 400."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.failure = Failure(400, error_body(message, param=param))


def require(condition: object, message: str, param: str | None = None) -> None:
    if not condition:
        raise Refused(message, param)


def check_chat_request(body: Json) -> None:
    """Raise Refused on the first fault found."""
    unknown = sorted(set(body) - KNOWN_ARGUMENTS)
    require(not unknown, f"Unrecognized request argument supplied: {', '.join(unknown)}")
    check_options(body)
    check_tools(body)
    messages = body.get("messages")
    require(isinstance(messages, list) and messages, "[] is too short - 'messages'", "messages")
    for index, message in enumerate(messages or []):
        check_message(index, message)
    check_pairing(messages or [])


def check_options(body: Json) -> None:
    streaming = body.get("stream")
    require(
        streaming or not body.get("stream_options"),
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
    )
    require(
        not (body.get("max_tokens") and body.get("max_completion_tokens")),
        "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        "max_tokens",
    )


def check_tools(body: Json) -> None:
    tools = body.get("tools")
    for dependent in ("tool_choice", "parallel_tool_calls"):
        require(
            tools or body.get(dependent) is None,
            f"'{dependent}' is only allowed when 'tools' are specified.",
            dependent,
        )
    if tools is None:
        return
    require(tools, "[] is too short - 'tools'", "tools")
    names = [check_tool(index, tool) for index, tool in enumerate(tools)]
    require(len(set(names)) == len(names), "Tool names must be unique.", "tools")
    check_choice(body.get("tool_choice"), names)


def check_tool(index: int, tool: Json) -> str:
    where = f"tools[{index}]"
    require(tool.get("type") == "function", f"Invalid value: '{where}.type'.", f"{where}.type")
    function = tool.get("function") or {}
    name = function.get("name") or ""
    require(
        TOOL_NAME.fullmatch(name),
        f"Invalid '{where}.function.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.",
        f"{where}.function.name",
    )
    check_parameters(where, name, function.get("parameters", {"type": "object", "properties": {}}))
    return str(name)


def check_parameters(where: str, name: str, schema: Any) -> None:
    shaped = isinstance(schema, dict) and schema.get("type") == "object"
    message = f"Invalid schema for function '{name}': schema must be a JSON Schema of type 'object'"
    require(shaped, message, f"{where}.function.parameters")
    missing = set(schema.get("required", [])) - set(schema.get("properties", {}))
    require(not missing, f"{message}; required names {sorted(missing)} are not properties", where)


def check_choice(choice: Any, names: list[str]) -> None:
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        require(
            name in names,
            f"Invalid value for 'tool_choice': 'function.name' {name} is not among the tools.",
            "tool_choice",
        )
        return
    require(choice in (None, "auto", "none", "required"), "Invalid 'tool_choice'.", "tool_choice")


def check_message(index: int, message: Json) -> None:
    where = f"messages.[{index}]"
    role = message.get("role")
    require(role in ROLES, f"Invalid value: '{role}'. Supported: {sorted(ROLES)}", f"{where}.role")
    if role == "assistant":
        check_assistant(where, message)
        return
    content = message.get("content")
    filled = content if role == "user" else content is not None
    require(
        isinstance(content, str | list) and (filled or role != "user"),
        f"Invalid value for 'content': expected a string, got {content!r}.",
        f"{where}.content",
    )
    if role == "tool":
        require(
            isinstance(message.get("tool_call_id"), str),
            f"Missing required parameter: '{where}.tool_call_id'.",
            f"{where}.tool_call_id",
        )


def check_assistant(where: str, message: Json) -> None:
    calls = message.get("tool_calls")
    require(calls is None or calls, "[] is too short - 'tool_calls'", f"{where}.tool_calls")
    require(
        message.get("content") or calls,
        "Invalid value for 'content': expected a string, got null.",
        f"{where}.content",
    )
    for call in calls or []:
        function = call.get("function") or {}
        good = isinstance(call.get("id"), str) and isinstance(function.get("arguments"), str)
        named = TOOL_NAME.fullmatch(function.get("name") or "")
        require(good and named, "Invalid tool call.", f"{where}.tool_calls")


def check_pairing(messages: list[Json]) -> None:
    """Every call is answered by the tool messages right behind it, and nothing else is."""
    open_ids: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages.[{index}].role"
        if message["role"] == "tool":
            require(message["tool_call_id"] in open_ids, ORPHAN, where)
            open_ids.discard(message["tool_call_id"])
            continue
        require(not open_ids, UNANSWERED + ", ".join(sorted(open_ids)), where)
        open_ids = set(call_ids(message))
    require(not open_ids, UNANSWERED + ", ".join(sorted(open_ids)), "messages")


def call_ids(message: Json) -> Iterator[str]:
    for call in message.get("tool_calls") or []:
        yield call["id"]


ORPHAN = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. The following tool_call_ids did not have response messages: "
)
