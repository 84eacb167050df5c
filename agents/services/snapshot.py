"""Loading: everything that a run needs, in one hop."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from agents.engine.ports import ChatRequest
from agents.engine.repair import mend
from agents.engine.state import return_limit_chars
from agents.llm.catalog import dialect_of_handle
from agents.llm.to_openai import build_messages, encode
from agents.models import (
    Agent,
    AgentBlock,
    AgentTool,
    Conversation,
    Message,
    RequestPart,
    Run,
    Step,
    Tool,
)
from agents.services.approvals import take_over
from agents.services.calling import model_params, shaped
from agents.services.histories import history_of, window_of
from agents.services.messages import number, store_messages, to_part, to_type
from agents.services.prompts import refresh_prompt
from agents.types import CLIENT_TOOL, AgentSpec, Json, ModelParams, ToolSpec, Transcript
from agents.types import Message as MessageValue
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.types import Actor
from memory.logic.edits import BlockView
from memory.models import Block
from memory.services.blocks import view_of


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has left the queue: who works for whom, with what, from where.

    `metadata` is the run's; `tended`: other agents look after this one's memory.
    """

    spec: AgentSpec
    transcript: Transcript
    inputs: tuple[MessageValue, ...]
    actor: Actor
    started_at: datetime
    queued_ns: int
    isolated_block_ids: tuple[str, ...] = ()
    stored_parts: set[str] = field(default_factory=set)
    metadata: Json = field(default_factory=dict)
    tended: bool = False


def begin_run(run_id: str) -> Begun | None:
    """Mark a waiting run as running, put its input into the history, and load what it needs.

    Returns None when the run is not waiting any more (it was cancelled in the queue). Raises what
    `approvals.take_over` does while calls wait for an answer.
    """
    with write():
        rows = Run.objects.select_related("agent", "conversation")
        run = rows.select_for_update(of=("self", "agent")).filter(pk=run_id).first()
        if run is None or run.status != "created":
            return None
        started = now()
        Run.objects.filter(pk=run_id).update(
            status="running", started_at=started, heartbeat_at=started
        )
        pending = take_over(run)
        inputs = _store_inputs(run)
        if pending is None:
            _clear_window(run, inputs)
        isolated = tuple(run.conversation.isolated_block_ids)
        blocks = block_views(run.agent_id, isolated)
        refresh_prompt(run.agent, run.conversation, blocks)
    actor = Actor(run.org_id, run.created_by_id or "", "user")
    queued_ns = int((started - run.created_at).total_seconds() * 1e9)
    transcript = load_transcript(run.conversation, system=run.options.get("override_system"))
    spec = agent_spec(
        agent_within(run.conversation, run.agent),
        conversation_id=run.conversation_id,
        run_id=run.id,
        blocks=blocks,
        options=run.options,
    )
    return Begun(
        spec,
        replace(transcript, pending=pending),
        tuple(inputs),
        actor,
        started,
        queued_ns,
        isolated,
        metadata=run.metadata or {},
        tended=bool(run.agent.enable_sleeptime),
    )


def _store_inputs(run: Run) -> list[MessageValue]:
    agent = run.agent
    moment = now()
    values = number((_input_value(row, run, moment) for row in run.input), agent)
    actor = Actor(run.org_id, run.created_by_id or "", "user")
    store_messages(values, agent=agent, conversation_id=run.conversation_id, actor=actor)
    Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)
    return values


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


def block_views(agent_id: str, isolated_ids: Sequence[str] = ()) -> tuple[BlockView, ...]:
    """Return an agent's blocks in the order of attachment: one query, two with `isolated_ids`.

    Those are a conversation's own copies, which stand in for the agent's of the same label.
    """
    return tuple(map(view_of, block_rows(agent_id, isolated_ids)))


def block_rows(agent_id: str, isolated_ids: Sequence[str] = ()) -> list[Block]:
    """Return what `block_views` shows, as rows."""
    links = AgentBlock.objects.filter(agent_id=agent_id).select_related("block")
    rows = [link.block for link in links]
    if not isolated_ids:
        return rows
    own = {block.label: block for block in Block.objects.filter(pk__in=isolated_ids)}
    return [own.get(row.label, row) for row in rows]


def agent_within(conversation: Conversation, agent: Agent) -> Agent:
    """Return the agent with the model that a conversation asks for; it is not to be saved."""
    if not (conversation.model or conversation.model_settings):
        return agent
    within = copy(agent)
    within.model = conversation.model or agent.model
    within.model_settings = {**agent.model_settings, **(conversation.model_settings or {})}
    return within


def tool_specs(agent_id: str) -> tuple[ToolSpec, ...]:
    """Return an agent's tools in the order of attachment: one query."""
    links = AgentTool.objects.filter(agent_id=agent_id).select_related("tool")
    return tuple(tool_spec(link.tool) for link in links)


def with_client_tools(tools: tuple[ToolSpec, ...], rows: Iterable[Json]) -> tuple[ToolSpec, ...]:
    """Return tools with those that the caller runs itself; of two with one name, the caller's."""
    theirs = {row["name"]: ToolSpec(**row, tool_type=CLIENT_TOOL) for row in rows}
    own = tuple(theirs.pop(tool.name, tool) for tool in tools)
    return own + tuple(theirs.values())


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


def agent_spec(
    agent: Agent, *, conversation_id: str, run_id: str, blocks: tuple[BlockView, ...], options: Json
) -> AgentSpec:
    """Return an agent as the engine needs it; `options` are those of the run."""
    model, tools = shaped(
        agent.agent_type,
        model_params(agent, handle=options.get("override_model")),
        tool_specs(agent.id),
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
        tools=with_client_tools(tools, options.get("client_tools", ())),
        blocks=blocks,
        tool_rules=tuple(agent.tool_rules),
        max_steps=options.get("max_steps", 50),
        stream_tokens=bool(options.get("stream_tokens")),
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


def rebuild_request(step: Step) -> Json:
    """Return the request of a step as it was sent, put together from what was stored of it.

    `verified` tells whether its bytes have the digest that was taken when it was sent; a later
    edit of a message in its window makes it False.
    """
    stored = step.request
    if not stored:
        return {}
    texts = dict(
        RequestPart.objects.filter(pk__in=[stored["system"], stored["tools"]]).values_list()
    )
    body = _rebuild_body(step, texts[stored["system"]], json.loads(texts[stored["tools"]]))
    digest = hashlib.sha256(encode(body)).hexdigest()
    return {"body": body, "verified": digest == stored["sha256"]}


def _rebuild_body(step: Step, system: str, tools: list[Json]) -> Json:
    first, last = step.request["window"]
    params = step.request["params"]
    conversation = step.run.conversation
    rows = history_of(conversation).filter(seq__gte=first, seq__lte=last)
    # A fork's own system message is younger than what it shares: it lies inside of the window.
    rows = rows.exclude(role="summary").exclude(pk=conversation.system_message_id)
    head = Message.objects.filter(pk=step.request.get("summary_message_id"))
    chat = ChatRequest(
        model=ModelParams(step.model_handle),
        transcript=Transcript(
            system,
            mend([to_type(row) for row in rows.order_by("seq")]),
            next((to_type(row) for row in head), None),
        ),
        tools=(),
        tool_return_limit_chars=return_limit_chars(step.context_window_limit),
    )
    dialect = dialect_of_handle(step.org_id, step.model_handle)
    body: Json = {"model": params["model"], "messages": build_messages(chat, dialect)}
    if tools:
        body["tools"] = tools
    return {**body, **params}
