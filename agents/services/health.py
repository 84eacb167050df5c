"""What can be wrong with an agent, and how it is put right."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Max

from agents.engine.repair import INTERRUPTED
from agents.models import Agent, AgentBlock, Compaction, Conversation, Message, Run, Step
from agents.services.kit import block_views
from agents.services.messages import (
    Home,
    index_messages,
    is_findable,
    number,
    store_messages,
    to_type,
)
from agents.services.prompts import refresh_prompt
from agents.services.runs import end_interrupted
from agents.types import Message as MessageValue
from agents.types import ToolReturn
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import NotFound
from letta_site.core.ids import new_id
from letta_site.core.types import Actor, Origin
from memory.models import BlockVersion, SearchEntry
from memory.services.block_rows import record
from memory.services.search import drop

MOST_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with an agent. `remedy` says what repairing does, `mend` does it."""

    agent_id: str
    kind: str
    what: str
    remedy: str
    mend: Callable[[], None]


def find_trouble(
    actor: Actor, agent_id: str, *, working: Collection[str] | None = None
) -> list[Trouble]:
    """Return what is wrong with an agent. Raises NotFound.

    `working` are the runs that this process is carrying out; without it a run counts as stuck once
    it has been silent for longer than a step can take.
    """
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    found = [trouble for check in _CHECKS for trouble in check(agent)]
    return [*_stuck_runs(agent, working), *found]


def repair(actor: Actor, agent_id: str, *, working: Collection[str] | None = None) -> list[Trouble]:
    """Put right what is wrong with an agent, in one transaction; return what that was."""
    done: list[Trouble] = []
    with write():
        # A trouble can hide another: calls are not paired while a run counts as running.
        for _ in range(MOST_ROUNDS):
            found = find_trouble(actor, agent_id, working=working)
            for trouble in found:
                trouble.mend()
            done += found
            if not found:
                break
    return done


def unstick(actor: Actor, agent_id: str, *, working: Collection[str] = ()) -> list[Trouble]:
    """End runs that nobody carries out, and put right what else is wrong. Raises NotFound.

    `working` are the runs that this process is carrying out; they are left alone.
    """
    return repair(actor, agent_id, working=working)


def check_database() -> str:
    """Return what the database finds wrong with its own file, or an empty text."""
    if connection.vendor != "sqlite":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        rows = [str(row[0]) for row in cursor.fetchall()]
    return "" if rows == ["ok"] else "; ".join(rows)


def _stuck_runs(agent: Agent, working: Collection[str] | None) -> Iterator[Trouble]:
    silent = timedelta(
        seconds=settings.LLM_TIMEOUT_S * settings.LLM_TRIES + settings.TOOL_TIMEOUT_S
    )
    for run in Run.objects.filter(agent=agent, status="running"):
        heard = run.heartbeat_at or run.created_at
        if run.id in working if working is not None else now() - heard < silent:
            continue
        yield Trouble(
            agent.id,
            "stuck run",
            f"Run {run.id} is said to be running, but nobody carries it out.",
            "It is reported failed as interrupted; its finished steps stay.",
            lambda pk=run.pk: _end(pk),  # type: ignore[misc]
        )


def _end(run_id: str) -> None:
    if Run.objects.filter(pk=run_id, status="running").exists():
        end_interrupted(run_id)


# --- the history -----------------------------------------------------------------------------


def _numbering(agent: Agent) -> Iterator[Trouble]:
    tops = [
        model._default_manager.filter(agent=agent).aggregate(top=Max("seq"))["top"] or 0
        for model in (Message, Run, Step, Compaction)
    ]
    if max(tops) > agent.last_seq:
        yield Trouble(
            agent.id,
            "numbering",
            f"Numbers up to {max(tops)} are taken, but the agent counts from {agent.last_seq}.",
            "The agent counts on from the highest number.",
            lambda: _count_from(agent, max(tops)),
        )


def _count_from(agent: Agent, top: int) -> None:
    agent.last_seq = top
    Agent.objects.filter(pk=agent.pk).update(last_seq=top)


def _windows(agent: Agent) -> Iterator[Trouble]:
    for talk in Conversation.objects.filter(agent=agent):
        head = Message.objects.filter(pk=talk.system_message_id or "", role="system")
        if not head.exists():
            yield Trouble(
                agent.id,
                "system message",
                f"Conversation {talk.id} has no system message.",
                "One is compiled from instructions and memory.",
                lambda talk=talk: _give_head(agent, talk),  # type: ignore[misc]
            )
        notes = talk.summary_message_id
        if notes and not Message.objects.filter(pk=notes).exists():
            yield Trouble(
                agent.id,
                "summary",
                f"The summary of conversation {talk.id} is missing.",
                "The window goes on without a summary; the messages can be searched.",
                lambda talk=talk: _forget_summary(talk),  # type: ignore[misc]
            )
        if talk.window_after_seq > agent.last_seq:
            yield Trouble(
                agent.id,
                "window",
                f"The window of conversation {talk.id} begins after everything there is.",
                "It begins at the latest number.",
                lambda talk=talk: _close_window(agent, talk),  # type: ignore[misc]
            )


def _give_head(agent: Agent, talk: Conversation) -> None:
    head = MessageValue(new_id("message"), "system", now())
    _append(agent, talk, head)
    talk.system_message_id = head.id
    talk.save(update_fields=["system_message_id"])
    refresh_prompt(agent, talk, block_views(agent.id, talk.isolated_block_ids), force=True)


