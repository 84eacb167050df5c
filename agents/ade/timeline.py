"""The conversation as rows, made once for the page and for the fragments pushed to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from agents.ade.markup import to_html
from agents.ade.toolcards import (
    REPLY_TOOL,
    BlockChange,
    ToolCard,
    close_card,
    open_card,
    parse_arguments,
)
from agents.engine.prompt import event_type, unwrap_user_text
from agents.engine.summaries import summary_text
from agents.types import ImagePart, Json, Message, ReasoningPart, ToolReturn

SHORT_CHARS = 160
Changes = Mapping[str, BlockChange]
NO_CUTS: Mapping[str, "Cut"] = {}


@dataclass(frozen=True, slots=True)
class UserRow:
    """What a person, or a program in a person's place, said. `key`: as with QueuedRow."""

    id: str
    seq: int
    at: datetime
    text: str
    images: tuple[str, ...] = ()
    name: str = ""
    key: str = ""
    kind: Literal["user"] = "user"

    @property
    def dom_id(self) -> str:
        """The id of the row in the page."""
        return f"msg-{self.id}"


@dataclass(frozen=True, slots=True)
class QueuedRow:
    """What somebody said to an agent that has not come to it yet."""

    key: str
    text: str
    seq: int = 0
    kind: Literal["queued"] = "queued"

    @property
    def dom_id(self) -> str:
        """The id of the row in the page; `key` is the sender's own name for the message."""
        return f"pending-{self.key}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The message of an agent whose tool calls wait for an answer."""

    agent_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the agent. `lead` is text before its calls, `html` its answer.

    `asks`: its calls wait for the reader. `again`: the page has it in an older form.
    """

    dom_id: str
    seq: int
    at: datetime
    name: str
    reasoning: str = ""
    lead: SafeString | str = ""
    tools: tuple[ToolCard, ...] = ()
    html: SafeString | str = ""
    model: str = ""
    asks: Waiting | None = None
    again: bool = False
    kind: Literal["step"] = "step"

    @property
    def short_reasoning(self) -> bool:
        """Whether the thinking is so short that folding it would only hide it."""
        return 0 < len(self.reasoning) <= SHORT_CHARS

    @property
    def copy(self) -> bool:
        """Whether there are words to copy."""
        return bool(self.html or self.lead)


@dataclass(frozen=True, slots=True)
class Cut:
    """A compaction, as its summary's line tells of it. `latest`: it can be taken back."""

    agent_id: str
    number: int
    messages: int
    tokens_before: int
    tokens_after: int
    undone: bool = False
    latest: bool = False


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A thin line: a system message, a heartbeat, a summary. `again` as with StepRow."""

    id: str
    seq: int
    at: datetime
    label: str
    text: str = ""
    cut: Cut | None = None
    again: bool = False
    kind: Literal["note"] = "note"

    @property
    def dom_id(self) -> str:
        """The id of the row in the page."""
        return f"msg-{self.id}"


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Why a run ended badly, and what to do."""

    dom_id: str
    label: str
    text: str = ""
    todo: str = ""
    detail: str = ""
    mild: bool = False
    seq: int = 0
    kind: Literal["fault"] = "fault"


@dataclass(slots=True)
class LiveRow:
    """A step under way, as far as the page has seen it."""

    dom_id: str
    name: str
    reasoning: str = ""
    text: str = ""
    tools: dict[str, ToolCard] = field(default_factory=dict)
    kind: Literal["live"] = "live"


Row = UserRow | StepRow | NoteRow | FaultRow | QueuedRow


def build_rows(
    messages: Sequence[Message],
    *,
    name: str,
    changes: Changes,
    waiting: Waiting | None = None,
    cuts: Mapping[str, Cut] = NO_CUTS,
) -> list[Row]:
    """Return the rows of `messages`, oldest first.

    `changes` maps tool call ids to block edits, `cuts` messages to the compactions they summarise.
    """
    returns = {r.tool_call_id: r for m in messages for r in m.tool_returns}
    claimed: set[str] = set()
    rows: list[Row] = []
    asking = {m.step_id for m in messages if waiting and m.id == waiting.message_id}
    for message in messages:
        if message.role == "assistant" or message.tool_calls:
            claimed.update(call.id for call in message.tool_calls)
            step = _step_row(message, name, returns, changes)
            if waiting and message.step_id in asking:
                step = _with_question(step, waiting if message.role == "approval" else None)
            rows.append(step)
        elif message.role == "tool":
            _close_with(rows, message)
            rows.extend(_orphans(message, claimed))
        else:
            row = _plain_row(message)
            cut = cuts.get(message.id)
            rows.append(replace(row, cut=cut) if isinstance(row, NoteRow) else row)
    return rows


