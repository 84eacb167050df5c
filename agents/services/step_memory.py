"""What the calls of a step do to memory: block edits and new passages, told of their origin."""

from agents.engine.ports import StepRecord
from agents.models import AgentBlock
from agents.services.archives import own_archive
from agents.services.kit import block_rows
from agents.services.snapshot import Begun
from letta_site.core.types import Actor, Origin
from memory.logic.edits import BlockEdit
from memory.services.blocks import EditResult, apply_edits
from memory.services.passages import PassageDraft, insert_passages

Results = dict[tuple[str, int], EditResult]


def _edits_of(record: StepRecord) -> list[tuple[str, BlockEdit]]:
    return [(one.call.id, edit) for one in record.calls for edit in one.outcome.edits]


def store_edits(actor: Actor, begun: Begun, record: StepRecord, step_seq: int) -> Results:
    """Apply block edits to the rows as they are now; keys are (tool call id, position).

    Call it inside `aio.write()`.
    """
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


def store_passages(actor: Actor, begun: Begun, record: StepRecord) -> int:
    """Store the passages that the calls ask for; return how many. Call it inside `aio.write()`."""
    added = 0
    for one in record.calls:
        if not one.outcome.passages:
            continue
        archive = own_archive(actor, begun.spec.agent_id)
        drafts = [PassageDraft(text=new.text, tags=list(new.tags)) for new in one.outcome.passages]
        origin = _origin(begun, record, 0, one.call.id, one.call.name)
        added += len(insert_passages(actor, archive_id=archive.id, rows=drafts, origin=origin))
    return added


def asking_id(begun: Begun, record: StepRecord) -> str:
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
        message_id=asking_id(begun, record) or None,
        tool_call_id=call_id,
        tool_name=name,
    )
