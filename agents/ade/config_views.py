"""The left pane: model, system prompt, tools, name."""

from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import reswap

from agents.ade.answers import done, fragment, is_htmx, refused
from agents.ade.forms import split_words
from agents.ade.pages import (
    about_form,
    attached_tools,
    find_agent,
    prompt_form,
    settings_form,
    tools_context,
    workspace_context,
)
from agents.ade.state import agent_meter
from agents.models import Agent
from agents.services.agent_changes import AgentChanges, update_agent
from agents.services.agent_changes import attach_tool as give_tool
from agents.services.agent_changes import detach_tool as take_tool
from agents.services.agent_models import ModelWish
from agents.types import Json
from letta_site.core.errors import AppError, NotFound
from memory.ade.asking import actor_of, found

OWN_SETTINGS = ("temperature", "max_output_tokens")
PLAIN_PAGE = "agents/workspace.html"


@require_POST
@found
def settings(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Change the model and how it is called."""
    actor = actor_of(request)
    agent = find_agent(actor, agent_id)
    form = settings_form(actor, agent, request.POST)
    if not form.is_valid():
        return _answer(request, agent, "settings", form, status=422)
    return _store(
        request, agent, "settings", form, AgentChanges(model=_wish(agent, form.cleaned_data))
    )


def _wish(agent: Agent, data: Json) -> ModelWish:
    """Say only what is new: another model brings its own window unless one was typed with it."""
    window = data["context_window_limit"]
    settings = {**agent.model_settings, **{key: data[key] for key in OWN_SETTINGS}}
    return ModelWish(
        handle=data["model"] if data["model"] != agent.model else None,
        window_tokens=window if window != agent.context_window_limit else None,
        settings={key: value for key, value in settings.items() if value is not None},
    )


@require_POST
@found
def prompt(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Change the system prompt."""
    agent = find_agent(actor_of(request), agent_id)
    form = prompt_form(agent, request.POST)
    if not form.is_valid():
        return _answer(request, agent, "prompt", form, status=422)
    system = form.cleaned_data["system"].replace("\r\n", "\n")
    return _store(request, agent, "prompt", form, AgentChanges(fields={"system": system}))


@require_POST
@found
def about(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Change the name, the description and the tags."""
    agent = find_agent(actor_of(request), agent_id)
    form = about_form(agent, request.POST)
    if not form.is_valid():
        return _answer(request, agent, "about", form, status=422)
    data = form.cleaned_data
    fields = {"name": data["name"], "description": data["description"]}
    changes = AgentChanges(fields=fields, tags=tuple(split_words(data["tags"])))
    return _store(request, agent, "about", form, changes)


def _store(
    request: HttpRequest, agent: Agent, part: str, form: Form, changes: AgentChanges
) -> HttpResponse:
    try:
        update_agent(actor_of(request), agent.id, changes)
    except AppError as error:
        if isinstance(error, NotFound) and part != "settings":
            raise
        refused(form, error, {"settings": "model", "about": "name"}.get(part))
        return _answer(request, agent, part, form, status=422)
    if not is_htmx(request):
        return done(request, reverse("ade:workspace", args=[agent.id]))
    if part == "settings" and _form_still_fits(request, agent):
        return _settings_saved(request, agent.id)
    return _answer(request, agent, part, _fresh_form(request, agent.id, part))


def _form_still_fits(request: HttpRequest, agent: Agent) -> bool:
    """Whether what the reader sees is what is stored now, so that nothing must be swapped."""
    return not request.POST.get("again") and request.POST.get("model") == agent.model


def _settings_saved(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Leave the form as it is: its reader may be in the next field already."""
    context = {"saved": True, "ctx": agent_meter(find_agent(actor_of(request), agent_id))}
    return reswap(fragment(request, "agents/config.html#settings_saved", context), "none")


def _fresh_form(request: HttpRequest, agent_id: str, part: str) -> Form:
    actor = actor_of(request)
    agent = find_agent(actor, agent_id)
    if part == "settings":
        return settings_form(actor, agent)
    return prompt_form(agent) if part == "prompt" else about_form(agent)


def _answer(
    request: HttpRequest, agent: Agent, part: str, form: Form, *, status: int = 200
) -> HttpResponse:
    if is_htmx(request):
        context: dict[str, Any] = {"agent": agent, "form": form, "saved": status == 200}
        return fragment(request, f"agents/config.html#{part}", context, status=status)
    context = {**workspace_context(request, agent.id), f"{part}_form": form}
    return fragment(request, PLAIN_PAGE, context, status=status)


@require_POST
@found
def attach_tool(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Give the agent a tool."""
    give_tool(actor_of(request), agent_id, request.POST.get("tool_id", ""))
    return _tools(request, agent_id)


@require_POST
@found
def detach_tool(request: HttpRequest, agent_id: str, tool_id: str) -> HttpResponse:
    """Take a tool from the agent."""
    take_tool(actor_of(request), agent_id, tool_id)
    return _tools(request, agent_id)


def _tools(request: HttpRequest, agent_id: str) -> HttpResponse:
    if not is_htmx(request):
        return done(request, reverse("ade:workspace", args=[agent_id]))
    actor = actor_of(request)
    agent = find_agent(actor, agent_id)
    context = tools_context(actor, agent, attached_tools(agent))
    return fragment(request, "agents/config.html#tools", {**context, "count": True})
