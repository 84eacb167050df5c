"""Talks of groups. There is no second loop here: each turn is a run of its agent, like any other.

A talk goes on when its caller leaves, as a run does, and when the server was stopped in the middle
of it: then its turns are gone through again, and those that were taken are heard, not taken anew.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from weakref import WeakValueDictionary

from agents.engine.events import Failure, RunFinished, StepCommitted
from agents.runtime import bus, runner
from agents.runtime.bus import Subscription
from agents.runtime.ears import Ear
from agents.services import group_talks, open_talks
from agents.services.group_talks import Company, Speaker
from agents.services.messages import spoken
from agents.services.open_talks import OpenTalk
from agents.services.sleeptime import KINDS
from agents.types import InputMessage, Message, RunInput, RunRef, TextPart, ToolCall, Usage
from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import AppError, Invalid
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
    """One request to a group. Its agent is replaced in each turn; `ear` hears all turns."""

    kept: OpenTalk
    company: Company
    ear: Subscription
    usage: Usage = field(default_factory=Usage)
    step_count: int = 0
    refs: list[RunRef] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    stop_reason: str = "end_turn"

    async def announce(self) -> int:
        """Let everybody hear what the request says, when their turn comes.

        Returns how many turns the group had taken before the talk.
        """
        return await in_db(open_talks.begin_talk, self.kept, self.kept.given.messages)

    async def speak(self, speaker: Speaker, *more: InputMessage) -> _Turn:
        """Give a speaker the floor: it hears what it has missed, and the others hear its reply."""
        if len(self.refs) < self.kept.settled:
            return await self.run(speaker, ())
        news = await in_db(group_talks.unheard_by, self.company.group_id, speaker.agent_id)
        messages = (*news, *more) or (self.notice(_YOUR_TURN),)
        settle = partial(in_db, open_talks.settle_turn, self.kept, speaker.agent_id, len(news))
        try:
            turn = await self.run(speaker, messages)
        except _Stopped:
            # What it was told is in its history, whatever became of its answer.
            await settle()
            raise
        leads = self.company.manager and speaker.agent_id == self.company.manager.agent_id
        await settle(() if leads or not turn.words else (self._quote(speaker, turn.words),))
        return turn

    async def run(self, speaker: Speaker, messages: tuple[InputMessage, ...]) -> _Turn:
        """Run an agent on these messages and pass on all it tells, but the end. Raises _Stopped."""
        ref, heard = await self._give_floor(speaker, messages)
        self.refs.append(ref)
        told: dict[str, list[Message]] = {}  # a step may be heard twice, stored and live
        async with aclosing(heard):
            async for _, event in heard:
                if isinstance(event, RunFinished):
                    break
                self.ear.put((ref, event))
                if isinstance(event, StepCommitted):
                    told[event.step_id] = _said(event)
        self._count(event)
        said = [message for messages in told.values() for message in messages]
        calls = tuple(call for message in said for call in message.tool_calls)
        return _Turn("\n".join(filter(None, map(spoken, said))), calls)

    async def _give_floor(
        self, speaker: Speaker, messages: tuple[InputMessage, ...]
    ) -> tuple[RunRef, Ear]:
        taken = self.kept.run_ids[len(self.refs) :]
        if taken:
            return await runner.hear(self.kept.actor, taken[0])
        given, group_id = self.kept.given, self.company.group_id
        facts = {**given.metadata, "group_id": group_id, open_talks.MARK: self.kept.talk_id}
        wish = replace(given, agent_id=speaker.agent_id, messages=messages, metadata=facts)
        return await runner.send(self.kept.actor, wish)

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


def _said(event: StepCommitted) -> list[Message]:
    return [message for message in event.messages if message.role == "assistant"]


# --- the ways of taking turns ----------------------------------------------------------------


async def _direct(talk: _Talk) -> None:
    """Let the one who talks for the group answer."""
    if talk.company.manager:
        await talk.run(talk.company.manager, talk.kept.given.messages)


async def _round_robin(talk: _Talk) -> None:
    """Let everybody speak once, or `max_turns` times in all, starting after the last one heard."""
    members, counter = talk.company.members, await talk.announce()
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
    wish = replace(given, messages=messages, resend_key=None)
    return _begin(await in_db(open_talks.open_talk, actor, group_id, wish), company)


async def take_up() -> None:
    """Go on with the talks that the last process left, once their runs are in the queues again."""
    for kept in await in_db(open_talks.list_open):
        company = await in_db(group_talks.load_company, kept.actor, kept.group_id)
        _begin(kept, company).close()


def _begin(kept: OpenTalk, company: Company) -> Subscription:
    ear = bus.subscribe(kept.talk_id)
    spawn(_lead(_Talk(kept, company, ear)), name=f"group {kept.group_id}")
    return ear


async def _lead(talk: _Talk) -> None:
    lock = _locks.setdefault(talk.company.group_id, asyncio.Lock())
    try:
        async with lock:
            talk.company = await in_db(
                group_talks.load_company, talk.kept.actor, talk.company.group_id
            )
            await _PATTERNS[talk.company.manager_type](talk)
        end = talk.end()
    except _Stopped as stopped:
        end = talk.end(stopped.end.failure)
    except AppError as error:
        end = talk.end(Failure("internal_error", error.what, error.todo))
    except Exception:
        log.exception("The talk of group %s failed", talk.company.group_id)
        end = talk.end(Failure("internal_error", "Something went wrong inside the server."))
    try:
        await in_db(open_talks.close_talk, talk.kept.talk_id)
    finally:
        talk.ear.put((talk.refs[-1] if talk.refs else _nobody(talk), end))


def _nobody(talk: _Talk) -> RunRef:
    return RunRef(talk.company.group_id, "", "", talk.kept.actor.org_id)
