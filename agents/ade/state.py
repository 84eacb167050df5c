"""What the right pane shows: the context window, memory blocks, archival memory. Reading only."""

from collections.abc import Collection, Sequence

from django.urls import reverse

from agents.ade.meter import Meter, measure
from agents.engine.state import return_limit_chars
from agents.engine.window import estimate_request
from agents.models import Agent, AgentArchive, Conversation
from agents.services.archives import archive_ids_of
from agents.services.kit import tool_specs
from agents.services.snapshot import load_transcript
from agents.types import ToolSpec, Transcript
from letta_site.core.types import Actor
from memory.ade.cards import PASSAGES_SHOWN, BlockCard, PassageList, block_cards
from memory.models import Block, Passage
from memory.services.candidates import SearchQuery
from memory.services.search import search

MAX_FOUND = 50


def agent_meter(
    agent: Agent,
    tools: Sequence[ToolSpec] | None = None,
    window: Transcript | None = None,
) -> Meter:
    """Measure the next request of an agent, as far as it can be known before it is made.

    What is not given is read.
    """
    if window is None:
        window = load_transcript(Conversation.objects.get(agent=agent, is_default=True))
    found = estimate_request(
        window.system,
        window.messages,
        tool_specs(agent.id) if tools is None else tools,
        window.summary,
        return_limit_chars=return_limit_chars(agent.context_window_limit),
    )
    parts = [
        ("system", found.system),
        ("tools", found.tools),
        ("memory", found.memory),
        ("summary", found.summary),
        ("messages", found.messages),
    ]
    return measure(parts, agent.context_window_limit)


def agent_block_cards(agent: Agent, *, only: Collection[str] | None = None) -> list[BlockCard]:
    """Return the cards of an agent's blocks in the order of attachment: one query."""
    rows = Block.objects.filter(agent_links__agent_id=agent.id)
    if only is not None:
        rows = rows.filter(pk__in=only)
    next_url = reverse("ade:workspace", args=[agent.id])
    return block_cards(rows.order_by("agent_links__id"), next_url=next_url)


def passage_list(actor: Actor, agent: Agent, query: str = "") -> PassageList:
    """Return the newest passages of an agent, or those that `query` finds, best first."""
    links = AgentArchive.objects.filter(agent=agent)
    rows = Passage.objects.filter(archive_id__in=links.values("archive_id"))
    if query:
        found = _found_passages(actor, agent, query)
        return PassageList(found, rows.count(), query)
    newest = list(rows.order_by("-created_at", "-pk")[: PASSAGES_SHOWN + 1])
    total = rows.count() if len(newest) > PASSAGES_SHOWN else len(newest)
    return PassageList(newest[:PASSAGES_SHOWN], total)


def _found_passages(actor: Actor, agent: Agent, query: str) -> list[Passage]:
    archives = archive_ids_of(agent.id)
    asked = SearchQuery(actor.org_id, archives, "passage", query, limit=MAX_FOUND)
    hits = [hit.ref_id for hit in search(asked)] if archives else []
    rows = Passage.objects.in_bulk(hits)
    return [rows[one] for one in hits if one in rows]
