"""The one WebSocket of an open workspace: what the agent does, live, and what its reader sends.

A page says first up to which sequence number it has been rendered (`resume`); everything stored
since, and everything that happens from then on, is pushed as fragments.
"""

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from autobahn.exception import Disconnected  # type: ignore[import-untyped]
from channels.generic.websocket import (  # type: ignore[import-untyped]
    AsyncWebsocketConsumer,
)
from django.conf import settings
from django.http import parse_cookie
from django.utils.translation import gettext as _

from agents.ade import fragments, history, status
from agents.ade.forms import MessageForm
from agents.ade.live import LiveView
from agents.ade.state_fragments import Page, renewed_state
from agents.ade.talk import answer_agent, say_to_agent
from agents.ade.timeline import FaultRow
from agents.ade.trouble import present_state
from agents.ade.visitor import actor_of_socket
from agents.engine.events import Event, Failure, RunFinished, RunStarted, StepCommitted
from agents.models import Agent
from agents.runtime import bus, runner
from agents.types import RunRef
from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import AppError
from letta_site.core.types import Actor

log = logging.getLogger(__name__)

FLUSH_S = 0.045
NOT_ALLOWED, NOT_THERE = 4403, 4404


class WorkspaceConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Serves one page of one agent."""

    actor: Actor
    agent: Agent
    conversation_id: str
    live: LiveView | None = None
    ear: bus.Subscription | None = None
    work: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Accept the reader of an agent that exists."""
        actor = actor_of_socket(self.scope)
        await self.accept()
        if actor is None:
            await self.close(NOT_ALLOWED)
            return
        self.actor = actor
        agent_id = self.scope["url_route"]["kwargs"]["agent_id"]
        agent = await in_db(_find_agent, actor, agent_id)
        if agent is None:
            await self.close(NOT_THERE)
            return
        self.agent = agent
        self.conversation_id = (await in_db(history.main_conversation, agent)).id
        self.ear = bus.subscribe(agent_id)

    async def disconnect(self, _code: int) -> None:
        """Stop listening; the agent goes on."""
        if self.ear:
            self.ear.close()
        if self.work:
            self.work.cancel()

    async def receive(self, text_data: str | None = None, **_kwargs: bytes | None) -> None:
        """Take a form of the page."""
        given = parse(text_data)
        act = {
            "resume": self._resume,
            "send": self._send_message,
            "answer": self._answer,
            "stop": self._stop,
        }
        handler = act.get(str(given.get("action")))
        if handler and self.ear:
            await handler(given)

    async def _resume(self, given: dict[str, Any]) -> None:
        """Bring the page up to date, then keep it so."""
        if self.work:
            self.work.cancel()
        self.live = LiveView(self.agent.name, _whole(given.get("seq")), self._view())
        page = Page(self.actor, self.agent.id, self._csrf_token())
        self.work = spawn(self._follow(self.live, page), name=f"page of {self.agent.id}")

    async def _follow(self, live: LiveView, page: Page) -> None:
        assert self.ear is not None
        try:
            await self._catch_up(live)
            live.push(await self._present_state(page))
            async for ref, event in _batched(self.ear, live, self._flush):
                await self._show(live, page, ref, event)
        except Disconnected:
            return  # the page has left; if it comes back, it catches up
        except Exception:
            log.exception("The page of %s lost its feed", self.agent.id)
            with suppress(Exception):
                await self.close(1011)

    async def _flush(self, live: LiveView) -> None:
        if html := live.flush():
            await self.send(text_data=html)

    async def _show(self, live: LiveView, page: Page, ref: RunRef, event: Event) -> None:
        if ref.conversation_id != self.conversation_id:
            if isinstance(event, StepCommitted) and event.changed_blocks:
                live.push(await in_db(renewed_state, page, event.changed_blocks, 0))
        elif isinstance(event, RunStarted):
            await self._catch_up(live, ref.run_id)
            live.push(fragments.status(status.thinking()))
        elif isinstance(event, StepCommitted):
            await self._catch_up(live, ref.run_id)
            live.push(await in_db(renewed_state, page, event.changed_blocks, event.passages_added))
        elif isinstance(event, RunFinished):
            await self._finish(live, page, ref, event)
        else:
            live.absorb(event)

    async def _catch_up(self, live: LiveView, until_run: str | None = None) -> None:
        rows = await in_db(history.rows_after, self.agent, live.seq, until_run=until_run)
        live.settle(rows)

    async def _finish(self, live: LiveView, page: Page, ref: RunRef, event: RunFinished) -> None:
        await self._catch_up(live, ref.run_id)
        live.close()
        if event.stop_reason == "cancelled" and not event.step_count:
            await self._tell_unheard(live, ref)
        if event.failure:
            live.push(fragments.fault(_fault_row(event.failure, ref)))
        live.push(
            await self._present_state(page),
            await in_db(_last_run_line, self.agent),
            await in_db(renewed_state, page, (), 0),
            fragments.say(await in_db(_last_words, self.agent)),
        )

    async def _tell_unheard(self, live: LiveView, ref: RunRef) -> None:
        """A message that was stopped in the queue is in no history: its row offers it again."""
        if key := await in_db(history.unheard_key, ref.run_id):
            live.push(fragments.ack(key, _("Stopped before its turn.")))

    async def _present_state(self, page: Page) -> str:
        return await in_db(present_state, page.agent_id, page.csrf_token)

    async def _send_message(self, given: dict[str, Any]) -> None:
        form = MessageForm(given)
        cid = str(given.get("cid") or "")[:64]
        if not form.is_valid():
            error = next(iter(form.errors.values()))[0]
            await self.send(text_data=fragments.ack(cid, str(error)))
            return
        try:
            await runner.accept(self.actor, say_to_agent(self.agent.id, form.cleaned_data))
            await self.send(text_data=fragments.ack(cid))
        except AppError as error:
            await self.send(text_data=fragments.ack(cid, f"{error.what} {error.todo}".strip()))

    async def _answer(self, given: dict[str, Any]) -> None:
        lists = {key: _listed(value) for key, value in given.items()}
        try:
            await runner.accept(self.actor, answer_agent(self.agent.id, lists))
        except AppError as error:
            text = f"{error.what} {error.todo}".strip()
            await self.send(text_data=fragments.say(text))

    async def _stop(self, _given: dict[str, Any]) -> None:
        with suppress(AppError):
            await runner.cancel_runs(self.actor, self.agent.id, None)

    def _view(self) -> str:
        return "debug" if b"view=debug" in self.scope.get("query_string", b"") else "chat"

    def _csrf_token(self) -> str:
        """Pushed forms carry the token that the page's own forms were given."""
        header = dict(self.scope["headers"]).get(b"cookie", b"").decode("latin-1")
        return parse_cookie(header).get(settings.CSRF_COOKIE_NAME, "")


async def _batched(ear: bus.Subscription, live: LiveView, flush: Any) -> Any:
    """Yield events as they come; call `flush` when none came, or the last call is too long ago."""
    loop = asyncio.get_running_loop()
    due = 0.0
    await flush(live)
    while True:
        wait = max(0.0, due - loop.time()) if live.waiting else None
        try:
            item = await asyncio.wait_for(ear.get(), wait)
        except TimeoutError:
            await flush(live)
            continue
        if not live.waiting:
            due = loop.time() + FLUSH_S
        yield item
        if loop.time() >= due:
            await flush(live)


def parse(text: str | None) -> dict[str, Any]:
    """Return the fields of a form that the WebSocket extension sent; nothing for anything else."""
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**62 else 0


def _find_agent(actor: Actor, agent_id: str) -> Agent | None:
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    return agent


def _last_run_line(agent: Agent) -> str:
    return fragments.run_line(status.run_line(history.last_run(agent)))


def _last_words(agent: Agent) -> str:
    return history.last_words(agent)


def _fault_row(failure: Failure, ref: RunRef) -> FaultRow:
    return history.fault_row(asdict(failure), ref.run_id)
