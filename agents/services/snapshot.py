"""Loading: everything that a run needs, in one hop."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Exists, OuterRef, Value

from agents.llm.providers import DEMO_HANDLE, window_of
from agents.models import (
    Agent,
    AgentBlock,
    AgentTool,
    Conversation,
    Message,
    Run,
    Tool,
)
from agents.services.messages import number, store_messages, to_part, to_type
from agents.services.prompts import is_cold, refresh_prompt
from agents.types import AgentSpec, CompactionPlan, Json, ModelParams, ToolSpec, Transcript, Usage
from agents.types import Message as MessageValue
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.models import Provider
from letta_site.core.types import Actor
from memory.logic.edits import BlockView
from memory.models import Block
from memory.services.blocks import view_of

# Columns of the same types, so that one query can read rows of both tables.
_BLOCK_COLUMNS = (
    "id",
    "label",
    "value",
    "description",
    "limit",
    "read_only",
    "metadata",
    "version",
)
_TOOL_COLUMNS = (
    "id",
    "name",
    "tool_type",
    "description",
    "return_char_limit",
    "enable_parallel_execution",
    "json_schema",
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has left the queue: who works for whom, with what, from where.

    `own_system`: the request brought its own system prompt, which stays whatever happens.
    `own_providers`: the organisation has stored providers, beside those of the environment.
    """

    spec: AgentSpec
    transcript: Transcript
    inputs: tuple[MessageValue, ...]
    actor: Actor
    started_at: datetime
    queued_ns: int
    own_system: bool = False
    own_providers: bool = True
    stored_parts: set[str] = field(default_factory=set)
    unindexed: list[MessageValue] = field(default_factory=list)


def begin_run(run_id: str) -> Begun | None:
    """Mark a waiting run as running, put its input into the history, and load what it needs.

    Returns None when the run is not waiting any more (it was cancelled in the queue).
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
        inputs = _stored_inputs(run) if run.started_at else _store_inputs(run)
        _clear_window(run, inputs)
        blocks, tools = load_kit(run.agent_id)
        refresh_prompt(run.agent, run.conversation, blocks, cold=is_cold(run.agent))
    actor = Actor(run.org_id, run.created_by_id or "", "user")
    queued_ns = int((started - run.created_at).total_seconds() * 1e9)
    transcript = load_transcript(run.conversation, system=run.options.get("override_system"))
    spec = agent_spec(
        run.agent,
        conversation_id=run.conversation_id,
        run_id=run.id,
        blocks=blocks,
        options=run.options,
        tools=tools,
    )
    spec = replace(spec, steps_before=run.step_count, usage_before=_usage_of(run))
    return Begun(
        spec,
        transcript,
        tuple(inputs),
        actor,
        started,
        queued_ns,
        own_providers=run.own_providers,
        own_system=bool(run.options.get("override_system")),
        unindexed=list(inputs),
        stored_parts=set(run.agent.calibration.get("parts", ())),
    )


def _stored_inputs(run: Run) -> list[MessageValue]:
    """Return the input of a run that began once before: it was stored when its status was."""
    rows = Message.objects.filter(run_id=run.id, step_id=None).exclude(role="summary")
    return [to_type(row) for row in rows.order_by("seq")]


def _store_inputs(run: Run) -> list[MessageValue]:
    agent = run.agent
    moment = now()
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
        run_id=run.id,
    )


def block_views(agent_id: str) -> tuple[BlockView, ...]:
    """Return an agent's blocks in the order of attachment: one query."""
    links = AgentBlock.objects.filter(agent_id=agent_id).select_related("block")
    return tuple(view_of(link.block) for link in links)


