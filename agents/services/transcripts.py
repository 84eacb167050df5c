"""What was said in an agent's history, as lines for others to read."""

from collections.abc import Iterable
from dataclasses import dataclass

from agents.engine.prompt import event_type, unwrap_user_text
from agents.models import Message
from agents.services.messages import spoken, to_type
from agents.types import Message as MessageValue

MAX_LINE_CHARS = 8_000
MAX_RETURN_CHARS = 1_000
_SPEAKING = "send_message"


@dataclass(frozen=True, slots=True)
class Line:
    """Something that somebody said, or what a tool gave. `seq` is its message's."""

    message_id: str
    seq: int
    speaker: str
    text: str


def dialogue(agent_id: str, *, after_seq: int) -> list[Line]:
    """Return what was said to and by an agent after a point of its history, oldest first."""
    rows = Message.objects.filter(agent_id=agent_id, seq__gt=after_seq, run_id__isnull=False)
    values = (to_type(row) for row in rows.exclude(role="summary").order_by("seq"))
    return [line for value in values for line in _lines(value)]


def _lines(value: MessageValue) -> Iterable[Line]:
    if value.role == "tool":
        for one in value.tool_returns:
            if one.name != _SPEAKING:
                text = _clip(one.text, MAX_RETURN_CHARS)
                yield Line(value.id, value.seq, f"tool {one.name}", text)
        return
    text = unwrap_user_text(spoken(value)).strip()
    if text and not (value.role == "user" and event_type(text)):
        yield Line(value.id, value.seq, value.role, _clip(text, MAX_LINE_CHARS))


def _clip(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]} [{len(text) - limit} more characters left out]"


def write_lines(lines: Iterable[Line], *, numbered: bool = False) -> str:
    """Return the lines as text, numbered from 0 if wanted."""
    said = (f"{line.speaker}: {line.text}" for line in lines)
    return "\n".join(f"{n}. {one}" if numbered else one for n, one in enumerate(said))
