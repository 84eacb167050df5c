"""HTML fragments for an open page, rendered from the partials the page was made of.

A fragment with an id replaces its namesake; `hx-swap-oob` on it says otherwise.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape, format_html

from agents.ade.status import Status
from agents.ade.timeline import FaultRow, LiveRow, Row
from agents.ade.toolcards import ToolCard

Context = Mapping[str, Any]


def part(name: str, context: Context) -> str:
    """Render a partial."""
    return render_to_string(name, dict(context))


def append(target: str, html: str, tag: str = "div") -> str:
    """Put `html` at the end of the element with the id `target`."""
    return f'<{tag} id="{escape(target)}" hx-swap-oob="beforeend">{html}</{tag}>'


def append_text(target: str, text: str) -> str:
    """Put plain text at the end of the element with the id `target`."""
    return append(target, escape(text))


def replace_inside(target: str, html: str) -> str:
    """Make `html` all there is in the element with the id `target`."""
    return f'<div id="{escape(target)}" hx-swap-oob="innerHTML">{html}</div>'


def remove(target: str) -> str:
    """Take the element with the id `target` away."""
    return str(format_html('<li id="{}" hx-swap-oob="delete"></li>', target))


def rows(found: Sequence[Row], view: str) -> str:
    """Render rows of the conversation."""
    return part("agents/timeline.html#rows", {"rows": found, "view": view})


def append_rows(found: Sequence[Row], view: str) -> str:
    """Put rows at the end of the conversation."""
    return append("log", rows(found, view), "ol") if found else ""


def rows_before(target: str, found: Sequence[Row], view: str) -> str:
    """Put rows in front of a row that is on the page."""
    if not found:
        return ""
    return f'<ol hx-swap-oob="beforebegin:#{escape(target)}">{rows(found, view)}</ol>'


def live_row(row: LiveRow) -> str:
    """Open a row for a step under way."""
    tools = list(row.tools.values())
    context = {"row": {"dom_id": row.dom_id, "name": row.name, "tools": tools}}
    return append("log", part("agents/timeline.html#live", context), "ol")


def live_reasoning(row: LiveRow) -> str:
    """Open the box for the thinking of a live row."""
    html = part("agents/timeline.html#live_think", {"row": row})
    return replace_inside(f"{row.dom_id}-think", html)


def tool(card: ToolCard, *, new_in: LiveRow | None = None) -> str:
    """Render a tool card: a new one at the end of a live row's, else in its place."""
    html = part("agents/timeline.html#tool", {"t": card})
    return append(f"{new_in.dom_id}-tools", html) if new_in else html


def fault(row: FaultRow) -> str:
    """Put an error at the end of the conversation."""
    return append("log", part("agents/timeline.html#fault", {"row": row}), "ol")


def trouble(notice: object, csrf_token: str) -> str:
    """Renew the notice that something is wrong with the agent; empty when nothing is."""
    context = {"trouble": notice, "csrf_token": csrf_token}
    return part("agents/trouble.html#notice", context)


def status(found: Status) -> str:
    """Renew the chip, the stop button and what a screen reader is told."""
    context = {"status": found, "say": found.text}
    names = ("status", "stop", "say")
    return "".join(part(f"agents/workspace.html#{name}", context) for name in names)


def run_line(text: str) -> str:
    """Renew the line with the figures of the last run."""
    return part("agents/workspace.html#run_meta", {"run_meta": text})


def say(text: str) -> str:
    """Tell a screen reader something."""
    return part("agents/workspace.html#say", {"say": text})


def ack(cid: str, error: str = "") -> str:
    """Tell the page what became of a message it sent."""
    found = {"cid": cid, "ok": "0" if error else "1", "text": error}
    return part("agents/workspace.html#ack", {"ack": found})
