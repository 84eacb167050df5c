"""Looking after an agent: getting it unstuck, shortening its window, taking that back."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from agents.ade.answers import renewed
from agents.ade.trouble import tell_mended
from agents.runtime import boot
from agents.runtime.compactions import compact_now
from agents.services.agent_boot import default_conversation
from agents.services.compactions import undo_compaction
from letta_site.core.aio import in_db
from letta_site.core.errors import AppError, NotFound
from memory.ade.asking import actor_of, found


@require_POST
async def unstick(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Get an agent going again; the page says what was done."""
    try:
        tell_mended(request, await boot.unstick(actor_of(request), agent_id))
    except NotFound as error:
        raise Http404(error.what) from error
    return redirect("ade:workspace", agent_id)


@require_POST
async def compact(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Summarise the older part of the window."""
    try:
        actor = actor_of(request)
        conversation = await in_db(default_conversation, actor, agent_id)
        done = await compact_now(actor, conversation, {})
    except NotFound as error:
        raise Http404(error.what) from error
    except AppError as error:
        messages.error(request, f"{error.what} {error.todo}".strip())
    else:
        counts = {"before": done.messages_before, "after": done.messages_after}
        text = _("The window held %(before)s messages and holds %(after)s now.")
        messages.success(request, text % counts)
    return renewed(request, agent_id)


@require_POST
@found
def undo(request: HttpRequest, agent_id: str, number: int) -> HttpResponse:
    """Put back into the window what a compaction took out."""
    try:
        row = undo_compaction(actor_of(request), agent_id, number)
    except NotFound:
        raise
    except AppError as error:
        messages.error(request, f"{error.what} {error.todo}".strip())
    else:
        text = _("%(n)s messages are in the window again.")
        messages.success(request, text % {"n": len(row.message_ids)})
    return renewed(request, agent_id)
