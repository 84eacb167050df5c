"""Talking to an agent without a WebSocket, and the older part of the conversation."""

import asyncio
from contextlib import suppress

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agents.ade import history
from agents.ade.answers import fragment
from agents.ade.forms import MessageForm
from agents.ade.pages import find_agent, sequence_number, workspace_context
from agents.ade.talk import answer_agent, say_to_agent
from agents.engine.events import RunFinished
from agents.runtime import runner
from agents.runtime.bus import Subscription
from agents.types import RunInput
from letta_site.core.aio import in_db
from letta_site.core.errors import AppError, NotFound
from memory.ade.asking import actor_of, found

PATIENCE_S = 20


@require_POST
async def send(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Send a message; show the page when the agent has answered, or a while later."""
    form = MessageForm(request.POST)
    if not form.is_valid():
        return await in_db(_refuse, request, agent_id, form)
    return await _send(request, say_to_agent(agent_id, form.cleaned_data))


@require_POST
async def answer(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Approve or deny the tool calls that wait; show the page when the agent has gone on."""
    return await _send(request, answer_agent(agent_id, dict(request.POST.lists())))


async def _send(request: HttpRequest, given: RunInput) -> HttpResponse:
    page = reverse("ade:workspace", args=[given.agent_id]) + "#end"
    try:
        _ref, ear = await runner.send(actor_of(request), given)
    except NotFound as error:
        raise Http404(error.what) from error
    except AppError as error:
        messages.error(request, f"{error.what} {error.todo}".strip())
        return redirect(page)
    async with ear:
        with suppress(TimeoutError):
            await asyncio.wait_for(_answered(ear), PATIENCE_S)
    return redirect(page)


async def _answered(ear: Subscription) -> None:
    async for _ref, event in ear:
        if isinstance(event, RunFinished):
            return


def _refuse(request: HttpRequest, agent_id: str, form: MessageForm) -> HttpResponse:
    try:
        context = workspace_context(request, agent_id)
    except NotFound as error:
        raise Http404(error.what) from error
    context |= {
        "composer_text": form["text"].value() or "",
        "composer_error": next(iter(form.errors.values()))[0],
    }
    return render(request, "agents/workspace.html", context, status=422)


@require_POST
async def stop(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Ask the agent's runs to stop."""
    try:
        await runner.cancel_runs(actor_of(request), agent_id, None)
    except AppError as error:
        messages.info(request, error.what)
    return redirect("ade:workspace", agent_id)


@require_GET
@found
def older(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Return the rows before a sequence number, with a link to those before them."""
    agent = find_agent(actor_of(request), agent_id)
    conversation, before = history.main_conversation(agent), sequence_number(request)
    rows, older_than = history.page_of_rows(agent, conversation, before=before)
    view = "debug" if request.GET.get("view") == "debug" else "chat"
    context = {"agent": agent, "rows": rows, "older_than": older_than, "view": view}
    return fragment(request, "agents/older.html#page", context)
