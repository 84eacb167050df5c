"""`manage.py chat AGENT`: talk to an agent in a terminal. One more listener to the same events."""

import asyncio
import sys
from contextlib import aclosing
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError

from agents.engine.approvals import WAITING, PendingApproval
from agents.engine.events import RunFinished
from agents.engine.strategies import strategy_of
from agents.management.terminal import Terminal, written
from agents.models import Agent
from agents.runtime import runner
from agents.services.agent_lists import AgentFilter, list_agents
from agents.services.agents import get_agent
from agents.services.approvals import waiting_calls
from agents.services.runs import end_run
from agents.types import InputMessage, Json, RunInput, RunRef, TextPart, ToolCall
from letta_site.core.errors import AppError, Conflict
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID, is_id
from letta_site.core.types import Actor, PageQuery

OPERATOR = Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)
LEAVE = ("/quit", "/exit")
YES, NO = ("y", "yes"), ("n", "no")
INTERRUPTED = 130  # what a shell expects of a command that Ctrl-C has ended
SHOWN_NAMESAKES = 5


class Command(BaseCommand):
    """A conversation in a terminal. It needs no server, and does not disturb a running one."""

    help = (
        "Talk to an agent. Ctrl-C stops what it is doing, a second one leaves; so do /quit and "
        "Ctrl-D. When a tool call waits for approval: y, n, or the reason why not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent", help="the agent's id, or its name if no other bears it")
        parser.add_argument("--once", metavar="TEXT", help="send TEXT, print the answer and leave")

    def handle(self, *_args: Any, agent: str, once: str | None, **_options: Any) -> None:
        found = _find(agent)
        self.stderr.style_func = None  # notes are no errors
        self._running: RunRef | None = None
        try:
            with asyncio.Runner() as loop:
                self._talk(loop, found, once)
        except KeyboardInterrupt:
            self._leave()

    def _talk(self, loop: asyncio.Runner, agent: Agent, once: str | None) -> None:
        if once is not None:
            self._once(loop, agent, once)
            return
        self.stderr.write(f"Talking to {agent.name}. Ctrl-C stops it; /quit leaves.")
        while self._answer_waiting(loop, agent) and (text := _prompt("> ")) is not None:
            if text.strip():
                self._turn(loop, agent, _words(text))
        if waiting_calls(agent.id):
            self._note("its calls go on waiting; answer them here or in the browser")

    def _once(self, loop: asyncio.Runner, agent: Agent, text: str) -> None:
        end = self._turn(loop, agent, _words(text))
        if end is None or end.failure or end.stop_reason in ("cancelled", WAITING):
            raise CommandError("There is no answer.", returncode=1)

    def _answer_waiting(self, loop: asyncio.Runner, agent: Agent) -> bool:
        """Ask about calls until none waits; tell whether the person stays."""
        while calls := waiting_calls(agent.id):
            rows = [self._verdict(call) for call in calls]
            answers = [row for row in rows if row]
            if len(answers) < len(rows):
                return False
            message = InputMessage("approval", approvals=tuple(answers))
            if self._turn(loop, agent, message) is None:
                return False
        return True

    def _verdict(self, call: ToolCall) -> Json | None:
        """Return the answer to a call; None when the person leaves."""
        self.stderr.write(self.style.WARNING(f"  {written(call)}"))
        said = ""
        while not said:
            line = _prompt("  Approve? y, n, or why not: ")
            if line is None:
                return None
            said = line.strip()
        verdict = said.lower()
        return {
            "type": "approval",
            "tool_call_id": call.id,
            "approve": verdict in YES,
            "reason": None if verdict in (*YES, *NO) else said,
        }

    def _turn(
        self, loop: asyncio.Runner, agent: Agent, message: InputMessage
    ) -> RunFinished | None:
        shown = Terminal(self._say, self._note, strategy_of(agent.agent_type).reply == "text")
        given = RunInput(agent.id, (message,), stream_tokens=True, when_busy="reject")
        try:
            return loop.run(self._follow(given, shown))
        except PendingApproval:
            self._note("it waits for your approval before it takes a message")
        except Conflict:
            self._note("it is at work on another request; wait for its end, or cancel that")
        except AppError as failure:
            self._note(f"{failure.what} {failure.todo}".strip())
        return None

    async def _follow(self, given: RunInput, shown: Terminal) -> RunFinished:
        """Send, and show what happens until the run ends; a Ctrl-C cancels the run."""
        self._running, ear = await runner.send(OPERATOR, given)
        listening = asyncio.ensure_future(_listen(ear, shown))
        while True:
            try:
                end = await asyncio.shield(listening)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or listening.cancelled():
                    raise
                # The terminal's Ctrl-C arrives as a cancellation; the run is to end in good order.
                task.uncancel()
                await _stop(self._running)
            else:
                self._running = None
                return end

    def _leave(self) -> None:
        """Leave in the middle of a run: its row must not say that somebody carries it out."""
        self.stderr.write("")
        if self._running:
            end_run(self._running.run_id, "cancelled", None)
        sys.exit(INTERRUPTED)

    def _say(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()

    def _note(self, line: str) -> None:
        self.stderr.write(self.style.HTTP_INFO(f"  [{line}]"))


def _words(text: str) -> InputMessage:
    return InputMessage("user", (TextPart(text),))


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


def _prompt(mark: str) -> str | None:
    """Return what the person wrote, or None when they want to leave. A pipe sees no mark."""
    try:
        text = input(mark if sys.stdin.isatty() else "")
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
