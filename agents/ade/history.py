"""Reading the conversation of an agent from the database, as rows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from agents.ade.timeline import (
    Cut,
    FaultRow,
    NoteRow,
    QueuedRow,
    Row,
    StepRow,
    Waiting,
    build_rows,
    spoken_words,
)
from agents.ade.toolcards import BlockChange
from agents.engine.prompt import unwrap_user_text
from agents.models import Agent, Compaction, Conversation, Message, Run
from agents.services.messages import to_type
from agents.types import Message as MessageValue
from memory.ade.cards import changes_of

PAGE_SIZE = 50
ROLES_SHOWN = ("user", "assistant", "tool", "summary", "system", "approval")

MAX_DETAIL_CHARS = 500


def main_conversation(agent: Agent) -> Conversation:
    """Return the conversation that the workspace shows."""
    return Conversation.objects.get(agent=agent, is_default=True)


def _shown(conversation: Conversation) -> "QuerySet[Message]":
    rows = Message.objects.filter(conversation=conversation, role__in=ROLES_SHOWN)
    return rows.exclude(pk=conversation.system_message_id)


def page_of_rows(
    agent: Agent, conversation: Conversation, *, before: int | None = None
) -> tuple[list[Row], int | None]:
    """Return the newest rows before `before`, and the number to ask with for older ones."""
    rows = _shown(conversation).order_by("-seq")
    if before:
        rows = rows.filter(seq__lt=before)
    newest = list(rows[: PAGE_SIZE + 1])
    page = newest[:PAGE_SIZE][::-1]
    if len(newest) > PAGE_SIZE:
        page = _from_first_turn(page)
    older = page[0].seq if len(newest) > PAGE_SIZE else None
    return rows_of(agent, conversation, [to_type(row) for row in page]), older


def _from_first_turn(page: list[Message]) -> list[Message]:
    """Drop returns at the edge, whose calls are on the page before."""
    first = next((at for at, row in enumerate(page) if row.role != "tool"), 0)
    return page[first:]


def rows_after(agent: Agent, seq: int, *, until_run: str | None = None) -> list[Row]:
    """Return the rows of everything that was stored after number `seq`, at most one page.

    With `until_run` only up to the end of that run: the next one may have begun meanwhile.
    In front come again rows of calls that waited, when they have been answered meanwhile, and the
    summary that a new one has replaced.
    """
    conversation = main_conversation(agent)
    shown = _shown(conversation)
    later = shown.filter(seq__gt=seq)
    if until_run:
        later = _until(later, until_run)
    new = [to_type(row) for row in reversed(later.order_by("-seq")[:PAGE_SIZE])]
    changed = _answered(shown, new) | _outdone(shown, new, seq)
    old = [to_type(row) for row in changed.filter(seq__lte=seq).order_by("seq")]
    known = {f"msg-{message.id}" for message in old}
    rows = rows_of(agent, conversation, [*old, *new])
    return [
        replace(row, again=True)
        if isinstance(row, StepRow | NoteRow) and row.dom_id in known
        else row
        for row in rows
    ]


def _until(rows: "QuerySet[Message]", run_id: str) -> "QuerySet[Message]":
    last = rows.filter(run_id=run_id).order_by("-seq").values_list("seq", flat=True).first()
    return rows.filter(seq__lte=last or 0)


def _outdone(
    shown: "QuerySet[Message]", new: Sequence[MessageValue], seq: int
) -> "QuerySet[Message]":
    """Return the summary that was the latest before those in `new`, if a page has it."""
    if not any(message.role == "summary" for message in new):
        return shown.none()
    on_page = shown.filter(seq__lte=seq).order_by("-seq").values_list("pk", "role")
    summaries = [pk for pk, role in on_page[: PAGE_SIZE // 2] if role == "summary"]
    return shown.filter(pk__in=summaries[:1])


def _answered(shown: "QuerySet[Message]", new: Sequence[MessageValue]) -> "QuerySet[Message]":
    """Return the messages whose calls `new` answers from afar."""
    asked = {one.get("approval_request_id") for message in new for one in message.approvals}
    own = {message.step_id for message in new if message.role == "assistant"}
    steps = {message.step_id for message in new if message.role == "tool"} - own
    if not (asked or steps):
        return shown.none()
    return shown.filter(Q(pk__in=asked) | Q(step_id__in=steps, role__in=("assistant", "approval")))


def rows_of(
    agent: Agent, conversation: Conversation, messages: Sequence[MessageValue]
) -> list[Row]:
    """Return the rows of stored messages, with what their tool calls did to blocks."""
    pending_id = conversation.pending_id
    return build_rows(
        messages,
        name=agent.name,
        changes=changes_by_call(messages),
        waiting=Waiting(agent.id, pending_id) if pending_id else None,
        cuts=_cuts_by_summary(conversation, messages),
    )


def _cuts_by_summary(
    conversation: Conversation, messages: Iterable[MessageValue]
) -> dict[str, Cut]:
    """Return the compactions that left these summaries; no query if there are none."""
    ids = [message.id for message in messages if message.role == "summary"]
    if not ids:
        return {}
    rows = Compaction.objects.filter(conversation=conversation, summary_message_id__in=ids)
    last = conversation.summary_message_id
    return {row.summary_message_id: _cut(row, last) for row in rows}


def _cut(row: Compaction, last: str | None) -> Cut:
    return Cut(
        agent_id=row.agent_id,
        number=row.seq,
        messages=len(row.message_ids),
        tokens_before=row.tokens_before,
        tokens_after=row.tokens_after,
        undone=row.undone_at is not None,
        latest=row.undone_at is None and row.summary_message_id == last,
    )


def changes_by_call(messages: Iterable[MessageValue]) -> dict[str, BlockChange]:
    """Return what tool calls of `messages` made of blocks; no query if there were none."""
    steps = {m.step_id for m in messages if m.step_id and m.role in ("assistant", "tool")}
    if not steps:
        return {}
    return {
        row.tool_call_id or "": BlockChange(row.label, getattr(row, "before", "") or "", row.value)
        for row in changes_of(steps)
    }


def last_run(agent: Agent) -> Run | None:
    """Return the newest run."""
    run: Run | None = Run.objects.filter(agent=agent).order_by("-seq").first()
    return run


def queued_rows(active: Iterable[Run], conversation: Conversation) -> list[Row]:
    """Return what was said to an agent and waits for its turn. No query."""
    waiting = (run for run in active if run.status == "created" and run.started_at is None)
    own = (run for run in waiting if run.conversation_id == conversation.id)
    return [row for run in own if (row := queued_row(run))]


def queued_row(run: Run) -> QueuedRow | None:
    """Return the row of a run that has not begun; None when nobody spoke."""
    said = [one for one in run.input if one["role"] in ("user", "system")]
    parts = [part.get("text", "") for one in said for part in one["content"]]
    text = "\n\n".join(part for part in parts if part)
    key = next((one["otid"] for one in said if one.get("otid")), run.id)
    return QueuedRow(key, unwrap_user_text(text)) if text else None


def unheard_key(run_id: str) -> str:
    """Return the key of the row of a run that ended before it began, or an empty text."""
    run = Run.objects.filter(pk=run_id, started_at=None).first()
    row = queued_row(run) if run else None
    return row.key if row else ""


def fault_row(error: dict[str, Any], run_id: str) -> FaultRow:
    """Return the row of a run's error."""
    return FaultRow(
        dom_id=f"fault-{run_id}",
        label=_("The run failed"),
        text=str(error.get("message") or error.get("detail") or ""),
        todo=str(error.get("todo") or ""),
        detail=str(error.get("detail") or "")[:MAX_DETAIL_CHARS] if error.get("message") else "",
    )


def last_words(agent: Agent) -> str:
    """Return what the agent said last, for those who listen to the page."""
    rows = Message.objects.filter(agent=agent, role="assistant").order_by("-seq")
    row = rows.first()
    return spoken_words(to_type(row)) if row else ""
