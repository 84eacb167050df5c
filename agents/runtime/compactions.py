"""Shortening a window because somebody asked, between two runs."""

import asyncio
from dataclasses import dataclass, replace
from typing import cast

from agents.engine.compaction import compact
from agents.engine.ports import Ledger, Ports
from agents.engine.state import RunState
from agents.engine.summaries import summary_text
from agents.llm.choose import Exchange
from agents.models import Conversation
from agents.services.compactions import IdleLedger, begin_compaction
from agents.tools.toolbox import AgentToolBox
from agents.types import Json
from letta_site.core import clock
from letta_site.core.aio import in_db
from letta_site.core.errors import Invalid
from letta_site.core.types import Actor


@dataclass(frozen=True, slots=True)
class Compacted:
    """What came of it: the notes, and how many messages the window held and holds."""

    summary: str
    messages_before: int
    messages_after: int


async def compact_now(actor: Actor, conversation: Conversation, changes: Json) -> Compacted:
    """Summarise the older part of a conversation's window; `changes` are settings for this once.

    The row comes with its agent. Raises Conflict while a run is under way, Invalid when there is
    nothing to gain.
    """
    begun = await in_db(begin_compaction, actor, conversation, changes)
    state = RunState.begin(begun.spec, begun.transcript)
    ports = Ports(
        llm=Exchange(actor.org_id),
        tools=AgentToolBox(actor.org_id, begun.spec.tools),
        ledger=cast(Ledger, IdleLedger(begun)),
        cancel=asyncio.Event(),
        clock=clock,
        org_id=actor.org_id,
    )
    before = _count(state)
    if not await compact(state, ports) and not await _harder(state, ports):
        raise Invalid(
            "Summarising would not shorten the window: nothing but the last turn is in it.",
            todo="Send more messages first.",
        )
    summary = summary_text(state.summary) if state.summary else ""
    return Compacted(summary, before, _count(state))


async def _harder(state: RunState, ports: Ports) -> bool:
    """Who asks wants something to leave, even where the plan would keep everything."""
    plan = replace(state.spec.compaction, mode="all")
    state.spec = replace(state.spec, compaction=plan)
    return await compact(state, ports)


def _count(state: RunState) -> int:
    return 1 + bool(state.summary) + len(state.messages)
