"""What the pages of agents show, read from the database in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils.translation import gettext as _

from agents.ade import history, status
from agents.ade.forms import AboutForm, Choices, PromptForm, SettingsForm
from agents.ade.snippets import snippets_for
from agents.ade.state import agent_block_cards, agent_meter, passage_list
from agents.ade.status import Status
from agents.ade.toolcards import icon_of
from agents.ade.trouble import notice_of, status_of
from agents.llm.catalog import list_models
from agents.llm.providers import DEMO_HANDLE
from agents.models import Agent, AgentTool, Tool
from agents.runtime.boot import find_lost
from agents.runtime.runner import in_hand
from agents.services.agent_rules import APPROVAL
from agents.services.calling import model_params
from agents.services.kit import tool_spec
from agents.services.signs import Shown, last_and_active, list_active
from agents.services.snapshot import load_transcript
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.ade.asking import actor_of
from memory.ade.forms import NewBlockForm, PassageForm
from memory.models import Block

SPARE_BLOCKS = 50


@dataclass(frozen=True, slots=True)
class AgentLine:
    """An agent in the list."""

    id: str
    name: str
    description: str
    model: str
    tags: Sequence[str]
    status: Status | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A tool in a list."""

    id: str
    name: str
    icon: str
    description: str
    asks_first: bool


def find_agent(actor: Actor, agent_id: str) -> Agent:
    """Return an agent. Raises NotFound."""
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return agent


def agent_lines(agents: Sequence[Agent]) -> list[AgentLine]:
    """Return the lines of agents whose tags are prefetched: one query for their runs."""
    at_work = in_hand()
    active = list_active([agent.id for agent in agents])
    now = {run.agent_id: status.of_run(run) for run in reversed(active)}
    now |= {run.agent_id: status.stuck() for run in find_lost(active, at_work)}
    return [_agent_line(agent, now.get(agent.id)) for agent in agents]


def _agent_line(agent: Agent, now: Status | None) -> AgentLine:
    has_run = agent.last_run_completion or agent.last_stop_reason
    return AgentLine(
        id=agent.id,
        name=agent.name,
        description=agent.description or "",
        model=agent.model,
        tags=tags_of(agent),
        status=now or (status.ended(agent.last_stop_reason) if has_run else None),
        updated_at=agent.updated_at,
    )


def tags_of(agent: Agent) -> list[str]:
    """Return the tags of an agent in their order."""
    return [row.tag for row in agent.tag_rows.all()]


def model_choices(actor: Actor, *, present: str = "") -> Choices:
    """Return the chat models to choose from, with the present one even if nobody offers it now."""
    handles = [one.handle for one in list_models(actor.org_id)]
    if present and present not in handles:
        handles.insert(0, present)
    return [(handle, _choice_label(handle)) for handle in handles]


def _choice_label(handle: str) -> str:
    if handle != DEMO_HANDLE:
        return handle
    return _("%(handle)s (offline, rule-based)") % {"handle": handle}


def tool_line(row: Tool, *, asks_first: bool = False) -> ToolLine:
    """Return the line of a tool."""
    return ToolLine(row.id, row.name, icon_of(row.name), row.description or "", asks_first)


def attached_tools(agent: Agent) -> list[Tool]:
    """Return the tools of an agent in the order of attachment: one query."""
    links = AgentTool.objects.filter(agent=agent).select_related("tool").order_by("id")
    return [link.tool for link in links]


def tools_context(actor: Actor, agent: Agent, attached: Sequence[Tool]) -> dict[str, Any]:
    """Return the tools of an agent and those it could get."""
    asking = {rule.get("tool_name") for rule in agent.tool_rules if rule.get("type") == APPROVAL}
    others = Tool.objects.of(actor).exclude(pk__in=[row.pk for row in attached])
    spare = others.only("id", "name", "description").order_by("name")
    return {
        "agent": agent,
        "tools": [tool_line(row, asks_first=row.name in asking) for row in attached],
        "spare_tools": [tool_line(row) for row in spare],
    }


