"""Requests of the past, put together again from what was stored of them."""

import hashlib
import json

from agents.engine.clipping import NO_CLIP, Clip, clip_messages
from agents.engine.ports import ChatRequest
from agents.engine.repair import mend
from agents.engine.state import return_limit_chars
from agents.llm.catalog import dialect_of_handle
from agents.llm.to_openai import build_messages, encode
from agents.models import Message, RequestPart, Step
from agents.services.histories import history_of
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
    conversation = step.run.conversation
    rows = history_of(conversation).filter(seq__gte=first, seq__lte=last, aside=False)
    # A fork's own system message is younger than what it shares: it lies inside of the window.
    rows = rows.exclude(role="summary").exclude(pk=conversation.system_message_id)
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
    dialect = dialect_of_handle(step.org_id, step.model_handle)
    body: Json = {"model": params["model"], "messages": build_messages(chat, dialect)}
    if tools:
        body["tools"] = tools
    return {**body, **params}
