"""The way from a running agent to other agents: runs like any other, in their own queues.

An agent that waits for another must not be waited for by it. Who waits for whom is noted here,
so that a circle is refused before it closes, whichever runs it is made of.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager

from agents.engine.events import RunFinished, StepCommitted
from agents.runtime.ears import Ear
from agents.services.messages import spoken
from agents.services.snapshot import Begun
from agents.tools.base import ToolFailure
from agents.types import InputMessage, Json, RunInput, RunRef, TextPart
from letta_site.core.types import Actor

RUN_TYPE = "send_message_from_agent"
MOST_HOPS = 12
Send = Callable[[Actor, RunInput], Awaitable[tuple[RunRef, Ear]]]

# agent id -> the agents it is waiting for now, each as often as it waits.
_waiting: "defaultdict[str, list[str]]" = defaultdict(list)


class RunMessenger:
    """The Messenger of one run. `path` are the agents through which its request came to it."""

    def __init__(
        self, actor: Actor, sender: tuple[str, str], run_id: str, path: list[str], send: Send
    ) -> None:
        self._actor = actor
        self._agent_id, self._name = sender
        self._run_id = run_id
        self._path = [*path, self._agent_id]
        self._send = send

    async def ask(self, agent_id: str, text: str) -> str:
        """See the port."""
        with self._waits_for(agent_id):
            _, ear = await self._send(self._actor, self._request(agent_id, text))
            return await _listen(agent_id, ear)

    async def tell(self, agent_id: str, text: str) -> None:
        """See the port."""
        if agent_id == self._agent_id:
            raise ToolFailure("That is your own id; there is no need to write to yourself.")
        _, ear = await self._send(self._actor, self._request(agent_id, text, waits=False))
        await ear.aclose()

    def _request(self, agent_id: str, text: str, *, waits: bool = True) -> RunInput:
        if len(self._path) >= MOST_HOPS:
            raise ToolFailure(
                f"This request has gone from agent to agent {MOST_HOPS} times; it ends here."
            )
        wish = "Your reply goes back to it." if waits else "It does not wait for a reply."
        note = f"[Message from the agent {self._name}, id {self._agent_id}. {wish}] {text}"
        message = InputMessage("system", (TextPart(note),), sender_id=self._agent_id)
        facts: Json = {
            "run_type": RUN_TYPE,
            "sender_agent_id": self._agent_id,
            "sender_run_id": self._run_id,
            "path": self._path,
        }
        return RunInput(agent_id, (message,), background=True, metadata=facts)

    @contextmanager
    def _waits_for(self, agent_id: str) -> Iterator[None]:
        if agent_id == self._agent_id:
            raise ToolFailure("That is your own id; an agent cannot wait for itself.")
        if _reaches(agent_id, self._agent_id):
            raise ToolFailure(
                f"Agent {agent_id} is itself waiting for you, so neither would ever get a reply. "
                "Answer first."
            )
        _waiting[self._agent_id].append(agent_id)
        try:
            yield
        finally:
            _waiting[self._agent_id].remove(agent_id)
            if not _waiting[self._agent_id]:
                del _waiting[self._agent_id]


def _reaches(start: str, goal: str) -> bool:
    """Tell whether `start` waits, directly or through others, for `goal`."""
    seen, todo = set(), [start]
    while todo:
        one = todo.pop()
        if one == goal:
            return True
        if one not in seen:
            seen.add(one)
            todo += _waiting.get(one, ())
    return False


async def _listen(agent_id: str, ear: Ear) -> str:
    """Return what an agent says in a run."""
    said: list[str] = []
    async with aclosing(ear):
        async for _, event in ear:
            if isinstance(event, StepCommitted):
                said += [spoken(one) for one in event.messages if one.role == "assistant"]
            if isinstance(event, RunFinished):
                break
    if event.failure:
        raise ToolFailure(f"Agent {agent_id} could not answer: {event.failure.message}")
    reply = "\n".join(text for text in said if text)
    if not reply:
        raise ToolFailure(f"Agent {agent_id} said nothing; its turn ended by {event.stop_reason}.")
    return reply


def messenger_of(begun: Begun, send: Send) -> RunMessenger:
    """Return the messenger of a run."""
    spec = begun.spec
    path = list(begun.metadata.get("path") or ())
    return RunMessenger(begun.actor, (spec.agent_id, spec.name), spec.run_id, path, send)
