"""What the pages of tools show, read from the database in a fixed number of queries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from agents.ade.tool_forms import ArgumentsForm, ToolForm, initial_of
from agents.ade.toolcards import duration_text, icon_of, parse_arguments
from agents.models import Agent, Tool, ToolCall, ToolVersion
from agents.services.tool_code import grants_of
from agents.services.tool_lists import ToolFilter, count_tools
from agents.services.tool_schema import Problem, problems_in, schema_of_source
from agents.types import Json, ToolOutcome
from letta_site.core.errors import Invalid
from letta_site.core.json_lists import has_item
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery

LIST_SIZE = 50
CALLS_SHOWN = 20
AGENTS_SHOWN = 200
ARGUMENT_CHARS = 120


@dataclass(frozen=True, slots=True)
class Kind:
    """Which tools a filter leaves: `key` as in the address."""

    key: str
    text: str
    wanted: Q


def kinds() -> list[Kind]:
    """Return the filters of the library."""
    return [
        Kind("custom", _("Custom"), Q(tool_type="custom")),
        Kind("builtin", _("Built in"), Q(tool_type__startswith="letta_")),
        Kind("mcp", _("MCP"), Q(tool_type__startswith="external_")),
    ]


@dataclass(frozen=True, slots=True)
class LibraryQuery:
    """What the address of the library asks for."""

    words: str = ""
    kind: str = ""
    tag: str = ""
    after: str = ""

    def address(self, **other: str) -> str:
        """Return the address of this query with something else in it."""
        here = {"q": self.words, "type": self.kind, "tag": self.tag, **other}
        kept = {key: value for key, value in here.items() if value}
        return reverse("ade:tools") + (f"?{urlencode(kept)}" if kept else "")


def library_context(actor: Actor, query: LibraryQuery) -> dict[str, Any]:
    """Return a page of tools by name, with how many agents use each."""
    count_tools(actor, wanted=ToolFilter())  # brings the built-in ones up to date
    rows = _matching(actor, query)
    counted = rows.annotate(users=Count("agent_links"))
    wanted = PageQuery(LIST_SIZE + 1, after=query.after or None, order="asc", order_by="name")
    found = page(counted, wanted)
    shown = found[:LIST_SIZE]
    more = len(found) > LIST_SIZE
    return {
        "tools": [_line(row) for row in shown],
        "next_url": query.address(after=shown[-1].id) if more else "",
        "total": rows.count(),
        "query": query,
        "kinds": [
            (kind.text, query.address(type=kind.key), query.kind == kind.key) for kind in kinds()
        ],
        "all_url": query.address(type=""),
        "untagged_url": query.address(tag=""),
        "section": "tools",
    }


def _matching(actor: Actor, query: LibraryQuery) -> "QuerySet[Tool]":
    rows: QuerySet[Tool] = Tool.objects.of(actor)
    for word in query.words.split():
        rows = rows.filter(Q(name__icontains=word) | Q(description__icontains=word))
    for kind in kinds():
        if kind.key == query.kind:
            rows = rows.filter(kind.wanted)
    return rows.filter(has_item(Tool, "tags", query.tag)) if query.tag else rows


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool in the library."""

    id: str
    name: str
    icon: str
    description: str
    kind: str
    tags: Sequence[str]
    grants: Sequence[str]
    users: int
    updated_at: datetime


def _line(row: Any) -> ToolRow:
    return ToolRow(
        id=row.id,
        name=row.name,
        icon=icon_of(row.name),
        description=(row.description or "").strip().split("\n")[0],
        kind=kind_text(row),
        tags=row.tags,
        grants=grants_of(row),
        users=row.users,
        updated_at=row.updated_at,
    )


def kind_text(row: Tool) -> str:
    """Return what sort of tool this is, in a word."""
    if row.tool_type == "custom":
        return _("Custom")
    return _("MCP") if row.tool_type.startswith("external_") else _("Built in")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the source says: a schema, or why there is none."""

    schema: Json
    problems: Sequence[Problem]
    own: bool = False

    @property
    def text(self) -> str:
        """The schema as text."""
        return json.dumps(self.schema, indent=2, ensure_ascii=False) if self.schema else ""


def read_source(source: str, source_type: str, own_schema: Any = None) -> Reading:
    """Return the schema of a source, or its problems; a schema of one's own comes first."""
    problems = problems_in(source) if source_type == "python" else []
    if isinstance(own_schema, dict) and own_schema:
        return Reading(own_schema, [one for one in problems if not own_schema], own=True)
    if source_type != "python":
        return Reading({}, [Problem(0, _("TypeScript needs a JSON schema of your own."))])
    if problems:
        return Reading({}, problems)
    try:
        return Reading(schema_of_source(source), ())
    except Invalid as error:
        return Reading({}, [Problem(0, error.what)])


