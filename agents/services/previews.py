"""The request that a message would lead to, without sending it."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace

from agents.engine.prompt import with_skills
from agents.engine.state import RunState
from agents.llm.catalog import dialect_of_handle
from agents.llm.to_openai import build_body
from agents.models import Agent, Conversation
from agents.services.agent_boot import default_conversation
from agents.services.kit import block_views, tool_specs
from agents.services.prompts import compiled_prompt, head_holds, is_cold
from agents.services.runs import run_options
from agents.services.snapshot import agent_spec, agent_within, load_transcript
from agents.types import Json, Message, RunInput, Transcript
from letta_site.core.clock import now
from letta_site.core.errors import NotFound
from letta_site.core.ids import new_id
from letta_site.core.types import Actor
from memory.logic.edits import BlockView


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Changes to try out. `blocks` are new values by label, `without_tools` names."""

    system: str | None = None
    window_tokens: int | None = None
    without_tools: tuple[str, ...] = ()
    blocks: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes_head(self) -> bool:
        """Whether the system message is another one."""
        return self.system is not None or bool(self.blocks)


AS_IT_IS = WhatIf()


@dataclass(frozen=True, slots=True)
class NextState:
    """An agent on the point of asking. `recompiled`: its system message would be a new one."""

    state: RunState
    agent: Agent
    recompiled: bool


def preview_request(
    actor: Actor, given: RunInput, *, conversation: Conversation | None = None
) -> Json:
    """Return the body that the agent's provider would get first. Raises NotFound.

    It is that of the default conversation unless one with its agent is given.
    """
    conversation = conversation or default_conversation(actor, given.agent_id)
    return body_of(actor, next_state(given, conversation).state)


def body_of(actor: Actor, state: RunState) -> Json:
    """Return the body of the next request."""
    handle = state.spec.model.handle
    name = handle.partition("/")[2]
    return build_body(state.request(), name, dialect_of_handle(actor.org_id, handle))


def next_state(
    given: RunInput, conversation: Conversation, what_if: WhatIf = AS_IT_IS
) -> NextState:
    """Return an agent as it would be when it first asks its model. Raises NotFound.

    `conversation` comes with its agent.
    """
    agent = _tried(agent_within(conversation, conversation.agent), what_if)
    blocks = _blocks(agent, conversation, what_if)
    tools = tuple(one for one in tool_specs(agent.id) if one.name not in what_if.without_tools)
    spec = agent_spec(
        agent,
        conversation_id=conversation.id,
        run_id="",
        blocks=blocks,
        options=run_options(given),
        tools=tools,
    )
    transcript = load_transcript(conversation, system=given.override_system)
    fresh = not given.override_system and (
        what_if.changes_head or not head_holds(agent, conversation, blocks, cold=is_cold(agent))
    )
    if fresh:
        transcript = replace(transcript, system=compiled_prompt(agent, conversation, blocks))
    told = with_skills(transcript.system, given.client_skills)
    transcript = replace(transcript, system=told)
    asked = _with_input(transcript, given, forgets=agent.message_buffer_autoclear)
    return NextState(RunState.begin(spec, asked), agent, fresh)


def _tried(agent: Agent, what_if: WhatIf) -> Agent:
    tried = copy(agent)  # never saved
    tried.system = agent.system if what_if.system is None else what_if.system
    tried.context_window_limit = what_if.window_tokens or agent.context_window_limit
    return tried


def _blocks(agent: Agent, conversation: Conversation, what_if: WhatIf) -> tuple[BlockView, ...]:
    views = block_views(agent.id, conversation.isolated_block_ids)
    if unknown := what_if.blocks.keys() - {view.label for view in views}:
        raise NotFound(f"The agent has no block {', '.join(sorted(unknown))}.")
    return tuple(replace(view, value=what_if.blocks.get(view.label, view.value)) for view in views)


def _with_input(transcript: Transcript, given: RunInput, *, forgets: bool) -> Transcript:
    moment = now()
    messages = tuple(
        Message(new_id("message"), one.role, moment, parts=one.parts, name=one.name)
        for one in given.messages
    )
    if forgets and messages:
        return replace(transcript, messages=messages, summary=None)
    return replace(transcript, messages=(*transcript.messages, *messages))
