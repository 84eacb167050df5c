"""The record of a step: its own row, and those of its calls and searches."""

from collections.abc import Sequence

from django.db.models import F
from django.db.models.functions import Coalesce

from agents.engine.ports import StepRecord
from agents.models import Step, ToolCall
from agents.services.request_parts import stored_request
from agents.services.runs import failure_row
from agents.services.snapshot import Begun
from agents.services.step_memory import asking_id
from agents.types import Message, Usage
from memory.models import Retrieval


def store_record(
    begun: Begun, record: StepRecord, step_seq: int, messages: Sequence[Message]
) -> None:
    """Store the row of a step and what its calls did. Call it inside `aio.write()`."""
    _store_retrievals(begun, record, step_seq)
    if record.resumed:
        _add_tool_time(record)
    else:
        _store_step(begun, record, step_seq)
    _store_tool_calls(begun, record, messages)


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
    asked = asking_id(begun, record)
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
