"""Storing: one transaction a step. Nothing is published before it has committed."""

from dataclasses import replace

from agents.engine.approvals import WAITING
from agents.engine.events import Failure
from agents.engine.ports import Committed, Evicted, Eviction, StepRecord
from agents.engine.state import return_limit_chars
from agents.models import Agent, Run
from agents.services.approvals import hold
from agents.services.evictions import store_eviction
from agents.services.kit import block_views
from agents.services.messages import Home, index_messages, number, store_messages
from agents.services.numbering import reserve
from agents.services.open_files import show
from agents.services.prompts import note_own_edits, note_own_views
from agents.services.request_parts import digest_of
from agents.services.runs import end_run, ending, usage_columns
from agents.services.snapshot import Begun
from agents.services.step_memory import Results, store_edits, store_passages
from agents.services.step_rows import store_record
from agents.types import Json, Message, ToolReturn
from letta_site.core.aio import in_db, write
from letta_site.core.clock import now
from letta_site.core.types import Actor


class RunLedger:
    """The Ledger port of one run."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
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
            self._ttft_ns = self._ttft_ns or record.reply.ttft_ns or record.llm_ns
        return commit_step(self._begun, record, self._ttft_ns)


def commit_step(begun: Begun, record: StepRecord, ttft_ns: int | None) -> Committed:
    """Store one step with everything it changed. `ttft_ns` is of the run's first answer."""
    spec = begun.spec
    actor = Actor(begun.actor.org_id, spec.agent_id, "agent")
    with write():
        agent = reserve(spec.agent_id, 1 + len(record.messages), **_noted(begun, record))
        agent.last_seq += 1
        step_seq = agent.last_seq
        results = store_edits(actor, begun, record, step_seq)
        messages = _store_messages(actor, agent, record, begun, results)
        added = store_passages(actor, begun, record)
        _show_files(begun, record)
        store_record(begun, record, step_seq, messages)
        _store_progress(begun, record, ttft_ns)
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


def _store_messages(
    actor: Actor,
    agent: Agent,
    record: StepRecord,
    begun: Begun,
    results: Results,
) -> list[Message]:
    refused = {call_id: one.error for (call_id, _), one in results.items() if one.error}
    values = number((_corrected(message, refused) for message in record.messages), agent)
    place: Json = {"agent": agent, "conversation_id": begun.spec.conversation_id}
    store_messages(values, **place, actor=actor, findable=False)
    fresh = [*begun.unindexed, *values]
    index_messages(fresh, Home(agent.org_id, agent.id, begun.spec.conversation_id))
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


def _store_progress(begun: Begun, record: StepRecord, ttft_ns: int | None) -> None:
    """Move the run on, and end it if this was its last step."""
    moment = now()
    fields: Json = {
        "step_count": record.n,
        "heartbeat_at": moment,
        "ttft_ns": ttft_ns,
        **usage_columns(record.total),
        "context_tokens": record.reply.usage.total_tokens if record.reply else None,
    }
    if record.stop_reason:
        fields |= ending(begun.started_at, record.stop_reason, record.failure, moment)
    Run.objects.filter(pk=begun.spec.run_id).update(**fields)
