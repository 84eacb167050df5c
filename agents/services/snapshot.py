"""Loading: everything that a run needs, in one hop."""

from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Exists, OuterRef

from agents.engine.prompt import with_skills
from agents.models import (
    Agent,
    Conversation,
    Message,
    Run,
)
from agents.services.approvals import cut_short, take_over
from agents.services.calling import compaction_plan, model_params, shaped
from agents.services.histories import window_of
from agents.services.kit import load_kit, tool_specs, with_client_tools
from agents.services.messages import number, store_messages, to_part, to_type
from agents.services.prompts import is_cold, refresh_prompt
from agents.types import (
    AgentSpec,
    Json,
    ToolSpec,
    Transcript,
    Usage,
)
from agents.types import Message as MessageValue
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.models import Provider
from letta_site.core.types import Actor
from memory.logic.edits import BlockView


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has left the queue: who works for whom, with what, from where.

    `metadata` is the run's; `tended`: other agents look after this one's memory.
    `own_system`: the request brought its own system prompt, which stays whatever happens.
    `client_skills` belong to the request, too: its prompt tells of them, no other does.
    `own_providers`: the organisation has stored providers, beside those of the environment.
    `unindexed` are messages that the first checkpoint makes findable, with its own.
    """

    spec: AgentSpec
    transcript: Transcript
    inputs: tuple[MessageValue, ...]
    actor: Actor
    started_at: datetime
    queued_ns: int
    isolated_block_ids: tuple[str, ...] = ()
    metadata: Json = field(default_factory=dict)
    tended: bool = False
    own_system: bool = False
    client_skills: tuple[Json, ...] = ()
    own_providers: bool = True
    stored_parts: set[str] = field(default_factory=set)
    unindexed: list[MessageValue] = field(default_factory=list)


def begin_run(run_id: str) -> Begun | None:
    """Mark a waiting run as running, put its input into the history, and load what it needs.

    Returns None when the run is not waiting any more (it was cancelled in the queue). Raises what
    `approvals.take_over` does while calls wait for an answer.
    """
    with write():
        stored = Provider.objects.filter(org_id=OuterRef("org_id"), enabled=True)
        rows = Run.objects.select_related("agent", "conversation")
        rows = rows.annotate(own_providers=Exists(stored))
        run = rows.select_for_update(of=("self", "agent")).filter(pk=run_id).first()
        if run is None or run.status != "created":
            return None
        started = run.started_at or now()
        Run.objects.filter(pk=run_id).update(
            status="running", started_at=started, heartbeat_at=now()
        )
        # What a run that goes on was given is stored; its answers were taken over then.
        pending = cut_short(run) if run.started_at else take_over(run)
        inputs = _stored_inputs(run) if run.started_at else _store_inputs(run)
        if not (pending or run.started_at):
            _clear_window(run, inputs)
        isolated = tuple(run.conversation.isolated_block_ids)
        blocks, tools = load_kit(run.agent_id, isolated)
        refresh_prompt(run.agent, run.conversation, blocks, cold=is_cold(run.agent))
    actor = Actor(run.org_id, run.created_by_id or "", "user")
    queued_ns = int((started - run.created_at).total_seconds() * 1e9)
    transcript = load_transcript(run.conversation, system=run.options.get("override_system"))
    skills = tuple(run.options.get("client_skills", ()))
    spec = agent_spec(
        agent_within(run.conversation, run.agent),
        conversation_id=run.conversation_id,
        run_id=run.id,
        blocks=blocks,
        options=run.options,
        tools=tools,
    )
    spec = replace(spec, steps_before=run.step_count, usage_before=_usage_of(run))
    return Begun(
        spec,
        replace(transcript, pending=pending, system=with_skills(transcript.system, skills)),
        tuple(inputs),
        actor,
        started,
        queued_ns,
        isolated,
        metadata=run.metadata or {},
        tended=bool(run.agent.enable_sleeptime),
        own_providers=run.own_providers,
        own_system=bool(run.options.get("override_system")),
        client_skills=skills,
        unindexed=list(inputs),
        stored_parts=set(run.agent.calibration.get("parts", ())),
    )


def _stored_inputs(run: Run) -> list[MessageValue]:
    """Return the input of a run that began once before: it was stored when its status was."""
    rows = Message.objects.filter(run_id=run.id, step_id=None).exclude(role="summary")
    return [to_type(row) for row in rows.order_by("seq")]


def _store_inputs(run: Run) -> list[MessageValue]:
    agent, moment = run.agent, now()
    still_last = agent.last_seq == run.seq + len(run.input)
    agent.last_seq = run.seq if still_last else agent.last_seq
    values = number((_input_value(row, run, moment) for row in run.input), agent)
    actor = Actor(run.org_id, run.created_by_id or "", "user")
    place: Json = {"agent": agent, "conversation_id": run.conversation_id}
    store_messages(values, **place, actor=actor, findable=False)  # the first checkpoint sees to it
    if not still_last:
        Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)
    return values


def _usage_of(run: Run) -> Usage:
    cached, reasoning = run.cached_input_tokens, run.reasoning_tokens
    return Usage(run.prompt_tokens, run.completion_tokens, cached, None, reasoning)


def _clear_window(run: Run, inputs: list[MessageValue]) -> None:
    """Let an agent that keeps no message buffer start every run with its input alone."""
    if not (run.agent.message_buffer_autoclear and inputs):
        return
    run.conversation.window_after_seq = inputs[0].seq - 1
    run.conversation.summary_message_id = None
    run.conversation.save(update_fields=["window_after_seq", "summary_message_id"])


def _input_value(row: Json, run: Run, moment: datetime) -> MessageValue:
    return MessageValue(
        id=new_id("message"),
        role=row["role"],
        created_at=moment,
        parts=tuple(to_part(part) for part in row["content"]),
        name=row.get("name"),
        otid=row.get("otid"),
        sender_id=row.get("sender_id"),
        group_id=row.get("group_id"),
        approvals=tuple(row.get("approvals", ())),
        run_id=run.id,
    )


def agent_within(conversation: Conversation, agent: Agent) -> Agent:
    """Return the agent with the model that a conversation asks for; it is not to be saved."""
    if not (conversation.model or conversation.model_settings):
        return agent
    within = copy(agent)
    within.model = conversation.model or agent.model
    within.model_settings = {**agent.model_settings, **(conversation.model_settings or {})}
    return within


def _token_ratio(agent: Agent, handle: str) -> float:
    noted = agent.calibration
    return float(noted.get("ratio", 1.0)) if noted.get("model") == handle else 1.0


def agent_spec(
    agent: Agent,
    *,
    conversation_id: str,
    run_id: str,
    blocks: tuple[BlockView, ...],
    options: Json,
    tools: tuple[ToolSpec, ...] | None = None,
) -> AgentSpec:
    """Return an agent as the engine needs it; `options` are those of the run.

    `tools` are read when they are not given.
    """
    model, shown = shaped(
        agent.agent_type,
        model_params(agent, handle=options.get("override_model")),
        tool_specs(agent.id) if tools is None else tools,
    )
    return AgentSpec(
        agent_id=agent.id,
        agent_type=agent.agent_type,
        run_id=run_id,
        conversation_id=conversation_id,
        name=agent.name,
        timezone=agent.timezone,
        model=model,
        window_tokens=agent.context_window_limit,
        tools=with_client_tools(shown, options.get("client_tools", ())),
        blocks=blocks,
        tool_rules=tuple(agent.tool_rules),
        max_steps=options.get("max_steps", 50),
        stream_tokens=bool(options.get("stream_tokens")),
        compaction=compaction_plan(agent),
        token_ratio=_token_ratio(agent, model.handle),
    )


def load_transcript(conversation: Conversation, *, system: str | None = None) -> Transcript:
    """Return what is in a conversation's window: one query, whatever the history's length."""
    values = {value.id: value for value in map(to_type, window_of(conversation))}
    first = values.pop(conversation.system_message_id or "", None)
    summary = values.pop(conversation.summary_message_id or "", None)
    return Transcript(
        system=system or (first.text if first else ""),
        messages=tuple(one for one in values.values() if one.role != "summary"),
        summary=summary,
    )
