"""Pages of single blocks: the text, saving it with a version check, its history."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from letta_site.core.errors import AppError, Conflict, NotFound
from memory.ade.asking import actor_of, found
from memory.ade.cards import HISTORY_SIZE, BlockCard, block_cards, in_conflict, version_cards
from memory.ade.forms import BlockTextForm
from memory.models import Block
from memory.services import block_versions, blocks

MAX_DIGITS = 10


def next_of(request: HttpRequest) -> str:
    """Return the page to go back to, if it is one of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else ""


def _card(request: HttpRequest, block_id: str) -> BlockCard:
    rows = Block.objects.of(actor_of(request)).filter(pk=block_id)
    cards = block_cards(rows, next_url=next_of(request))
    if not cards:
        raise NotFound(f"Block {block_id} not found")
    return cards[0]


def _show(request: HttpRequest, card: BlockCard, status: int = 200) -> HttpResponse:
    name = "memory/block.html#card" if request.htmx else "memory/block.html"  # type: ignore[attr-defined]
    return render(request, name, {"card": card, "section": "agents"}, status=status)


@require_GET
@found
def block(request: HttpRequest, block_id: str) -> HttpResponse:
    """Show one block."""
    return _show(request, _card(request, block_id))


@require_POST
@found
def save(request: HttpRequest, block_id: str) -> HttpResponse:
    """Store a new text, unless the block changed since the reader saw it."""
    form = BlockTextForm(request.POST)
    card = _card(request, block_id)
    if not form.is_valid():
        return _show(request, replace(card, error=_("The form was incomplete.")), 422)
    value = form.cleaned_data["value"].replace("\r\n", "\n")
    try:
        blocks.update_block(
            actor_of(request),
            block_id,
            changes={"value": value},
            expected_version=form.cleaned_data["version"],
        )
    except NotFound:
        raise
    except Conflict:
        return _show(request, in_conflict(_card(request, block_id), value), 409)
    except AppError as error:
        return _show(request, replace(card, value=value, error=error.what), 422)
    return _saved(request, block_id)


def _saved(request: HttpRequest, block_id: str) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        return _show(request, replace(_card(request, block_id), saved=True))
    messages.success(request, _("Saved"))
    return redirect(next_of(request) or reverse("memory_ade:block", args=[block_id]))


@require_GET
@found
def history(request: HttpRequest, block_id: str) -> HttpResponse:
    """Show who changed a block, when, and what."""
    row = blocks.get_block(actor_of(request), block_id)
    versions = version_cards(row)
    context = {
        "subject": row,
        "versions": versions,
        "next": next_of(request),
        "more": HISTORY_SIZE if len(versions) == HISTORY_SIZE else 0,
        "section": "agents",
    }
    name = "memory/history.html#drawer" if request.htmx else "memory/history.html"  # type: ignore[attr-defined]
    return render(request, name, context)


@require_POST
@found
def restore(request: HttpRequest, block_id: str) -> HttpResponse:
    """Make an old version the newest one; what came between stays in the history."""
    actor = actor_of(request)
    row = blocks.get_block(actor, block_id)
    number, seen = _number(request, "n"), _number(request, "version") or row.version
    try:
        block_versions.restore_version(actor, block_id, number, expected_version=seen)
        messages.success(request, _("Version %(n)s is the current text again.") % {"n": number})
    except NotFound:
        raise
    except AppError as error:
        messages.error(request, error.what)
    return redirect(next_of(request) or reverse("memory_ade:history", args=[block_id]))


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < MAX_DIGITS else 0