def spoken_words(message: Message) -> str:
    """Return what an agent's message says to its reader."""
    calls = [call for call in message.tool_calls if call.name == REPLY_TOOL]
    said = [str(parse_arguments(call.arguments).get("message", "")) for call in calls]
    return "\n\n".join(text for text in [*said, message.text] if text)


def step_dom_id(message: Message) -> str:
    """Return the id under which a step's row is found, live and stored."""
    return f"msg-{message.id}"


def _with_question(row: StepRow, asks: Waiting | None) -> StepRow:
    """Let the calls of a row wait; `asks` if it is the row that has the buttons."""
    tools = tuple(replace(card, status="waiting") for card in row.tools)
    return replace(row, asks=asks, tools=tools)


def _close_with(rows: list[Row], message: Message) -> None:
    """The row of a step carries the number of its last message."""
    if rows and isinstance(rows[-1], StepRow):
        rows[-1] = replace(rows[-1], seq=max(rows[-1].seq, message.seq))


def _orphans(message: Message, claimed: set[str]) -> Iterator[Row]:
    for result in message.tool_returns:
        if result.tool_call_id not in claimed:
            label = _("Result of %(tool)s") % {"tool": result.name}
            yield NoteRow(message.id, message.seq, message.created_at, label, result.text)


def _step_row(
    message: Message, name: str, returns: Mapping[str, ToolReturn], changes: Changes
) -> StepRow:
    asked = message.role == "approval"
    spoken = [call for call in message.tool_calls if call.name == REPLY_TOOL and not asked]
    silent = [call for call in message.tool_calls if call.name != REPLY_TOOL or asked]
    said = "\n\n".join(str(parse_arguments(c.arguments).get("message", "")) for c in spoken)
    own = message.text
    dom_id = step_dom_id(message)
    if not message.tool_calls:
        said, own = own, ""
    return StepRow(
        dom_id=dom_id,
        seq=message.seq,
        at=message.created_at,
        name=name,
        reasoning=_reasoning(message),
        lead=to_html(own) if own else "",
        tools=tuple(
            close_card(open_card(call, dom_id), returns.get(call.id), changes.get(call.id))
            for call in silent
        ),
        html=to_html(said) if said else "",
        model=message.model or "",
    )


def _reasoning(message: Message) -> str:
    return "\n\n".join(p.text for p in message.parts if isinstance(p, ReasoningPart) and p.text)


def _plain_row(message: Message) -> Row:
    if message.role == "user":
        if event := event_type(message.text):
            return _user_row(message) if event == "user_message" else _event_row(message, event)
        return _user_row(message)
    said = summary_text(message) if message.role == "summary" else message.text
    said = said or "\n".join(one["reason"] for one in _refusals(message) if one.get("reason"))
    return NoteRow(message.id, message.seq, message.created_at, _label(message), said)


def _refusals(message: Message) -> list[Json]:
    return [one for one in message.approvals if one.get("approve") is False]


def _user_row(message: Message) -> UserRow:
    return UserRow(
        id=message.id,
        seq=message.seq,
        at=message.created_at,
        text=unwrap_user_text(message.text),
        images=_images(message),
        name=message.name or "",
        key=message.otid or message.run_id or "",
    )


def _event_row(message: Message, event: str) -> NoteRow:
    label = event.replace("_", " ").capitalize()
    return NoteRow(message.id, message.seq, message.created_at, label, message.text)


def _label(message: Message) -> str:
    if message.role == "summary":
        return _("Summary of earlier messages")
    if message.role == "approval":
        refused = len(_refusals(message))
        if not refused:
            return _("Approved")
        return _("Denied") if refused == len(message.approvals) else _("Partly denied")
    return _("System message")


def _images(message: Message) -> tuple[str, ...]:
    """Return the pictures that came with the message itself; remote ones are not loaded."""
    parts: Iterable[ImagePart] = (p for p in message.parts if isinstance(p, ImagePart))
    return tuple(f"data:{p.media_type};base64,{p.data}" for p in parts if p.data)
