"""Talks of groups. There is no second loop here: each turn is a run of its agent, like any other.

A talk goes on when its caller leaves, as a run does. If the server stops in the middle of one, the
turn under way ends as its run does, and nobody takes the next.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from weakref import WeakValueDictionary

from agents.engine.events import Event, Failure, RunFinished, StepCommitted
from agents.runtime import bus, runner
from agents.runtime.bus import Subscription
from agents.services import group_talks
from agents.services.group_talks import Company, Speaker
from agents.services.messages import spoken
from agents.services.sleeptime import KINDS
from agents.types import InputMessage, Message, RunInput, RunRef, TextPart, ToolCall, Usage
from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import AppError, Invalid
from letta_site.core.ids import new_id
from letta_site.core.types import Actor

log = logging.getLogger(__name__)
DEFAULT_MAX_TURNS = 8
CHOOSING = "choose_next_participant"
_GOES_ON = ("end_turn", "tool_rule", "max_steps")
_YOUR_TURN = "It is your turn to speak."
_CHOOSE = (
    "You lead this talk. Those who can speak:\n{members}\n\nCall choose_next_participant with the "
    "id of the one who is to speak next. When the talk has reached its aim, say {token} instead. "
    'For example, call choose_next_participant with {{"next_speaker_agent_id": "{example}"}}'
)

# One talk of a group at a time.
_locks: "WeakValueDictionary[str, asyncio.Lock]" = WeakValueDictionary()


class _Stopped(Exception):
    """The turn of somebody did not end well; `end` tells how."""

    def __init__(self, end: RunFinished) -> None:
        super().__init__(end.stop_reason)
        self.end = end


@dataclass(frozen=True, slots=True)
class _Turn:
    words: str
    calls: tuple[ToolCall, ...]


@dataclass(slots=True)
class _Talk:
    """One request to a group. `given` is the request; its agent is replaced in each turn."""

    actor: Actor
    company: Company
    given: RunInput
    ear: Subscription
    usage: Usage = field(default_factory=Usage)
    step_count: int = 0
    refs: list[RunRef] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    stop_reason: str = "end_turn"

    async def announce(self) -> None:
        """Let everybody hear what the request says, when their turn comes."""
        await in_db(group_talks.announce, self.company.group_id, self.given.messages)

    async def speak(self, speaker: Speaker, *more: InputMessage) -> _Turn:
        """Give a speaker the floor: it hears what it has missed, and the others hear its reply."""
        group_id = self.company.group_id
        news = await in_db(group_talks.unheard_by, group_id, speaker.agent_id)
        messages = (*news, *more) or (self.notice(_YOUR_TURN),)
        try:
            turn = await self.run(speaker, messages)
        except _Stopped:
            # What it was told is in its history, whatever became of its answer.
            await in_db(group_talks.end_turn, group_id, speaker.agent_id, len(news), ())
            raise
        leads = self.company.manager and speaker.agent_id == self.company.manager.agent_id
        said = () if leads or not turn.words else (self._quote(speaker, turn.words),)
        await in_db(group_talks.end_turn, group_id, speaker.agent_id, len(news), said)
        return turn

    async def run(self, speaker: Speaker, messages: tuple[InputMessage, ...]) -> _Turn:
        """Run an agent on these messages and pass on all it tells, but the end. Raises _Stopped."""
        facts = {**self.given.metadata, "group_id": self.company.group_id}
        wish = replace(self.given, agent_id=speaker.agent_id, messages=messages, metadata=facts)
        ref, heard = await runner.send(self.actor, wish)
        self.refs.append(ref)
        told: list[Message] = []
        async with aclosing(heard):
            async for _, event in heard:
                if isinstance(event, RunFinished):
                    break
                self.ear.put((ref, event))
                told += _told(event)
        self._count(event)
        calls = tuple(call for message in told for call in message.tool_calls)
        return _Turn("\n".join(filter(None, map(spoken, told))), calls)

    def _count(self, end: RunFinished) -> None:
        self.usage += end.usage
        self.step_count += end.step_count
        self.stop_reason = end.stop_reason
        self.followers += end.run_ids
        if end.failure or end.stop_reason not in _GOES_ON:
            raise _Stopped(end)

    def notice(self, text: str) -> InputMessage:
        """Return words of the group itself."""
        group_id = self.company.group_id
        return InputMessage("user", (TextPart(text),), sender_id=group_id, group_id=group_id)

    def _quote(self, speaker: Speaker, words: str) -> InputMessage:
        said = TextPart(f"{speaker.name}: {words}")
        group_id = self.company.group_id
        return InputMessage("user", (said,), sender_id=speaker.agent_id, group_id=group_id)

    def end(self, failure: Failure | None = None) -> RunFinished:
        """Return the end of the talk, with the runs it was made of and those that follow it.

        Of a sleeptime group only those that follow, as in the answer of its agent itself.
        """
        stop = "error" if failure and self.stop_reason in _GOES_ON else self.stop_reason
        turns = [] if self.company.manager_type in KINDS else [ref.run_id for ref in self.refs]
        runs = (*turns, *self.followers)
        return RunFinished(stop, self.usage, self.step_count, None, failure, runs)


def _told(event: Event) -> list[Message]:
    if not isinstance(event, StepCommitted):
        return []
    return [message for message in event.messages if message.role == "assistant"]


# --- the ways of taking turns ----------------------------------------------------------------


async def _direct(talk: _Talk) -> None:
    """Let the one who talks for the group answer."""
    if talk.company.manager:
        await talk.run(talk.company.manager, talk.given.messages)


async def _round_robin(talk: _Talk) -> None:
    """Let everybody speak once, or `max_turns` times in all, starting after the last one heard."""
    members, counter = talk.company.members, talk.company.turns_counter
    await talk.announce()
    for n in range(counter, counter + (talk.company.max_turns or len(members))):
        await talk.speak(members[n % len(members)])


async def _dynamic(talk: _Talk) -> None:
    """Let the manager choose who speaks, until it or a speaker says the word that ends it."""
    token = talk.company.termination_token
    await talk.announce()
    for n in range(talk.company.max_turns or DEFAULT_MAX_TURNS):
        chosen = await _choose(talk, talk.company.members[n % len(talk.company.members)])
        if chosen is None:
            return
        turn = await talk.speak(chosen)
        if token and token in turn.words:
            return


async def _choose(talk: _Talk, example: Speaker) -> Speaker | None:
    company, token = talk.company, talk.company.termination_token
    listed = "\n".join(
        f"- {one.agent_id} ({one.name}) {one.description}".rstrip() for one in company.members
    )
    ask = talk.notice(_CHOOSE.format(members=listed, token=token, example=example.agent_id))
    if company.manager is None:
        return None
    turn = await talk.speak(company.manager, ask)
    if token and token in turn.words:
        return None
    members = {one.agent_id: one for one in company.members}
    chosen = [_chosen_id(call) for call in turn.calls if call.name == CHOOSING]
    return next((members[one] for one in reversed(chosen) if one in members), None)


def _chosen_id(call: ToolCall) -> str:
    try:
        return str(json.loads(call.arguments).get("next_speaker_agent_id"))
    except (ValueError, AttributeError):
        return ""


_PATTERNS: dict[str, Callable[[_Talk], Awaitable[None]]] = {
    "round_robin": _round_robin,
    "dynamic": _dynamic,
    "supervisor": _direct,
    "sleeptime": _direct,
    "voice_sleeptime": _direct,
}


# --- the request -----------------------------------------------------------------------------


async def send(actor: Actor, company: Company, given: RunInput) -> Subscription:
    """Begin a talk; return an ear that hears all turns, and one RunFinished at the end.

    Raises Invalid when there is nobody to talk.
    """
    if not company.members and company.manager_type in ("round_robin", "dynamic"):
        raise Invalid("There are no agents in this group.", todo="PATCH its agent_ids first.")
    group_id = company.group_id
    messages = tuple(replace(one, group_id=group_id) for one in given.messages)
    ear = bus.subscribe(new_id("talk"))
    talk = _Talk(actor, company, replace(given, messages=messages, resend_key=None), ear)
    spawn(_lead(talk), name=f"group {group_id}")
    return ear


async def _lead(talk: _Talk) -> None:
    lock = _locks.setdefault(talk.company.group_id, asyncio.Lock())
    try:
        async with lock:
            talk.company = await in_db(group_talks.load_company, talk.actor, talk.company.group_id)
            await _PATTERNS[talk.company.manager_type](talk)
        end = talk.end()
    except _Stopped as stopped:
        end = talk.end(stopped.end.failure)
    except AppError as error:
        end = talk.end(Failure("internal_error", error.what, error.todo))
    except Exception:
        log.exception("The talk of group %s failed", talk.company.group_id)
        end = talk.end(Failure("internal_error", "Something went wrong inside the server."))
    talk.ear.put((talk.refs[-1] if talk.refs else _nobody(talk), end))


def _nobody(talk: _Talk) -> RunRef:
    return RunRef(talk.company.group_id, "", "", talk.actor.org_id)
