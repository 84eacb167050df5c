"""`manage.py chat AGENT`: talk to an agent in a terminal. One more listener to the same events."""

import asyncio
from contextlib import aclosing
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError

from agents.engine.events import RunFinished
from agents.engine.strategies import strategy_of
from agents.management.terminal import Terminal
from agents.models import Agent
from agents.runtime import runner
from agents.services.agent_lists import AgentFilter, list_agents
from agents.services.agents import get_agent
from agents.types import InputMessage, RunInput, RunRef, TextPart
from letta_site.core.errors import AppError, Conflict
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID, is_id
from letta_site.core.types import Actor, PageQuery

OPERATOR = Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)
LEAVE = ("/quit", "/exit")
SHOWN_NAMESAKES = 5


class Command(BaseCommand):
    """A conversation in a terminal. It needs no server, and does not disturb a running one."""

    help = "Talk to an agent. Ctrl-C stops what it is doing; /quit or Ctrl-D leaves."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", help="the agent's id, or its name if no other bears it")
        parser.add_argument("--once", metavar="TEXT", help="send TEXT, print the answer and leave")

    def handle(self, *_args: Any, agent: str, once: str | None, **_options: Any) -> None:
        found = _find(agent)
        with asyncio.Runner() as loop:
            if once is not None:
                self._once(loop, found, once)
                return
            self.stderr.write(f"Talking to {found.name}. Ctrl-C stops it; /quit leaves.")
            while (text := _prompt()) is not None:
                if text.strip():
                    self._turn(loop, found, text)

    def _once(self, loop: asyncio.Runner, agent: Agent, text: str) -> None:
        end = self._turn(loop, agent, text)
        if end is None or end.failure or end.stop_reason == "cancelled":
            raise CommandError("There is no answer.", returncode=1)

    def _turn(self, loop: asyncio.Runner, agent: Agent, text: str) -> RunFinished | None:
        shown = Terminal(self._say, self._note, strategy_of(agent.agent_type).reply == "text")
        try:
            return loop.run(talk(agent.id, text, shown))
        except AppError as failure:
            self._note(f"{failure.what} {failure.todo}".strip())
            return None

    def _say(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()

    def _note(self, line: str) -> None:
        self.stderr.write(self.style.NOTICE(f"  [{line}]"))


async def talk(agent_id: str, text: str, shown: Terminal) -> RunFinished:
    """Send one message and show what happens until the run ends; a Ctrl-C cancels the run."""
    given = RunInput(agent_id, (InputMessage("user", (TextPart(text),)),), stream_tokens=True)
    ref, ear = await runner.send(OPERATOR, given)
    listening = asyncio.ensure_future(_listen(ear, shown))
    while True:
        try:
            return await asyncio.shield(listening)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or listening.cancelled():
                raise
            # The terminal's Ctrl-C arrives as a cancellation; the run is to end in good order.
            task.uncancel()
            await _stop(ref)


async def _listen(ear: Any, shown: Terminal) -> RunFinished:
    async with aclosing(ear):
        async for _, event in ear:
            shown.show(event)
            if isinstance(event, RunFinished):
                return event
    raise AssertionError("an ear never ends by itself")


async def _stop(ref: RunRef) -> None:
    try:
        await runner.cancel_runs(OPERATOR, ref.agent_id, [ref.run_id])
    except Conflict:
        return  # it has ended meanwhile


def _prompt() -> str | None:
    """Return what the person wrote, or None when they want to leave."""
    try:
        text = input("> ")
    except (EOFError, KeyboardInterrupt):
        return None
    return None if text.strip() in LEAVE else text


def _find(wanted: str) -> Agent:
    """Return the agent of an id or a name. Raises CommandError, which says what to write."""
    try:
        if is_id(wanted, "agent"):
            return get_agent(OPERATOR, wanted)
        namesakes = list_agents(
            OPERATOR, query=PageQuery(SHOWN_NAMESAKES + 1), wanted=AgentFilter(name=wanted)
        )
    except AppError as failure:
        raise CommandError(failure.what) from failure
    except (OperationalError, ProgrammingError) as failure:
        raise CommandError(f"{failure}. Run `manage.py migrate` first.") from failure
    if len(namesakes) == 1:
        return namesakes[0]
    if not namesakes:
        raise CommandError(f"No agent has the id or name {wanted!r}.")
    ids = ", ".join(one.id for one in namesakes[:SHOWN_NAMESAKES])
    raise CommandError(f"Several agents are called {wanted!r}; name one by its id: {ids}")
