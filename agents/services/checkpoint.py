"""Storing: one transaction a step. Nothing is published before it has committed."""

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import F
from django.db.models.functions import Coalesce

from agents.engine.approvals import WAITING
from agents.engine.events import Failure
from agents.engine.ports import Committed, Evicted, Eviction, StepRecord
from agents.engine.state import return_limit_chars
from agents.models import (
    Agent,
    AgentBlock,
    Run,
    Step,
    ToolCall,
)
from agents.services.approvals import hold
from agents.services.archives import own_archive
from agents.services.evictions import store_eviction
from agents.services.kit import block_rows, block_views
from agents.services.messages import index_messages, number, store_messages
from agents.services.numbering import reserve
from agents.services.open_files import show
from agents.services.prompts import note_own_edits, note_own_views
from agents.services.request_parts import digest_of, stored_request
from agents.services.runs import end_run, ending, failure_row
from agents.services.snapshot import Begun
from agents.types import Json, Message, ToolReturn, Usage
from letta_site.core.aio import in_db, write
from letta_site.core.clock import now
from letta_site.core.types import Actor, Origin
from memory.logic.edits import BlockEdit
from memory.models import Retrieval
from memory.services.blocks import EditResult, apply_edits
from memory.services.passages import PassageDraft, insert_passages


class RunLedger:
    """The Ledger port of one run."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._usage = begun.spec.usage_before
        self._ttft_ns: int | None = None

    async def commit(self, record: StepRecord) -> Committed:
        """See the port."""
        return await in_db(self._commit, record)

    async def evict(self, eviction: Eviction) -> Evicted:
        """See the port."""
        return await in_db(store_eviction, self._begun, eviction)

    async def finish(self, stop_reason: str, failure: Failure | None) -> None:
        """See the port."""
        await in_db(end_run, self._begun.spec.run_id, stop_reason, failure)

    def _commit(self, record: StepRecord) -> Committed:
        if record.reply:
            self._usage += record.reply.usage
            self._ttft_ns = self._ttft_ns or record.reply.ttft_ns or record.llm_ns
        return commit_step(self._begun, record, self._usage, self._ttft_ns)


def commit_step(begun: Begun, record: StepRecord, total: Usage, ttft_ns: int | None) -> Committed:
    """Store one step with everything it changed. `total` is the usage of the run so far."""
    spec = begun.spec
    actor = Actor(begun.actor.org_id, spec.agent_id, "agent")
    with write():
        agent = reserve(spec.agent_id, 1 + len(record.messages), **_noted(begun, record))
        agent.last_seq += 1
        step_seq = agent.last_seq
        results = _apply_edits(actor, begun, record, step_seq)
        messages = _store_messages(actor, agent, record, begun, results)
        added = _store_passages(actor, begun, record)
        _show_files(begun, record)
        _store_retrievals(begun, record, step_seq)
        if record.resumed:
            _add_tool_time(record)
        else:
            _store_step(begun, record, step_seq)
        _store_tool_calls(begun, record, messages)
        _store_progress(begun, record, (total, ttft_ns))
        if record.stop_reason == WAITING:
            hold(spec.conversation_id, record.messages[-1].id)
        changed = tuple(result.view for result in results.values() if result.view)
        if results:
            note_own_edits(spec.conversation_id, changed, record.block_versions)
        blocks = block_views(spec.agent_id, begun.isolated_block_ids) if results else None
    return Committed(tuple(messages), blocks, changed, added)


def _noted(begun: Begun, record: StepRecord) -> Json:
    """Return what the agent's row remembers of a step, beside its numbering."""
    noted: Json = {}
    if record.reply:
        noted["calibration"] = {
            "model": begun.spec.model.handle,
            "ratio": round(record.token_ratio, 3),
            "parts": [digest_of(record.reply.sent[part]) for part in ("system", "tools")],
        }
    if record.stop_reason:
        moment = now()
        duration = moment - begun.started_at
        noted |= {
            "last_stop_reason": record.stop_reason,
            "last_run_completion": moment,
            "last_run_duration_ms": int(duration.total_seconds() * 1000),
        }
    return noted


