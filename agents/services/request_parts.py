"""What is stored of a request: references, and each shared text once."""

import hashlib
from dataclasses import astuple

from django.db.models.fields.json import KeyTextTransform

from agents.engine.clipping import NO_CLIP
from agents.engine.ports import StepRecord
from agents.models import RequestPart, Step
from agents.services.snapshot import Begun
from agents.types import Json


def stored_request(begun: Begun, record: StepRecord) -> Json:
    """Return the request as references, so that a long prompt is stored once, not once a step."""
    if record.reply is None:
        return {}
    sent = record.reply.sent
    system, tools = _store_parts(begun, sent["system"], sent["tools"])
    stored = {
        "system": system,
        "tools": tools,
        "params": sent["params"],
        "sha256": sent["sha256"],
        "window": list(record.window),
        "summary_message_id": record.summary_id,
    }
    return stored if record.clip == NO_CLIP else {**stored, "clip": list(astuple(record.clip))}


def _store_parts(begun: Begun, *texts: str) -> list[str]:
    """Store texts under their digests, unless this run has done so before; return the digests."""
    by_digest = {digest_of(text): text for text in texts}
    fresh = {key: text for key, text in by_digest.items() if key not in begun.stored_parts}
    if fresh:
        rows = [RequestPart(sha256=key, text=text) for key, text in fresh.items()]
        RequestPart.objects.bulk_create(rows, ignore_conflicts=True)
        begun.stored_parts.update(fresh)
    return [digest_of(text) for text in texts]


def drop_prompts(agent_id: str) -> None:
    """Delete the system prompts that an agent was sent; call it before its steps go.

    A prompt names its agent, so that no other has the same. What others may share stays: schemas of
    tools, and prompts that a caller brought along.
    """
    sent = Step.objects.filter(agent_id=agent_id).annotate(
        head=KeyTextTransform("system", "request")
    )
    RequestPart.objects.filter(text__contains=agent_id, pk__in=sent.values("head")).delete()


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text, its key."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
