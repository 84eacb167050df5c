"""The request that a message would lead to, without sending it."""

from dataclasses import replace
from typing import Any

from agents.engine.state import RunState
from agents.llm.to_openai import build_body
from agents.services.agent_boot import compiled_prompt, default_conversation
from agents.services.snapshot import block_views, load_transcript, model_params, tool_specs
from agents.types import AgentSpec, Json, Message, RunInput
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.types import Actor


def preview_request(actor: Actor, given: RunInput) -> Json:
    """Return the body that the agent's provider would get first. Raises NotFound."""
    conversation = default_conversation(actor, given.agent_id)
    agent = conversation.agent
    spec = AgentSpec(
        agent_id=agent.id,
        agent_type=agent.agent_type,
        run_id="",
        conversation_id=conversation.id,
        name=agent.name,
        timezone=agent.timezone,
        model=model_params(agent, handle=given.override_model),
        window_tokens=agent.context_window_limit,
        tools=tool_specs(agent.id),
        blocks=block_views(agent.id),
        tool_rules=tuple(agent.tool_rules),
        stream_tokens=given.stream_tokens,
    )
    system = given.override_system or compiled_prompt(conversation)
    transcript = replace(load_transcript(conversation), system=system)
    asked = replace(transcript, messages=(*transcript.messages, *_messages(given)))
    request = RunState.begin(spec, asked).request()
    return build_body(request, spec.model.handle.partition("/")[2])


def _messages(given: RunInput) -> tuple[Message, ...]:
    moment: Any = now()
    return tuple(
        Message(new_id("message"), one.role, moment, parts=one.parts, name=one.name)
        for one in given.messages
    )
