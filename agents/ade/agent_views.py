"""Pages of agents: the list, creating one, the workspace, deleting one."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from agents.ade.answers import fragment, go, is_htmx, refused
from agents.ade.forms import DeleteForm, NewAgentForm, split_words
from agents.ade.pages import agent_lines, find_agent, model_choices, workspace_context
from agents.llm.catalog import best_handle
from agents.models import Agent, Tool
from agents.runtime.removal import remove_agent
from agents.services.agent_models import ModelWish
from agents.services.agent_names import random_name
from agents.services.agents import AgentDraft, create_agent
from agents.services.tool_seed import ensure_base_tools
from letta_site.core.errors import AppError, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.ade.asking import actor_of, found

LIST_SIZE = 50


@require_GET
@found
def agents(request: HttpRequest) -> HttpResponse:
    """List agents, the last changed first; filters are in the address."""
    rows = _matching(request)
    after = request.GET.get("after") or None
    query = PageQuery(limit=LIST_SIZE + 1, after=after, order_by="updated_at")
    found_rows = page(rows.prefetch_related("tag_rows"), query)
    shown = found_rows[:LIST_SIZE]
    context: dict[str, Any] = {
        "agents": agent_lines(shown),
        "next_url": _next_url(request, shown[-1]) if len(found_rows) > LIST_SIZE else "",
    }
    if after and is_htmx(request):
        return fragment(request, "agents/list.html#rows", context)
    context |= {
        "total": rows.count(),
        "query": request.GET.get("q", ""),
        "tag": request.GET.get("tag", ""),
        "section": "agents",
    }
    return render(request, "agents/list.html", context)


def _matching(request: HttpRequest) -> "QuerySet[Agent]":
    rows: QuerySet[Agent] = Agent.objects.of(actor_of(request)).exclude(hidden=True)
    if words := request.GET.get("q", "").strip():
        rows = rows.filter(name__icontains=words.replace("\x00", ""))
    if tag := request.GET.get("tag"):
        rows = rows.filter(tag_rows__tag=tag.replace("\x00", ""))
    return rows


def _next_url(request: HttpRequest, last: Agent) -> str:
    kept = {key: request.GET[key] for key in ("q", "tag") if request.GET.get(key)}
    return f"{reverse('ade:agents')}?{urlencode({**kept, 'after': last.id})}"


@require_http_methods(["GET", "POST"])
@found
def new_agent(request: HttpRequest) -> HttpResponse:
    """Create an agent, in a dialog or on a page of its own."""
    actor = actor_of(request)
    form = _new_form(request, actor)
    if request.method == "POST" and form.is_valid():
        agent = _create(actor, form)
        if agent:
            return go(request, reverse("ade:workspace", args=[agent.id]))
    name, status = "agents/new.html", 200
    if request.method == "POST":
        status = 422
    if is_htmx(request):
        name += "#form" if request.method == "POST" else "#dialog"
    return render(request, name, {"form": form, "section": "agents"}, status=status)


def _new_form(request: HttpRequest, actor: Actor) -> NewAgentForm:
    ensure_base_tools(actor)
    tools = Tool.objects.of(actor).order_by("name").values_list("id", "name")
    data, initial = request.POST if request.method == "POST" else None, None
    if data is None:
        initial = {"name": random_name(), "model": best_handle(actor.org_id)}
    return NewAgentForm(
        data,
        models=model_choices(actor),
        tools=list(tools),
        initial=initial,
        auto_id="new-agent-%s",
    )


def _create(actor: Actor, form: NewAgentForm) -> Agent | None:
    data = form.cleaned_data
    draft = AgentDraft(
        model=ModelWish(handle=data["model"]),
        name=data["name"],
        agent_type=data["agent_type"],
        system=data["system"] or None,
        blocks=tuple(form.blocks()),
        tool_ids=tuple(data["tools"]),
        tags=tuple(split_words(data["tags"])),
        fields={"description": data["description"] or None},
    )
    try:
        return create_agent(actor, draft)
    except AppError as error:
        refused(form, error, _field_of(error))
        return None


def _field_of(error: AppError) -> str | None:
    """Name the field that a service's words are about."""
    about = {"name": "name", "Handle": "model", "model": "model", "tag": "tags"}
    first = error.what.split()
    return next((field for word, field in about.items() if word in first), None)


@require_GET
@found
def workspace(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Show an agent: configuration, conversation, state."""
    return render(request, "agents/workspace.html", workspace_context(request, agent_id))


@require_http_methods(["GET", "POST"])
@found
def delete(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Delete an agent whose name was typed to confirm it."""
    actor = actor_of(request)
    agent = find_agent(actor, agent_id)
    data: Any = request.POST if request.method == "POST" else None
    form = DeleteForm(data, expected=agent.name, auto_id="delete-%s")
    if data is not None and form.is_valid():
        _delete(request, actor, agent)
        return go(request, reverse("ade:agents"))
    name = "agents/delete.html"
    if is_htmx(request):
        name += "#form" if data is not None else "#dialog"
    context = {"form": form, "agent": agent, "section": "agents"}
    return render(request, name, context, status=200 if data is None else 422)


def _delete(request: HttpRequest, actor: Actor, agent: Agent) -> None:
    try:
        remove_agent(actor, agent.id)
    except NotFound:
        messages.info(request, _("%(name)s was deleted already.") % {"name": agent.name})
    else:
        messages.success(request, _("%(name)s was deleted.") % {"name": agent.name})
