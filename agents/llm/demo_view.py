"""What the demo model sees: its request, read back into blocks, input and returns. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.engine.ports import ChatRequest
from agents.engine.prompt import event_type, unwrap_tool_return, unwrap_user_text
from agents.types import Json, Message, ToolCall, ToolReturn, ToolSpec

_BLOCK = re.compile(
    r"^<(?P<label>[^<>\n]+)>\n<description>\n(?P<about>.*?)\n</description>\n"
    r"<metadata>\n(?P<facts>.*?)\n</metadata>\n(?P<numbered><warning>\n.*?\n</warning>\n)?"
    r"<value>\n(?P<value>.*?)\n</value>\n</(?P=label)>$",
    re.DOTALL | re.MULTILINE,
)
_NOW_READS = re.compile(r"The block '(?P<label>.+?)' now reads:\n(?P<value>.*)\Z", re.DOTALL)
_PLAIN_EDITORS = ("core_memory_append", "core_memory_replace")  # these return the value alone
_NUMBER = re.compile(r"^\d+→ ", re.MULTILINE)
_USER_LABELS = ("human", "user", "about_user", "user_profile", "profile")


@dataclass(frozen=True, slots=True)
class Seen:
    """A memory block, as the prompt shows it."""

    label: str
    value: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One request: what the user wants, and which tools were called since, with what result."""

    said: str
    blocks: tuple[Seen, ...]
    tools: dict[str, ToolSpec]
    calls: tuple[ToolCall, ...]
    returns: tuple[ToolReturn, ...]

    @property
    def human(self) -> Seen | None:
        """The block about the user: by its name, else the first that is not about the agent."""
        for block in self.blocks:
            if block.label.lower() in _USER_LABELS:
                return block
        others = (one for one in self.blocks if "persona" not in one.label and not one.read_only)
        return next(others, None)

    @property
    def persona(self) -> str:
        """What the agent is told to be."""
        texts = [block.value for block in self.blocks if block.label == "persona"]
        return texts[0].strip() if texts else ""

    @property
    def notes(self) -> list[str]:
        """The lines that say something about the user."""
        return _lines(self.human.value) if self.human else []

    @property
    def other_notes(self) -> list[str]:
        """The lines of all other blocks but the persona."""
        others = [one for one in self.blocks if one != self.human and one.label != "persona"]
        return [line for block in others for line in _lines(block.value)]

    def first_tool(self, *names: str) -> str | None:
        """Return the first of these tools that the agent has."""
        return next((name for name in names if name in self.tools), None)

    def has_called(self, tool: str, arguments: Json) -> bool:
        """Tell whether this call was made in this turn; other arguments beside do not matter."""
        made = (_arguments(call) for call in self.calls if call.name == tool)
        return any(arguments.items() <= given.items() for given in made)

    def passed_to(self, tools: Sequence[str]) -> str:
        """Return everything that was passed to these tools in this turn."""
        made = (_arguments(call) for call in self.calls if call.name in tools)
        return "\n".join(str(value) for given in made for value in given.values())

    def failure(self) -> str | None:
        """Return why a call of this turn failed, if one did."""
        failed = (unwrap_tool_return(one.text)[1] for one in self.returns if one.status == "error")
        return next(failed, None)

    def returned(self, *names: str) -> str | None:
        """Return what the latest call of one of these tools gave back."""
        texts = [unwrap_tool_return(one.text)[1] for one in self.returns if one.name in names]
        return texts[-1] if texts else None


def read_turn(request: ChatRequest) -> Turn:
    """Return the turn that a request asks to go on with."""
    messages = request.transcript.messages
    start = _input_start(messages)
    said = [unwrap_user_text(one.text) for one in messages[start:] if _is_input(one)]
    return Turn(
        said="\n".join(said),
        blocks=tuple(_as_edited(read_blocks(request.transcript.system), messages)),
        tools={tool.name: tool for tool in request.tools},
        calls=tuple(call for message in messages[start:] for call in message.tool_calls),
        returns=tuple(one for message in messages[start:] for one in message.tool_returns),
    )


def read_blocks(system: str) -> list[Seen]:
    """Return the blocks in a compiled system prompt, without line numbers."""
    start, end = system.find("<memory_blocks>"), system.rfind("</memory_blocks>")
    return [
        Seen(
            match["label"],
            _NUMBER.sub("", match["value"]) if match["numbered"] else match["value"],
            "read_only=true" in match["facts"],
        )
        for match in (_BLOCK.finditer(system[start:end]) if 0 <= start < end else ())
    ]


def _as_edited(blocks: list[Seen], messages: Sequence[Message]) -> list[Seen]:
    """Return blocks as later edits in the window left them: the head does not follow at once."""
    known = {block.label: block for block in blocks}
    calls = {call.id: call for message in messages for call in message.tool_calls}
    for one in (one for message in messages for one in message.tool_returns):
        match = _NOW_READS.match(unwrap_tool_return(one.text)[1])
        label = match["label"] if match else ""
        value = match["value"] if match else unwrap_tool_return(one.text)[1]
        if one.name in _PLAIN_EDITORS and one.tool_call_id in calls:
            label = str(_arguments(calls[one.tool_call_id]).get("label", ""))
        if label in known and one.status == "success":
            known[label] = replace(known[label], value=value)
    return list(known.values())


def found(text: str | None) -> list[Json]:
    """Return the results in what a search tool gave back."""
    try:
        parsed = json.loads(text or "[]")
    except ValueError:
        return []
    rows = parsed.get("results", []) if isinstance(parsed, dict) else parsed
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _arguments(call: ToolCall) -> Json:
    try:
        parsed = json.loads(call.arguments)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.split("\n") if line.strip()]


def _is_input(message: Message) -> bool:
    if message.role == "system":
        return True
    return message.role == "user" and event_type(message.text) in (None, "user_message")


def _input_start(messages: Sequence[Message]) -> int:
    """Return where the latest input begins; several in a row belong together."""
    at = len(messages)
    while at and not _is_input(messages[at - 1]):
        at -= 1
    while at > 1 and _is_input(messages[at - 2]):
        if messages[at - 2].run_id != messages[at - 1].run_id:
            break
        at -= 1
    return max(0, at - 1)
