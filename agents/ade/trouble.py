"""The notice that something is wrong with an agent, and what was done about it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.ade import fragments, history, status
from agents.ade.status import Status
from agents.models import Agent, Run
from agents.runtime.boot import find_lost
from agents.runtime.runner import in_hand
from agents.services.health import Trouble
from agents.services.signs import Shown, find_signs, last_and_active
from agents.services.snapshot import load_transcript

TAG = "mended"
MOST_TOLD = 8


@dataclass(frozen=True, slots=True)
class Notice:
    """What is wrong, in words. `stuck`: the agent does nothing, or takes nothing, until mended."""

    agent_id: str
    what: Sequence[str] = ()
    stuck: bool = False


def notice_of(seen: Shown, in_hand: Collection[str]) -> Notice:
    """Return what the page has to say about the agent's health; for `in_hand` see `find_lost`."""
    lost = find_lost(seen.active, in_hand)
    return Notice(seen.agent.id, find_signs(seen, lost), stuck=bool(lost))


def status_of(notice: Notice, run: Run | None) -> Status:
    """Return the state of an agent, by its last run unless it is stuck."""
    return status.stuck() if notice.stuck else status.of_run(run)


def present_state(agent_id: str, csrf_token: str) -> str:
    """Return for an open page the state that the agent is in, and whether something is wrong."""
    at_work = in_hand()
    agent = Agent.objects.get(pk=agent_id)
    conversation = history.main_conversation(agent)
    window = load_transcript(conversation)
    run, active = last_and_active(agent_id)
    notice = notice_of(Shown(agent, conversation, window, run, active), at_work)
    return fragments.status(status_of(notice, run)) + fragments.trouble(notice, csrf_token)


def tell_mended(request: HttpRequest, found: Sequence[Trouble]) -> None:
    """Leave for the next page what was put right."""
    if not found:
        messages.info(request, _("There was nothing to put right."))
        return
    done = [f"{one.what} {one.remedy}" for one in found[:MOST_TOLD]]
    if more := len(found) - len(done):
        done.append(ngettext("And %(n)s more.", "And %(n)s more.", more) % {"n": more})
    messages.success(request, "\n".join(done), extra_tags=TAG)