def _edits_of(record: StepRecord) -> list[tuple[str, BlockEdit]]:
    return [(one.call.id, edit) for one in record.calls for edit in one.outcome.edits]


def _apply_edits(
    actor: Actor, begun: Begun, record: StepRecord, step_seq: int
) -> dict[tuple[str, int], EditResult]:
    """Apply block edits to the rows as they are now; keys are (tool call id, position)."""
    wanted = _edits_of(record)
    if not wanted:
        return {}
    names = {one.call.id: one.call.name for one in record.calls}
    shown = block_rows(begun.spec.agent_id, begun.isolated_block_ids)
    rows = {block.label: block for block in shown}
    pairs = [
        (edit, _origin(begun, record, step_seq, call_id, names[call_id]))
        for call_id, edit in wanted
    ]
    results = apply_edits(actor, edits=pairs, blocks=rows)
    for result in results:
        _relink(begun.spec.agent_id, result)
    return {
        (call_id, n): one for n, ((call_id, _), one) in enumerate(zip(wanted, results, strict=True))
    }


def _relink(agent_id: str, result: EditResult) -> None:
    if result.created:
        AgentBlock.objects.create(agent_id=agent_id, block=result.created)
    if result.detached_id:
        AgentBlock.objects.filter(agent_id=agent_id, block_id=result.detached_id).delete()


def _asking_id(begun: Begun, record: StepRecord) -> str:
    """Return the id of the message that asked for the calls of a step."""
    if record.resumed and begun.transcript.pending:
        return begun.transcript.pending.request.id
    return next((one.id for one in record.messages if one.role == "assistant"), "")


def _origin(begun: Begun, record: StepRecord, seq: int, call_id: str, name: str) -> Origin:
    return Origin(
        agent_id=begun.spec.agent_id,
        agent_seq=seq,
        run_id=begun.spec.run_id,
        step_id=record.step_id,
        message_id=_asking_id(begun, record) or None,
        tool_call_id=call_id,
        tool_name=name,
    )


def _store_messages(
    actor: Actor,
    agent: Agent,
    record: StepRecord,
    begun: Begun,
    results: dict[tuple[str, int], EditResult],
) -> list[Message]:
    refused = {call_id: one.error for (call_id, _), one in results.items() if one.error}
    values = number((_corrected(message, refused) for message in record.messages), agent)
    place: Json = {"agent": agent, "conversation_id": begun.spec.conversation_id}
    store_messages(values, **place, actor=actor, findable=False)
    fresh = [*begun.unindexed, *values]
    index_messages(fresh, org_id=agent.org_id, agent_id=agent.id)
    begun.unindexed.clear()
    return values


def _corrected(message: Message, refused: dict[str, str]) -> Message:
    """Tell the truth in a return whose edit could not be made after all.

    The tool judged by the block as it was when the step began; somebody may have changed it since.
    """
    if not any(one.tool_call_id in refused for one in message.tool_returns):
        return message
    returns = tuple(_refused(one, refused.get(one.tool_call_id)) for one in message.tool_returns)
    return replace(message, tool_returns=returns)


def _refused(result: ToolReturn, error: str | None) -> ToolReturn:
    return replace(result, text=f"Error: {error}", status="error") if error else result


def _store_passages(actor: Actor, begun: Begun, record: StepRecord) -> int:
    added = 0
    for one in record.calls:
        if not one.outcome.passages:
            continue
        archive = own_archive(actor, begun.spec.agent_id)
        drafts = [PassageDraft(text=new.text, tags=list(new.tags)) for new in one.outcome.passages]
        origin = _origin(begun, record, 0, one.call.id, one.call.name)
        added += len(insert_passages(actor, archive_id=archive.id, rows=drafts, origin=origin))
    return added


def _show_files(begun: Begun, record: StepRecord) -> None:
    outcomes = [one.outcome for one in record.calls]
    asking = [one for one in outcomes if one.opened or one.closes_others]
    if not asking:
        return
    agents = Agent.objects.filter(pk=begun.spec.agent_id).values_list("files_version", flat=True)
    before = agents.get()
    for one in asking:
        show(begun.spec.agent_id, one.opened, close_others=one.closes_others)
    # What was cut in the returns is not in the window: the next run shows it in the head.
    limit = return_limit_chars(begun.spec.window_tokens)
    if all(view.view in one.text[:limit] for one in asking for view in one.opened):
        note_own_views(begun.spec.conversation_id, before, agents.get())


