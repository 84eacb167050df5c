"""What a finished turn leads to: background runs of those who tend the agent's memory."""

from agents.models import Group
from agents.services.runs import open_run
from agents.services.sleeptime import VOICE, groups_of, mirror_blocks
from agents.services.transcripts import Line, dialogue, write_lines
from agents.types import InputMessage, Json, RunInput, RunRef, TextPart
from letta_site.core.aio import write
from letta_site.core.types import Actor

RUN_TYPE = "sleeptime"
Opened = list[tuple[RunRef, int]]
_NEWS = (
    "This was said in the conversation of the agent whose memory you tend, since you last looked:"
    "\n\n<transcript>\n{lines}\n</transcript>\n\nBring the memory blocks up to date, and then "
    "call {last}."
)
_LAST_TOOLS = {True: "finish_rethinking_memory", False: "memory_finish_edits"}


def count_turn(actor: Actor, agent_id: str, run_id: str) -> Opened:
    """Note that an agent has taken a turn; open what is due now, and return it for the queue."""
    opened: Opened = []
    with write():
        for group in groups_of(agent_id).select_for_update().order_by("id"):
            group.turns_counter += 1
            lines = _due(group, agent_id)
            if lines:
                opened += _open(actor, group, lines, run_id)
                group.last_seq = lines[-1].seq
                group.last_processed_message_id = lines[-1].message_id
            fields = ["turns_counter", "last_seq", "last_processed_message_id"]
            group.save(update_fields=fields)
    return opened


def _due(group: Group, agent_id: str) -> list[Line]:
    """Return what the group is to read now: every so many turns, or what leaves the buffer."""
    if group.manager_type == VOICE:
        lines = dialogue(agent_id, after_seq=group.last_seq)
        keep = group.min_message_buffer_length or 0
        full = len(lines) > (group.max_message_buffer_length or 0)
        return lines[: len(lines) - keep] if full else []
    if group.turns_counter % max(1, group.sleeptime_agent_frequency or 1):
        return []
    return dialogue(agent_id, after_seq=group.last_seq)


def _open(actor: Actor, group: Group, lines: list[Line], run_id: str) -> Opened:
    voice = group.manager_type == VOICE
    text = _NEWS.format(lines=write_lines(lines, numbered=voice), last=_LAST_TOOLS[voice])
    facts: Json = {
        "run_type": RUN_TYPE,
        "group_id": group.id,
        "manager_agent_id": group.manager_agent_id,
        "manager_run_id": run_id,
    }
    mirror_blocks(group.manager_agent_id or "")
    message = InputMessage("user", (TextPart(text),), group_id=group.id)
    return [
        open_run(actor, RunInput(agent_id, (message,), background=True, metadata=facts))
        for agent_id in group.member_links.values_list("agent_id", flat=True)
    ]
