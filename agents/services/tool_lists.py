"""Tools: finding them, by filters, by name and by what they are for."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from agents.models import Agent, Tool
from agents.services.tool_seed import ensure_base_tools
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.paging import check_limit, page
from letta_site.core.types import Actor, PageQuery
from memory.logic.words import terms_of, wanted_terms

TOOL_TYPES = (
    "custom",
    "letta_core",
    "letta_memory_core",
    "letta_multi_agent_core",
    "letta_sleeptime_core",
    "letta_voice_sleeptime_core",
    "letta_builtin",
    "letta_files_core",
    "external_langchain",
    "external_composio",
    "external_mcp",
)

# Reciprocal rank fusion with the usual k (Cormack, Clarke, Buettcher, SIGIR 2009); one list here.
_RRF_K = 60
_NAME_WEIGHT = 3


@dataclass(frozen=True, slots=True)
class ToolFilter:
    """Which tools to list; None asks for no restriction."""

    name: str | None = None
    names: tuple[str, ...] | None = None
    tool_ids: tuple[str, ...] | None = None
    search: str | None = None
    tool_types: tuple[str, ...] | None = None
    exclude_tool_types: tuple[str, ...] | None = None
    only_letta: bool = False
    without_letta: bool = False
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolHit:
    """A tool that a search found: `rank` from 1, and the text that was looked through."""

    tool: Tool
    rank: int
    text: str

    @property
    def score(self) -> float:
        """The score of the rank."""
        return 1 / (_RRF_K + self.rank)


def list_tools(actor: Actor, *, query: PageQuery, wanted: ToolFilter) -> list[Tool]:
    """Return a page of tools, built-in ones included. Raises Invalid for an unknown type."""
    ensure_base_tools(actor)
    return page(_matching(actor, wanted), query)


def count_tools(actor: Actor, *, wanted: ToolFilter) -> int:
    """Return how many tools there are."""
    ensure_base_tools(actor)
    return _matching(actor, wanted).count()


def _matching(actor: Actor, wanted: ToolFilter) -> QuerySet[Tool]:
    rows: QuerySet[Tool] = Tool.objects.of(actor)
    checks = {
        "name": wanted.name,
        "name__in": wanted.names,
        "id__in": wanted.tool_ids,
        "tool_type__in": _known_types(wanted.tool_types),
    }
    rows = rows.filter(**{key: value for key, value in checks.items() if value is not None})
    if wanted.project_id:
        rows = rows.filter(Q(project_id=wanted.project_id) | Q(project_id=None))
    if wanted.search:
        rows = rows.filter(name__icontains=wanted.search)
    if wanted.exclude_tool_types:
        rows = rows.exclude(tool_type__in=_known_types(wanted.exclude_tool_types) or ())
    if wanted.only_letta:
        rows = rows.filter(tool_type__startswith="letta_")
    return rows.exclude(tool_type__startswith="letta_") if wanted.without_letta else rows


def _known_types(types: tuple[str, ...] | None) -> tuple[str, ...] | None:
    unknown = set(types or ()) - set(TOOL_TYPES)
    if unknown:
        raise Invalid(f"Unknown tool types {sorted(unknown)}; the types are {list(TOOL_TYPES)}.")
    return types


def list_tools_of(actor: Actor, agent_id: str, *, query: PageQuery) -> list[Tool]:
    """Return a page of an agent's tools. Raises NotFound for an unknown agent."""
    if not Agent.objects.of(actor).filter(pk=agent_id).exists():
        raise NotFound(f"Agent with ID {agent_id} not found")
    return page(Tool.objects.of(actor).filter(agent_links__agent_id=agent_id), query)


def tools_by_name(actor: Actor, names: tuple[str, ...]) -> list[Tool]:
    """Return the tools with these names, in this order. Raises Invalid naming the missing ones."""
    found = {row.name: row for row in Tool.objects.of(actor).filter(name__in=names)}
    missing = [name for name in names if name not in found]
    if missing:
        raise Invalid(f"Tools not found by name: {missing}")
    return [found[name] for name in names]


def tools_by_id(actor: Actor, ids: tuple[str, ...]) -> list[Tool]:
    """Return the tools with these ids, in this order. Raises Invalid naming the missing ones."""
    found = {row.id: row for row in Tool.objects.of(actor).filter(pk__in=ids)}
    missing = [one for one in ids if one not in found]
    if missing:
        raise Invalid(f"Tools not found by id: {missing}")
    return [found[one] for one in ids]


def search_tools(
    actor: Actor, query: str | None, *, wanted: ToolFilter, tags: tuple[str, ...], limit: int
) -> list[ToolHit]:
    """Return the tools whose name or description has words of `query`, the best first.

    Without a query all that the filters leave are found. `tags`: any of them.
    """
    most = check_limit(limit)
    ensure_base_tools(actor)
    rows = [
        row
        for row in _matching(actor, wanted).order_by("name")
        if not tags or set(tags) & set(row.tags)
    ]
    terms = wanted_terms(query or "")
    if (query or "").strip():
        scored = [(_weight(row, terms), row) for row in rows]
        rows = [row for weight, row in sorted(scored, key=lambda one: -one[0]) if weight]
    return [ToolHit(row, n, _text(row)) for n, row in enumerate(rows[:most], start=1)]


def _weight(row: Tool, terms: list[str]) -> int:
    name, text = set(terms_of(row.name)), set(terms_of(row.description or ""))
    return sum(_NAME_WEIGHT * (term in name) + (term in text) for term in terms)


def _text(row: Tool) -> str:
    return f"{row.name}\n{row.description or ''}"