def reading_of(form: ToolForm) -> Reading:
    """Return what the source in a form says, bound or not."""
    source = str(form["source_code"].value() or "").replace("\r\n", "\n")
    own = form["json_schema"].value()
    if isinstance(own, str):
        own = parse_arguments(own)
    return read_source(source, str(form["source_type"].value() or "python"), own)


def tool_form(row: Tool | None, data: Any = None) -> ToolForm:
    """Return the form of a tool."""
    version = ToolVersion.objects.filter(tool=row).first() if row else None
    number = version.n if version else 0
    initial = initial_of(row, own_schema=bool(row and _has_own_schema(row)), version=number)
    return ToolForm(data, initial=initial, auto_id="tool-%s")


def _has_own_schema(row: Tool) -> bool:
    read = read_source(row.source_code or "", row.source_type or "python")
    return read.schema != row.json_schema


def arguments_form(reading: Reading, data: Any = None, given: Any = None) -> ArgumentsForm:
    """Return the form that a schema asks for."""
    return ArgumentsForm(reading.schema, data, given)


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call that an agent made."""

    pk: int
    agent_id: str
    agent_name: str
    arguments: str
    status: str
    duration: str
    at: datetime


def recent_calls(actor: Actor, row: Tool) -> list[CallLine]:
    """Return the last calls of a tool by agents, the newest first: one query."""
    rows = ToolCall.objects.filter(org_id=actor.org_id, name=row.name).select_related("agent")
    return [
        CallLine(
            pk=call.pk,
            agent_id=call.agent_id,
            agent_name=call.agent.name,
            arguments=_short(call.arguments),
            status=call.status,
            duration=duration_text(call.duration_ns),
            at=call.created_at,
        )
        for call in rows.order_by("-pk")[:CALLS_SHOWN]
    ]


def _short(text: str) -> str:
    return text if len(text) <= ARGUMENT_CHARS else f"{text[:ARGUMENT_CHARS]}…"


def arguments_of_call(actor: Actor, row: Tool, number: str) -> Json:
    """Return what an agent called a tool with; nothing for a call that is not of this tool."""
    if not number.isdecimal() or len(number) > 18:
        return {}
    calls = ToolCall.objects.filter(org_id=actor.org_id, name=row.name, pk=int(number))
    return parse_arguments(next(iter(calls.values_list("arguments", flat=True)), ""))


def users_context(actor: Actor, row: Tool) -> dict[str, Any]:
    """Return which agents have a tool, and which could get it: two queries."""
    agents: QuerySet[Agent] = Agent.objects.of(actor).only("id", "name").order_by("name", "id")
    return {
        "tool": row,
        "users": list(agents.filter(tool_links__tool=row)),
        "others": list(agents.exclude(hidden=True).exclude(tool_links__tool=row)[:AGENTS_SHOWN]),
    }


def side_context(actor: Actor, row: Tool | None) -> dict[str, Any]:
    """Return what is beside the source of a tool that is stored."""
    if row is None:
        return {"tool": None}
    return {
        **users_context(actor, row),
        "calls": recent_calls(actor, row),
        "version_count": ToolVersion.objects.filter(tool=row).count(),
    }


def editor_context(
    actor: Actor,
    row: Tool | None,
    form: ToolForm,
    *,
    reading: Reading,
    arguments: ArgumentsForm,
) -> dict[str, Any]:
    """Return everything that the page of a custom tool shows."""
    return {
        **side_context(actor, row),
        "form": form,
        "reading": reading,
        "arguments": arguments,
        "section": "tools",
    }


@dataclass(frozen=True, slots=True)
class Trial:
    """How a run from the page went."""

    status: str
    duration: str
    text: str
    stdout: str
    stderr: str


def trial_of(outcome: ToolOutcome, duration_ns: int) -> Trial:
    """Return what the page shows of an outcome."""
    text = outcome.text
    if isinstance(outcome.value, dict | list):
        text = json.dumps(outcome.value, indent=2, ensure_ascii=False)
    streams = ("\n".join(outcome.stdout), "\n".join(outcome.stderr))
    return Trial(outcome.status, duration_text(duration_ns), text, *streams)