def _forget_summary(talk: Conversation) -> None:
    talk.summary = talk.summary_message_id = None
    talk.save(update_fields=["summary", "summary_message_id"])


def _close_window(agent: Agent, talk: Conversation) -> None:
    talk.window_after_seq = agent.last_seq
    talk.save(update_fields=["window_after_seq"])


def _append(agent: Agent, talk: Conversation, value: MessageValue) -> None:
    numbered = number([value], agent)
    actor = Actor(agent.org_id, agent.id, "agent")
    store_messages(numbered, agent=agent, conversation_id=talk.id, actor=actor)
    Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)


def _pairs(agent: Agent) -> Iterator[Trouble]:
    """Find calls without a return and returns without a call, in each conversation.

    Calls that wait for somebody's answer have no return yet, and those beside them neither.
    """
    if agent.runs.filter(status="running").exists():
        return  # its latest step may be between the two
    traffic = Message.objects.filter(agent=agent).exclude(tool_calls=[], tool_returns=[])
    for talk in Conversation.objects.filter(agent=agent).select_related("pending"):
        open_calls: dict[str, str] = {}
        for row in traffic.filter(conversation=talk).order_by("seq").iterator():
            known = {one["tool_call_id"] for one in row.tool_returns} & set(open_calls)
            if len(known) < len(row.tool_returns):
                yield Trouble(
                    agent.id,
                    "orphan return",
                    f"Message {row.id} holds returns of calls that nobody made.",
                    "They are taken out.",
                    lambda pk=row.pk, known=known: _drop_returns(pk, known),  # type: ignore[misc]
                )
            for call_id in known:
                del open_calls[call_id]
            if talk.pending is None or row.step_id != talk.pending.step_id:
                open_calls |= {call["id"]: call["name"] for call in row.tool_calls}
        if open_calls:
            yield Trouble(
                agent.id,
                "orphan call",
                f"Calls without a return: {', '.join(open_calls)}.",
                "They get a return that says that they were interrupted.",
                lambda talk=talk, calls=open_calls: _answer(agent, talk, calls),  # type: ignore[misc]
            )


def _drop_returns(message_id: str, known: set[str]) -> None:
    row = Message.objects.get(pk=message_id)
    row.tool_returns = [one for one in row.tool_returns if one["tool_call_id"] in known]
    row.save(update_fields=["tool_returns"])


def _answer(agent: Agent, talk: Conversation, calls: dict[str, str]) -> None:
    returns = tuple(
        ToolReturn(call_id, name, INTERRUPTED, status="error") for call_id, name in calls.items()
    )
    value = MessageValue(new_id("message"), "tool", now(), tool_returns=returns, is_err=True)
    _append(agent, talk, value)


# --- what is kept beside it ------------------------------------------------------------------


def _blocks(agent: Agent) -> Iterator[Trouble]:
    for link in AgentBlock.objects.filter(agent=agent).select_related("block"):
        block = link.block
        last = BlockVersion.objects.filter(block=block).order_by("-n").first()
        if last and (last.n, last.value) == (block.version, block.value):
            continue
        yield Trouble(
            agent.id,
            "block version",
            f"Block {block.id} ({block.label}) is not what its latest version says.",
            "What it holds now becomes its latest version.",
            lambda block=block, n=last.n if last else 0: _record(agent, block.pk, n),  # type: ignore[misc]
        )


def _record(agent: Agent, block_id: str, last: int) -> None:
    block = AgentBlock.objects.get(agent=agent, block_id=block_id).block
    block.version = last + 1
    block.save(update_fields=["version"])
    record(Actor(agent.org_id, "doctor", "system"), block, Origin(), parent_n=last or None)


def _search(agent: Agent) -> Iterator[Trouble]:
    working = Run.objects.filter(agent=agent, status__in=("running", "created"))
    rows = Message.objects.filter(agent=agent, role__in=("user", "assistant"))
    waiting = set(working.values_list("id", flat=True))
    values = (to_type(row) for row in rows.iterator() if row.run_id not in waiting)
    wanted = {value.id for value in values if is_findable(value)}
    entries = SearchEntry.objects.filter(kind="message", scope_id=agent.id)
    there = set(entries.values_list("ref_id", flat=True))
    alive = set(rows.values_list("id", flat=True))
    missing, extra = wanted - there, there - alive
    if missing or extra:
        yield Trouble(
            agent.id,
            "search index",
            f"{len(missing)} messages cannot be found, {len(extra)} entries lead nowhere.",
            "The index is brought into step.",
            lambda: _index(agent, missing, extra),
        )


def _index(agent: Agent, missing: set[str], extra: set[str]) -> None:
    homeless: dict[str, list[Message]] = defaultdict(list)
    for row in Message.objects.filter(pk__in=missing):
        homeless[row.conversation_id].append(row)
    for conversation_id, rows in homeless.items():
        home = Home(agent.org_id, agent.id, conversation_id)
        index_messages(map(to_type, rows), home)
    drop(extra)


_CHECKS: tuple[Callable[[Agent], Iterator[Trouble]], ...] = (
    _numbering,
    _windows,
    _pairs,
    _blocks,
    _search,
)
