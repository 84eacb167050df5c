"""What a run looks like in a terminal: words as they come, everything else on a line of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agents.engine.approvals import WAITING
from agents.engine.arguments import SPEAKING_TOOL
from agents.engine.events import (
    Event,
    RunFinished,
    StepCommitted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolReturned,
    ToolStarted,
)
from agents.types import Message, ToolCall
from agents.wire.encode import partial_argument

LINE_CHARS = 160
_QUIET_STOPS = ("end_turn", "tool_rule")
_UNSAFE = {code: "\ufffd" for code in (*range(9), *range(11, 32), *range(127, 160))}


@dataclass(slots=True)
class Terminal:
    """A consumer of one conversation's events. `say` writes words, `note` one line of the rest.

    `text_is_reply`: whether the agent's plain text is for the user, or only what it sends.
    """

    say: Callable[[str], Any]
    note: Callable[[str], Any]
    text_is_reply: bool = True
    shown: dict[str, str] = field(default_factory=dict)
    arguments: dict[tuple[str, int], str] = field(default_factory=dict)
    names: dict[tuple[str, int], str] = field(default_factory=dict)
    calls: dict[str, ToolCall] = field(default_factory=dict)
    message_id: str = ""
    step_id: str = ""
    fresh_line: bool = True

    def show(self, event: Event) -> None:
        """Write what this event adds, often nothing."""
        if show := _SHOWN.get(type(event)):
            show(self, event)

    def _start(self, event: StepStarted) -> None:
        if event.step_id == self.step_id and self.shown.get(self.message_id):
            self._line("the answer broke off and is asked for again")
        self.message_id, self.step_id = event.message_id, event.step_id

    def _text(self, event: TextDelta) -> None:
        if self.text_is_reply:
            self._add(event.message_id, event.text)

    def _piece(self, event: ToolCallDelta) -> None:
        key = (event.message_id, event.index)
        if self.names.setdefault(key, event.name or "") != SPEAKING_TOOL:
            return
        self.arguments[key] = self.arguments.get(key, "") + event.arguments
        said = partial_argument(self.arguments[key], "message")
        self._add(event.message_id, said[len(self.shown.get(event.message_id, "")) :])

    def _add(self, message_id: str, text: str) -> None:
        if not text:
            return
        self.shown[message_id] = self.shown.get(message_id, "") + text
        self.say(printable(text))
        self.fresh_line = text.endswith("\n")

    def _started(self, event: ToolStarted) -> None:
        self.calls[event.call.id] = event.call

    def _returned(self, event: ToolReturned) -> None:
        call = self.calls.pop(event.result.tool_call_id, None)
        if call is None or call.name == SPEAKING_TOOL:
            return
        mark = "failed" if event.result.status == "error" else "->"
        self._line(f"{written(call)} {mark} {event.result.text}")

    def _commit(self, event: StepCommitted) -> None:
        for message in event.messages:
            if message.role == "assistant":
                before = self.shown.get(message.id, "")
                words = self._words(message)
                self._add(message.id, words.removeprefix(before))
        for block in event.changed_blocks:
            self._line(f"memory: {block.label} is now {block.value}")
        if event.passages_added:
            self._line(f"memory: {event.passages_added} added to the archive")

    def _words(self, message: Message) -> str:
        sent = [call for call in message.tool_calls if call.name == SPEAKING_TOOL]
        said = [partial_argument(call.arguments, "message") for call in sent]
        return "\n".join([message.text, *said] if self.text_is_reply else said).strip("\n")

    def _end(self, event: RunFinished) -> None:
        if event.failure:
            failure = event.failure
            said = filter(None, (failure.message, failure.todo, failure.detail))
            self._line(" ".join(said), whole=True)
        elif event.stop_reason == WAITING:
            self._line("waiting for your approval")
        elif event.stop_reason not in _QUIET_STOPS:
            self._line(f"stopped: {event.stop_reason}")
        elif not self.fresh_line:
            self.say("\n")
            self.fresh_line = True

    def _line(self, text: str, *, whole: bool = False) -> None:
        if not self.fresh_line:
            self.say("\n")
            self.fresh_line = True
        flat = " ".join(printable(text).split())
        self.note(flat if whole or len(flat) <= LINE_CHARS else f"{flat[: LINE_CHARS - 3]}...")


_SHOWN: dict[type[Any], Callable[[Terminal, Any], None]] = {
    StepStarted: Terminal._start,
    TextDelta: Terminal._text,
    ToolCallDelta: Terminal._piece,
    ToolStarted: Terminal._started,
    ToolReturned: Terminal._returned,
    StepCommitted: Terminal._commit,
    RunFinished: Terminal._end,
}


def printable(text: str) -> str:
    """Return text without the control characters that could take over a terminal."""
    return text.translate(_UNSAFE)


def written(call: ToolCall) -> str:
    """Return a call as it would be written, safe to be shown."""
    return printable(f"{call.name}({_inner(call.arguments)})")


def _inner(arguments: str) -> str:
    """Return arguments as they would be written in a call."""
    try:
        values = json.loads(arguments)
    except ValueError:
        return arguments
    if not isinstance(values, dict):
        return arguments
    return ", ".join(f"{key}={json.dumps(one, ensure_ascii=False)}" for key, one in values.items())