def _store_retrievals(begun: Begun, record: StepRecord, step_seq: int) -> None:
    rows = [
        Retrieval(
            org_id=begun.actor.org_id,
            agent_id=begun.spec.agent_id,
            agent_seq=step_seq,
            run_id=begun.spec.run_id,
            step_id=record.step_id,
            tool_call_id=one.call.id,
            kind=one.outcome.retrieval.kind,
            query=one.outcome.retrieval.query,
            filters=one.outcome.retrieval.filters,
            mode=one.outcome.retrieval.mode,
            hits=list(one.outcome.retrieval.hits),
        )
        for one in record.calls
        if one.outcome.retrieval
    ]
    if rows:
        Retrieval.objects.bulk_create(rows)


def _store_step(begun: Begun, record: StepRecord, step_seq: int) -> None:
    spec, reply = begun.spec, record.reply
    usage = reply.usage if reply else Usage()
    Step.objects.create(
        id=record.step_id,
        org_id=begun.actor.org_id,
        agent_id=spec.agent_id,
        run_id=spec.run_id,
        seq=step_seq,
        n=record.n,
        status=_step_status(record),
        stop_reason=record.stop_reason,
        model=reply.model if reply else spec.model.handle.partition("/")[2],
        model_handle=spec.model.handle,
        model_endpoint=reply.endpoint if reply else None,
        provider_name=spec.model.handle.partition("/")[0],
        context_window_limit=spec.window_tokens,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        estimated_prompt_tokens=record.estimated_tokens,
        request=stored_request(begun, record),
        response=reply.raw if reply else None,
        block_versions=record.block_versions,
        started_at=record.started_at,
        queued_ns=begun.queued_ns if record.n == 1 else None,
        ttft_ns=reply.ttft_ns if reply else None,
        llm_ns=record.llm_ns,
        tool_ns=sum(one.duration_ns for one in record.calls),
        total_ns=record.total_ns,
        error=failure_row(record.failure),
        created_by_id=begun.actor.id,
    )


def _add_tool_time(record: StepRecord) -> None:
    """A step that waited has its row; its calls were made only now."""
    spent_ns = sum(one.duration_ns for one in record.calls)
    Step.objects.filter(pk=record.step_id).update(tool_ns=Coalesce(F("tool_ns"), 0) + spent_ns)


def _step_status(record: StepRecord) -> str:
    if record.failure:
        return "failed"
    return "cancelled" if record.stop_reason == "cancelled" else "success"


def _store_tool_calls(begun: Begun, record: StepRecord, messages: Sequence[Message]) -> None:
    if not record.calls:
        return
    returns = {one.tool_call_id: one for message in messages for one in message.tool_returns}
    asked = _asking_id(begun, record)
    ToolCall.objects.bulk_create(
        ToolCall(
            org_id=begun.actor.org_id,
            agent_id=begun.spec.agent_id,
            run_id=begun.spec.run_id,
            step_id=record.step_id,
            message_id=asked,
            tool_call_id=one.call.id,
            name=one.call.name[:64],
            arguments=one.call.arguments,
            result=returns[one.call.id].text,
            status=returns[one.call.id].status,
            stdout=list(one.outcome.stdout),
            stderr=list(one.outcome.stderr),
            duration_ns=one.duration_ns,
            approved_by=begun.actor.id if one.approved else None,
        )
        for one in record.calls
        if one.call.id in returns
    )


def _store_progress(begun: Begun, record: StepRecord, total: tuple[Usage, int | None]) -> None:
    """Move the run on, and end it if this was its last step."""
    usage, ttft_ns = total
    moment = now()
    fields: Json = {
        "step_count": record.n,
        "heartbeat_at": moment,
        "ttft_ns": ttft_ns,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "context_tokens": record.reply.usage.total_tokens if record.reply else None,
    }
    if record.stop_reason:
        fields |= ending(begun.started_at, record.stop_reason, record.failure, moment)
    Run.objects.filter(pk=begun.spec.run_id).update(**fields)
