"""The request that a message would lead to, without sending it."""

from dataclasses import replace
from typing import Any

from agents.engine.prompt import with_skills
from agents.engine.state import RunState
from agents.llm.catalog import dialect_of_handle
from agents.llm.to_openai import build_body
from agents.models import Conversation
from agents.services.agent_boot import default_conversation
from agents.services.kit import block_views
from agents.services.prompts import compiled_prompt, head_holds, is_cold
from agents.services.runs import run_options
from agents.services.snapshot import agent_spec, agent_within, load_transcript
from agents.types import Json, Message, RunInput
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.types import Actor


def preview_request(
    actor: Actor, given: RunInput, *, conversation: Conversation | None = None
) -> Json:
    """Return the body that the agent's provider would get first. Raises NotFound.

    It is that of the default conversation unless one with its agent is given.
    """
    conversation = conversation or default_conversation(actor, given.agent_id)
    agent = agent_within(conversation, conversation.agent)
    blocks = block_views(agent.id, conversation.isolated_block_ids)
    spec = agent_spec(
        agent, conversation_id=conversation.id, run_id="", blocks=blocks, options=run_options(given)
    )
    transcript = load_transcript(conversation)
    if given.override_system:
        transcript = replace(transcript, system=given.override_system)
    elif not head_holds(agent, conversation, blocks, cold=is_cold(agent)):
        transcript = replace(transcript, system=compiled_prompt(agent, conversation, blocks))
    system = with_skills(transcript.system, given.client_skills)
    asked = replace(transcript, system=system, messages=(*transcript.messages, *_messages(given)))
    request = RunState.begin(spec, asked).request()
    name = spec.model.handle.partition("/")[2]
    return build_body(request, name, dialect_of_handle(actor.org_id, spec.model.handle))


def _messages(given: RunInput) -> tuple[Message, ...]:
    moment: Any = now()
    return tuple(
        Message(new_id("message"), one.role, moment, parts=one.parts, name=one.name)
        for one in given.messages
    )
