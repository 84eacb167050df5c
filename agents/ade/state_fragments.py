"""The right pane of an open page, renewed after a step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from agents.ade import fragments
from agents.ade.state import agent_block_cards, agent_meter, passage_list
from agents.models import Agent
from letta_site.core.types import Actor
from memory.ade.cards import BlockCard
from memory.logic.edits import BlockView


@dataclass(frozen=True, slots=True)
class Page:
    """An open page: who reads it, of which agent, and the token of its forms."""

    actor: Actor
    agent_id: str
    csrf_token: str


def renewed_state(page: Page, changed: Sequence[BlockView], passages_added: int) -> str:
    """Return the fragments for everything that a step changed beside the conversation."""
    agent = Agent.objects.get(pk=page.agent_id)
    pieces = [fragments.part("agents/state.html#context", {"ctx": agent_meter(agent)})]
    if changed:
        pieces += _blocks(page, agent, {view.id for view in changed})
    if passages_added:
        pieces += _passages(page, agent)
    return "".join(pieces)


def _blocks(page: Page, agent: Agent, ids: set[str]) -> list[str]:
    cards = agent_block_cards(agent, only=ids)
    fresh = [_block(page, replace(card, fresh=_("changed just now"))) for card in cards]
    return [*fresh, _count("blocks-count", agent.block_links.count())]


def _block(page: Page, card: BlockCard) -> str:
    context = {"card": card, "csrf_token": page.csrf_token}
    return fragments.part("memory/block.html#card", context)


def _passages(page: Page, agent: Agent) -> list[str]:
    found = passage_list(page.actor, agent)
    context = {"agent": agent, "passages": found, "csrf_token": page.csrf_token}
    html = fragments.part("memory/archival.html#passages", context)
    return [html, _count("passages-count", found.total)]


def _count(target: str, number: int) -> str:
    return f'<span class="chip" id="{target}">{number:,}</span>'
