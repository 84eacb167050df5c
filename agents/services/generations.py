"""One question to an agent's model, without its memory, tools or history."""

from dataclasses import dataclass, replace

from agents.engine.ports import ChatRequest
from agents.models import Agent
from agents.services.calling import model_params
from agents.types import Json, Message, TextPart, Transcript
from letta_site.core.clock import now
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.ids import new_id
from letta_site.core.types import Actor


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask. `schema`: the answer is to be JSON of this schema."""

    prompt: str
    system: str | None = None
    model: str | None = None
    schema: Json | None = None


def build_question(actor: Actor, agent_id: str, asked: Question) -> ChatRequest:
    """Return the question to the model with the agent's settings. Raises NotFound, Invalid."""
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    if not asked.prompt.strip():
        raise Invalid("The prompt is empty.")
    params = model_params(agent, handle=asked.model)
    if asked.schema is not None:
        named = {"name": "response", "schema": asked.schema}
        params = replace(params, response_format={"type": "json_schema", "json_schema": named})
    said = Message(new_id("message"), "user", now(), parts=(TextPart(asked.prompt),))
    system = asked.system or "You answer the question that follows."
    return ChatRequest(params, Transcript(system, (said,)), tools=())
