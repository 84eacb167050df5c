"""Requests of the past, put together again from what was stored of them."""

import hashlib
import json

from agents.engine.clipping import NO_CLIP, Clip, clip_messages
from agents.engine.ports import ChatRequest
from agents.engine.repair import mend
from agents.engine.state import return_limit_chars
from agents.llm.to_openai import build_messages, encode
from agents.models import Message, RequestPart, Step
from agents.services.messages import to_type
from agents.types import Json, ModelParams, Transcript


def rebuild_request(step: Step) -> Json:
    """Return the request of a step as it was sent, put together from what was stored of it.

    `verified` tells whether its bytes have the digest that was taken when it was sent; a later
    edit of a message in its window makes it False.
    """
    stored = step.request
    if not stored:
        return {}
    texts = dict(
        RequestPart.objects.filter(pk__in=[stored["system"], stored["tools"]]).values_list()
    )
    body = _rebuild_body(step, texts[stored["system"]], json.loads(texts[stored["tools"]]))
    digest = hashlib.sha256(encode(body)).hexdigest()
    return {"body": body, "verified": digest == stored["sha256"]}


def _clip_of(step: Step) -> Clip:
    stored = step.request.get("clip")
    return Clip(*stored) if stored else NO_CLIP


def _rebuild_body(step: Step, system: str, tools: list[Json]) -> Json:
    first, last = step.request["window"]
    params = step.request["params"]
    rows = Message.objects.filter(agent_id=step.agent_id, seq__gte=first, seq__lte=last)
    rows = rows.filter(conversation_id=step.run.conversation_id).exclude(role="summary")
    head = Message.objects.filter(pk=step.request.get("summary_message_id"))
    chat = ChatRequest(
        model=ModelParams(step.model_handle),
        transcript=Transcript(
            system,
            mend(clip_messages((to_type(row) for row in rows.order_by("seq")), _clip_of(step))),
            next((to_type(row) for row in head), None),
        ),
        tools=(),
        tool_return_limit_chars=return_limit_chars(step.context_window_limit),
    )
    body: Json = {"model": params["model"], "messages": build_messages(chat)}
    if tools:
        body["tools"] = tools
    return {**body, **params}
