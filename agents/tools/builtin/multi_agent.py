"""Talking to other agents."""

import asyncio
import json

from agents.services.neighbours import led_members, tagged_agents
from agents.tools.base import (
    MULTI_AGENT_CORE,
    Messenger,
    ToolFailure,
    builtin,
    string,
    strings,
    talking,
)
from agents.types import Json, ToolContext, ToolOutcome
from letta_site.core.aio import in_db
from letta_site.core.errors import AppError

MOST_RECIPIENTS = 100
_MESSAGE = string("What to say. They know nothing of your conversation: say all they need.")
_OTHER = string("The id of the other agent: agent-, followed by a UUID.")


@talking(
    "send_message_to_agent_and_wait_for_reply",
    "Say something to another agent and get its reply.",
    {"message": _MESSAGE, "other_agent_id": _OTHER},
)
async def send_and_wait(
    arguments: Json, _context: ToolContext, messenger: Messenger
) -> ToolOutcome:
    """Wait as long as a tool may."""
    reply = await messenger.ask(arguments["other_agent_id"], arguments["message"])
    return ToolOutcome(reply)


@talking(
    "send_message_to_agent_async",
    "Leave another agent a message. You are not told its reply; it may write to you later.",
    {"message": _MESSAGE, "other_agent_id": _OTHER},
)
async def send_async(arguments: Json, _context: ToolContext, messenger: Messenger) -> ToolOutcome:
    """Return when the message is stored."""
    await messenger.tell(arguments["other_agent_id"], arguments["message"])
    return ToolOutcome("The message was delivered.")


@talking(
    "send_message_to_agents_matching_tags",
    "Say something to all agents that bear certain tags, and get the reply of each.",
    {
        "message": _MESSAGE,
        "match_all": strings("Tags of which an agent must bear every one."),
        "match_some": strings("Tags of which an agent must bear at least one."),
    },
    optional=("match_all", "match_some"),
)
async def send_to_tagged(
    arguments: Json, context: ToolContext, messenger: Messenger
) -> ToolOutcome:
    """Ask them at the same time; one that fails has its error in the place of a reply."""
    every, some = arguments.get("match_all") or [], arguments.get("match_some") or []
    if not every and not some:
        raise ToolFailure("Name at least one tag.")
    found = await in_db(tagged_agents, context.org_id, tuple(every), tuple(some))
    others = [one for one in found if one[0] != context.agent_id]
    return await _ask_all(others, arguments["message"], messenger)


@talking(
    "send_message_to_all_agents_in_group",
    "Say something to all agents of the group you lead, and get the reply of each.",
    {"message": _MESSAGE},
)
async def send_to_group(arguments: Json, context: ToolContext, messenger: Messenger) -> ToolOutcome:
    """Ask the members of the groups that the caller supervises."""
    members = await in_db(led_members, context.org_id, context.agent_id, "supervisor")
    return await _ask_all(members, arguments["message"], messenger)


async def _ask_all(
    agents: list[tuple[str, str]], message: str, messenger: Messenger
) -> ToolOutcome:
    if not agents:
        raise ToolFailure("There is no such agent.")
    if len(agents) > MOST_RECIPIENTS:
        raise ToolFailure(
            f"These are {len(agents)} agents; at most {MOST_RECIPIENTS} can be asked."
        )
    replies = await asyncio.gather(*(_reply(one, message, messenger) for one in agents))
    return ToolOutcome(json.dumps(replies, ensure_ascii=False))


async def _reply(agent: tuple[str, str], message: str, messenger: Messenger) -> Json:
    who = {"agent_id": agent[0], "name": agent[1]}
    try:
        return {**who, "reply": await messenger.ask(agent[0], message)}
    except (ToolFailure, AppError) as failure:
        return {**who, "error": str(failure)}


@builtin(
    "choose_next_participant",
    MULTI_AGENT_CORE,
    "Decide who of the group you lead speaks next.",
    {"next_speaker_agent_id": string("The id of that agent.")},
)
async def choose_next_participant(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Check the choice; whoever leads the talk reads it from the call."""
    members = dict(await in_db(led_members, context.org_id, context.agent_id, "dynamic"))
    chosen = arguments["next_speaker_agent_id"]
    if chosen not in members:
        listed = ", ".join(f"{agent_id} ({name})" for agent_id, name in members.items())
        raise ToolFailure(f"{chosen!r} is not in the group. Those who are: {listed or 'nobody'}.")
    return ToolOutcome(f"{members[chosen]} speaks next.")


TOOLS = (
    send_and_wait,
    send_async,
    send_to_tagged,
    send_to_group,
    choose_next_participant,
)
