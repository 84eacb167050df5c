"""What an open page shows of runs under way: events in, fragments out.

Deltas are collected and leave together when `flush` is called; the stored truth replaces them.
"""

from collections.abc import Sequence

from agents.ade import fragments, status
from agents.ade.partial_json import text_so_far
from agents.ade.timeline import LiveRow, NoteRow, Row, StepRow
from agents.ade.toolcards import REPLY_TOOL, ToolCard, close_card, open_card
from agents.engine.events import (
    Event,
    ReasoningDelta,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolReturned,
    ToolStarted,
)
from agents.types import ToolCall


class LiveView:
    """The live rows of one page, and what waits to be sent to it."""

    def __init__(self, name: str, seq: int, view: str = "chat") -> None:
        self.name = name
        self.seq = seq
        self.view = view
        self._rows: dict[str, LiveRow] = {}
        self._message_of: dict[str, str] = {}
        self._calls: dict[tuple[str, int], ToolCall] = {}
        self._stored: set[str] = set()
        self._text: dict[str, str] = {}
        self._reasoning: dict[str, str] = {}
        self._out: list[str] = []

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._out or self._text or self._reasoning)

    def push(self, *html: str) -> None:
        """Queue finished fragments behind what is already waiting."""
        self._collect()
        self._out.extend(piece for piece in html if piece)

    def flush(self) -> str:
        """Return everything that waits, in order, as one message."""
        self._collect()
        html, self._out = "".join(self._out), []
        return html

    def absorb(self, event: Event) -> None:
        """Take in an event of a step under way."""
        if isinstance(event, StepStarted):
            self._forget(self._message_of.get(event.step_id, event.message_id), event.message_id)
            self._message_of[event.step_id] = event.message_id
            self._open(event.message_id)
            self.push(fragments.status(status.thinking()))
        elif isinstance(event, TextDelta):
            self._say(event.message_id, event.text)
        elif isinstance(event, ReasoningDelta):
            self._think(event.message_id, event.text)
        elif isinstance(event, ToolCallDelta):
            self._call_piece(event)
        elif isinstance(event, ToolStarted):
            self._start_tool(event)
        elif isinstance(event, ToolReturned):
            self._end_tool(event)

    def settle(self, rows: Sequence[Row]) -> None:
        """Show stored rows: in place of their live ones, or at the end."""
        before: list[Row] = []
        for row in rows:
            self.seq = max(self.seq, row.seq)
            self._stored.add(row.dom_id)
            if isinstance(row, StepRow | NoteRow) and row.again:
                self.push(fragments.rows([row], self.view))
                continue
            if self._rows.pop(row.dom_id, None) is None:
                before.append(row)
                continue
            self.push(
                fragments.rows_before(row.dom_id, before, self.view),
                fragments.rows([row], self.view),
            )
            before = []
        self.push(fragments.append_rows(before, self.view))

    def close(self) -> None:
        """Take away rows of steps that were never stored."""
        self.push(*(fragments.remove(dom_id) for dom_id in self._rows))
        self._rows.clear()
        self._calls.clear()
        self._message_of.clear()

    def _forget(self, before: str, message_id: str) -> None:
        """Take away the row of an answer that broke off and is asked for anew."""
        row = self._rows.pop(f"msg-{before}", None) if before != message_id else None
        if row is not None:
            self.push(fragments.remove(row.dom_id))

    def _open(self, message_id: str) -> LiveRow | None:
        dom_id = f"msg-{message_id}"
        if dom_id in self._stored:
            return None
        if dom_id not in self._rows:
            self._rows[dom_id] = LiveRow(dom_id, self.name)
            self.push(fragments.live_row(self._rows[dom_id]))
        return self._rows[dom_id]

    def _say(self, message_id: str, text: str) -> None:
        if (row := self._open(message_id)) and text:
            row.text += text
            self._text[row.dom_id] = self._text.get(row.dom_id, "") + text

    def _think(self, message_id: str, text: str) -> None:
        row = self._open(message_id)
        if row is None:
            return
        if not row.reasoning:
            row.reasoning = text
            self.push(fragments.live_reasoning(row))
            return
        row.reasoning += text
        self._reasoning[row.dom_id] = self._reasoning.get(row.dom_id, "") + text

    def _call_piece(self, event: ToolCallDelta) -> None:
        row = self._open(event.message_id)
        if row is None:
            return
        key = (event.message_id, event.index)
        call = self._calls.get(key) or ToolCall(event.tool_call_id, event.name or "", "")
        call = ToolCall(call.id, call.name or event.name or "", call.arguments + event.arguments)
        is_new = key not in self._calls
        self._calls[key] = call
        if call.name == REPLY_TOOL:
            said = text_so_far(call.arguments, "message")
            self._say(event.message_id, said[len(row.text) :])
        elif is_new and call.name:
            self._show_card(row, open_card(ToolCall(call.id, call.name, ""), row.dom_id))

    def _row_of(self, step_id: str) -> LiveRow | None:
        """Return the row of a step; a page that came in its middle does not know it."""
        known = self._message_of.get(step_id)
        if known is None and self._rows:
            return list(self._rows.values())[-1]
        return self._open(known or step_id)

    def _start_tool(self, event: ToolStarted) -> None:
        row = self._row_of(event.step_id)
        if row is None or event.call.name == REPLY_TOOL:
            return
        self._show_card(row, open_card(event.call, row.dom_id))
        self.push(fragments.status(status.using(event.call.name)))

    def _end_tool(self, event: ToolReturned) -> None:
        row = self._row_of(event.step_id)
        card = row.tools.get(event.result.tool_call_id) if row else None
        if row and card:
            self._show_card(row, close_card(card, event.result))

    def _show_card(self, row: LiveRow, card: ToolCard) -> None:
        known = card.id in row.tools
        row.tools[card.id] = card
        self.push(fragments.tool(card, new_in=None if known else row))

    def _collect(self) -> None:
        for dom_id, text in self._reasoning.items():
            self._out.append(fragments.append_text(f"{dom_id}-why", text))
        for dom_id, text in self._text.items():
            self._out.append(fragments.append_text(f"{dom_id}-text", text))
        self._reasoning.clear()
        self._text.clear()
