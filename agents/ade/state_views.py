"""The right pane: memory blocks of an agent, and its archival memory."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from agents.ade.answers import done, fragment, is_htmx, refused
from agents.ade.forms import split_words
from agents.ade.pages import find_agent, spare_blocks, workspace_context
from agents.ade.state import agent_block_cards, passage_list
from agents.models import Agent, AgentBlock
from agents.services import agent_blocks
from agents.services.archives import archive_ids_of, own_archive
from letta_site.core.errors import AppError, Conflict, Invalid, NotFound
from memory.ade.asking import actor_of, found
from memory.ade.forms import NewBlockForm, PassageForm
from memory.services.blocks import create_block as make_block
from memory.services.passages import PassageDraft, get_passage, insert_passages
from memory.services.passages import delete_passage as drop_passage


def _home(agent_id: str, section: str) -> str:
    return reverse("ade:workspace", args=[agent_id]) + f"#{section}"


@require_POST
@found
def create_block(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Make a block and attach it."""
    agent = find_agent(actor_of(request), agent_id)
    form = NewBlockForm(request.POST, auto_id="new-block-%s")
    block_id = _make(request, agent, form) if form.is_valid() else ""
    if not block_id:
        return _block_form(request, agent, form)
    if not is_htmx(request):
        return done(request, _home(agent_id, "memory"))
    cards = agent_block_cards(agent, only=[block_id])
    context = {
        "agent": agent,
        "form": NewBlockForm(auto_id="new-block-%s"),
        "spare_blocks": spare_blocks(actor_of(request), agent),
        "n": _count_blocks(agent_id),
        "added": [replace(card, fresh=_("new")) for card in cards],
    }
    return fragment(request, "agents/state.html#added_block", context)


def _make(request: HttpRequest, agent: Agent, form: NewBlockForm) -> str:
    actor = actor_of(request)
    fields = {key: value for key, value in form.cleaned_data.items() if value not in (None, "")}
    if fields["label"] in {card.label for card in agent_block_cards(agent)}:
        form.add_error("label", _("The agent has a block with this label already."))
        return ""
    try:
        block = make_block(actor, **fields)
    except AppError as error:
        refused(form, error, "label" if "label" in error.what else "value")
        return ""
    agent_blocks.attach_block(actor, agent.id, block.id)
    return block.id


def _count_blocks(agent_id: str) -> int:
    return AgentBlock.objects.filter(agent_id=agent_id).count()


def _block_form(request: HttpRequest, agent: Agent, form: NewBlockForm) -> HttpResponse:
    if not is_htmx(request):
        context = {**workspace_context(request, agent.id), "block_form": form}
        return fragment(request, "agents/workspace.html", context, status=422)
    context = {
        "agent": agent,
        "form": form,
        "spare_blocks": spare_blocks(actor_of(request), agent),
    }
    return fragment(request, "agents/state.html#add_block", context, status=422)


@require_POST
@found
def attach_block(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Attach a block that exists."""
    actor = actor_of(request)
    find_agent(actor, agent_id)
    try:
        agent_blocks.attach_block(actor, agent_id, request.POST.get("block_id", ""))
    except (Conflict, Invalid) as error:
        messages.error(request, error.what)
        return redirect(_home(agent_id, "memory"))
    return done(request, _home(agent_id, "memory"), _("Attached"))


@require_POST
@found
def detach_block(request: HttpRequest, agent_id: str, block_id: str) -> HttpResponse:
    """Take a block off the agent; the block itself stays."""
    actor = actor_of(request)
    find_agent(actor, agent_id)
    agent_blocks.detach_block(actor, agent_id, block_id)
    if is_htmx(request):
        context = {"n": _count_blocks(agent_id), "count": True}
        return fragment(request, "agents/state.html#count", context)
    return done(request, _home(agent_id, "memory"), _("Detached"))


@require_http_methods(["GET", "POST"])
@found
def passages(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Search the agent's passages, or store a new one."""
    agent = find_agent(actor_of(request), agent_id)
    if request.method == "POST":
        return _add_passage(request, agent)
    if not is_htmx(request):
        return redirect(_home(agent_id, "archival"))
    return _passages(request, agent, request.GET.get("passages", ""))


def _passages(request: HttpRequest, agent: Agent, query: str = "") -> HttpResponse:
    found_passages = passage_list(actor_of(request), agent, query.strip())
    context = {"agent": agent, "passages": found_passages, "count": True}
    return fragment(request, "memory/archival.html#found", context)


def _add_passage(request: HttpRequest, agent: Agent) -> HttpResponse:
    form = PassageForm(request.POST, auto_id="new-passage-%s")
    if not (form.is_valid() and _store_passage(request, agent, form)):
        return _passage_form(request, agent, form)
    if not is_htmx(request):
        return done(request, _home(agent.id, "archival"))
    context = {
        "agent": agent,
        "form": PassageForm(auto_id="new-passage-%s"),
        "passages": passage_list(actor_of(request), agent),
    }
    return fragment(request, "memory/archival.html#added", context)


def _store_passage(request: HttpRequest, agent: Agent, form: PassageForm) -> bool:
    actor, data = actor_of(request), form.cleaned_data
    draft = PassageDraft(data["text"].replace("\r\n", "\n"), split_words(data["tags"]))
    try:
        archive = own_archive(actor, agent.id)
        insert_passages(actor, archive_id=archive.id, rows=[draft])
    except NotFound:
        raise
    except AppError as error:
        refused(form, error, "tags" if "tags" in error.what else "text")
        return False
    return True


def _passage_form(request: HttpRequest, agent: Agent, form: PassageForm) -> HttpResponse:
    if not is_htmx(request):
        context = {**workspace_context(request, agent.id), "passage_form": form}
        return fragment(request, "agents/workspace.html", context, status=422)
    context = {"agent": agent, "form": form}
    return fragment(request, "memory/archival.html#add", context, status=422)


@require_POST
@found
def delete_passage(request: HttpRequest, agent_id: str, passage_id: str) -> HttpResponse:
    """Delete a passage."""
    actor = actor_of(request)
    agent = find_agent(actor, agent_id)
    if get_passage(actor, passage_id).archive_id not in archive_ids_of(agent.id):
        raise NotFound(f"Passage {passage_id} is not in an archive of this agent")
    drop_passage(actor, passage_id)
    if is_htmx(request):
        return _passages(request, agent)
    return done(request, _home(agent_id, "archival"), _("Deleted"))