def settings_form(actor: Actor, agent: Agent, data: Any = None) -> SettingsForm:
    """Return the form of an agent's model."""
    params = model_params(agent)
    initial = {
        "model": agent.model,
        "context_window_limit": agent.context_window_limit,
        "temperature": params.temperature,
        "max_output_tokens": params.max_tokens,
    }
    models = model_choices(actor, present=agent.model)
    return SettingsForm(data, models=models, initial=initial, auto_id="settings-%s")


def prompt_form(agent: Agent, data: Any = None) -> PromptForm:
    """Return the form of an agent's system prompt."""
    return PromptForm(data, initial={"system": agent.system}, auto_id="prompt-%s")


def about_form(agent: Agent, data: Any = None) -> AboutForm:
    """Return the form of an agent's name, description and tags."""
    initial = {
        "name": agent.name,
        "description": agent.description or "",
        "tags": ", ".join(tags_of(agent)),
    }
    return AboutForm(data, initial=initial, auto_id="about-%s")


def spare_blocks(actor: Actor, agent: Agent) -> "QuerySet[Block]":
    """Return blocks that the agent could get: those whose label it does not have yet."""
    taken = Block.objects.filter(agent_links__agent=agent).values("label")
    rows: QuerySet[Block] = Block.objects.of(actor).exclude(label__in=taken).order_by("label", "pk")
    return rows[:SPARE_BLOCKS]


def state_context(actor: Actor, agent: Agent, *, query: str = "") -> dict[str, Any]:
    """Return the blocks and passages of an agent with empty forms for more."""
    return {
        "agent": agent,
        "blocks": agent_block_cards(agent),
        "spare_blocks": spare_blocks(actor, agent),
        "block_form": NewBlockForm(auto_id="new-block-%s"),
        "passages": passage_list(actor, agent, query),
        "passage_form": PassageForm(auto_id="new-passage-%s"),
    }


def talk_context(
    agent: Agent, tools: Sequence[Tool], *, before: int | None, view: str
) -> dict[str, Any]:
    """Return the conversation, the state of the agent, and the meter of its window."""
    conversation = history.main_conversation(agent)
    rows, older = history.page_of_rows(agent, conversation, before=before)
    window, at_work = load_transcript(conversation), in_hand()
    run, active = last_and_active(agent.id)
    notice = notice_of(Shown(agent, conversation, window, run, active), at_work)
    if not before:
        rows += [history.fault_row(run.error, run.id)] if run and run.error else []
        rows += history.queued_rows(active, conversation)
    return {
        "rows": rows,
        "older_than": older,
        "status": status_of(notice, run),
        "run_meta": status.run_line(run),
        "ctx": agent_meter(agent, [tool_spec(row) for row in tools], window),
        "trouble": notice,
        "view": view,
    }


def workspace_context(request: HttpRequest, agent_id: str) -> dict[str, Any]:
    """Return everything that the workspace shows."""
    actor = actor_of(request)
    agent = find_agent(actor, agent_id)
    view = "debug" if request.GET.get("view") == "debug" else "chat"
    tools = attached_tools(agent)
    return {
        **talk_context(agent, tools, before=sequence_number(request), view=view),
        **tools_context(actor, agent, tools),
        **state_context(actor, agent, query=request.GET.get("passages", "")),
        "settings_form": settings_form(actor, agent),
        "prompt_form": prompt_form(agent),
        "about_form": about_form(agent),
        "snippets": snippets_for(agent, request.build_absolute_uri("/")),
        "suggestions": suggestions(),
        "short_id": f"{agent.id[:10]}…{agent.id[-4:]}",
        "ws_url": socket_url(agent, view),
        "section": "agents",
    }


def sequence_number(request: HttpRequest) -> int | None:
    """Return the number before which rows are asked for."""
    before = request.GET.get("before", "")
    return int(before) if before.isdecimal() and len(before) < 19 else None


def socket_url(agent: Agent, view: str) -> str:
    """Return the address of the page's WebSocket, below the path the site is mounted on."""
    query = "?view=debug" if view == "debug" else ""
    return f"{get_script_prefix()}ws/agents/{agent.id}{query}"


def suggestions() -> list[str]:
    """Return first messages that show what an agent does with its memory."""
    return [
        _("My name is Ada and I live in Oslo."),
        _("Remember that I like rye bread."),
        _("What do you know about me?"),
    ]