def load_kit(agent_id: str) -> tuple[tuple[BlockView, ...], tuple[ToolSpec, ...]]:
    """Return an agent's blocks and tools, each in the order of attachment: one query for both."""
    blocks = AgentBlock.objects.filter(agent_id=agent_id).values_list(
        Value("block"), "id", *(f"block__{name}" for name in _BLOCK_COLUMNS)
    )
    tools = AgentTool.objects.filter(agent_id=agent_id).values_list(
        Value("tool"), "id", *(f"tool__{name}" for name in _TOOL_COLUMNS), Value(0)
    )
    # Ordered here: an order in the query would have to be the same for both halves' columns.
    rows = sorted(blocks.order_by().union(tools.order_by(), all=True), key=lambda row: row[1])
    return (
        tuple(
            view_of(Block(**dict(zip(_BLOCK_COLUMNS, row[2:], strict=True))))
            for row in rows
            if row[0] == "block"
        ),
        tuple(
            tool_spec(Tool(**dict(zip(_TOOL_COLUMNS, row[2:-1], strict=True))))
            for row in rows
            if row[0] == "tool"
        ),
    )


def tool_specs(agent_id: str) -> tuple[ToolSpec, ...]:
    """Return an agent's tools in the order of attachment: one query."""
    links = AgentTool.objects.filter(agent_id=agent_id).select_related("tool")
    return tuple(tool_spec(link.tool) for link in links)


def tool_spec(row: Tool) -> ToolSpec:
    """Return a tool as an agent sees it."""
    schema = row.json_schema or {}
    return ToolSpec(
        name=row.name,
        description=schema.get("description") or row.description or "",
        parameters=schema.get("parameters") or {"type": "object", "properties": {}},
        tool_type=row.tool_type,
        tool_id=row.id,
        return_limit_chars=row.return_char_limit,
        parallel=bool(row.enable_parallel_execution),
    )


def model_params(agent: Agent, *, handle: str | None = None) -> ModelParams:
    """Return how an agent's model is to be called."""
    config, settings = agent.llm_config, agent.model_settings
    return ModelParams(
        handle=handle or agent.model,
        temperature=settings.get("temperature", config.get("temperature")),
        max_tokens=settings.get("max_output_tokens", config.get("max_tokens")),
        parallel_tool_calls=bool(
            settings.get("parallel_tool_calls", config.get("parallel_tool_calls"))
        ),
        reasoning_effort=config.get("reasoning_effort"),
        response_format=settings.get("response_format") or agent.response_format,
    )


def compaction_plan(agent: Agent, changes: Json | None = None) -> CompactionPlan:
    """Return how an agent's window is to be shortened; `changes` are settings for this once."""
    given = {**(agent.compaction_settings or {}), **(changes or {})}
    handle, mode = given.get("model"), given.get("mode") or "sliding_window"
    other = None if mode.startswith("self_compact") or handle == agent.model else handle
    share = given.get("sliding_window_percentage") or 0.3
    return CompactionPlan(
        mode=mode,
        model=other,
        window_tokens=window_of(other) if other and other != DEMO_HANDLE else 0,
        keep_share=min(max(float(share), 0.0), 1.0),
        clip_chars=given.get("clip_chars", 50_000),
        prompt=given.get("prompt") or None,
    )


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
    model = model_params(agent, handle=options.get("override_model"))
    return AgentSpec(
        agent_id=agent.id,
        agent_type=agent.agent_type,
        run_id=run_id,
        conversation_id=conversation_id,
        name=agent.name,
        timezone=agent.timezone,
        model=model,
        window_tokens=agent.context_window_limit,
        tools=tool_specs(agent.id) if tools is None else tools,
        blocks=blocks,
        tool_rules=tuple(agent.tool_rules),
        max_steps=options.get("max_steps", 50),
        stream_tokens=bool(options.get("stream_tokens")),
        compaction=compaction_plan(agent),
        token_ratio=_token_ratio(agent, model.handle),
    )


def load_transcript(conversation: Conversation, *, system: str | None = None) -> Transcript:
    """Return what is in a conversation's window: one query, whatever the history's length."""
    head = [conversation.system_message_id, conversation.summary_message_id]
    rows = Message.objects.filter(conversation=conversation).order_by("seq")
    window = rows.filter(seq__gt=conversation.window_after_seq) | rows.filter(pk__in=head)
    values = {value.id: value for value in map(to_type, window)}
    first = values.pop(conversation.system_message_id or "", None)
    summary = values.pop(conversation.summary_message_id or "", None)
    return Transcript(
        system=system or (first.text if first else ""),
        messages=tuple(one for one in values.values() if one.role != "summary"),
        summary=summary,
    )
