"""Embeddings from any OpenAI-compatible server."""

import base64
import json
import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import openai
from django.conf import settings

from letta_site.core.openai_client import async_client, retry_time
from memory.embeddings.base import EmbeddingError, EmbeddingModel

# OpenAI takes 8,192 tokens a text: about this many characters of English. A text with more
# tokens to the character is refused, and then tried shorter (`memory.embeddings.batches`).
MAX_CHARS = 24_000
_REFUSALS = (400, 413, 422)
_KEY_TROUBLE = (401, 403)
_SHOWN_CHARS = 300

_plain: set[str] = set()  # servers that do not know `encoding_format`


async def ask(model: EmbeddingModel, texts: Sequence[str], *, quickly: bool) -> list[list[float]]:
    """Return what a server makes of texts, in their order. Raises EmbeddingError.

    `quickly`: somebody waits for it, so it is tried once and not for long.
    """
    if not model.provider.configured:
        raise EmbeddingError(
            f"The provider of {model.handle} is not configured.",
            todo=f"Set {model.provider.key_hint or 'its key and URL'}, or choose another model.",
        )
    client: Any = async_client(model.provider.base_url, model.provider.api_key)
    patience_s = settings.EMBEDDING_TIMEOUT_S
    if quickly:
        patience_s = settings.QUERY_EMBEDDING_TIMEOUT_S
        client = client.with_options(max_retries=0)
    body: dict[str, Any] = {"model": model.name, "input": [text[:MAX_CHARS] for text in texts]}
    if model.provider.base_url not in _plain:
        body["encoding_format"] = "base64"  # a quarter of the size of numbers in JSON
    try:
        # `post` with `object`, so that whatever comes is looked at here, not by the SDK's classes.
        answer = await client.post(
            "/embeddings", body=body, cast_to=object, options={"timeout": patience_s}
        )
    except openai.OpenAIError as error:
        failure = _translated(error, model)
        if failure.refused and "encoding_format" in body and "encoding" in failure.what:
            _plain.add(model.provider.base_url)
            return await ask(model, texts, quickly=quickly)
        raise failure from error
    except (ValueError, RecursionError) as error:
        raise _unusable(model, f"it is not JSON: {error}") from error
    return _read(answer, model, len(texts))


def _translated(error: openai.OpenAIError, model: EmbeddingModel) -> EmbeddingError:
    if isinstance(error, openai.APITimeoutError):
        return EmbeddingError(f"{model.handle} did not answer in time.", todo=_ASK_AGAIN)
    if not isinstance(error, openai.APIStatusError):
        where = model.provider.base_url
        return EmbeddingError(f"{where} cannot be reached: {error}", todo=_ASK_AGAIN)
    status, said = error.status_code, _complaint(error)
    if status in _KEY_TROUBLE:
        todo = f"Check {model.provider.key_hint or 'its key'}."
        return EmbeddingError(f"{model.handle} refuses the key ({status}): {said}", todo=todo)
    if status in _REFUSALS:
        return EmbeddingError(f"{model.handle} refuses ({status}): {said}", refused=True)
    moment = datetime.now(UTC)
    later = retry_time(error.response.headers, moment)
    wait_s = (later - moment).total_seconds() if later else 0.0
    return EmbeddingError(
        f"{model.handle} failed ({status}): {said}", todo=_ASK_AGAIN, wait_s=wait_s
    )


_ASK_AGAIN = "It is asked again by itself."


def _complaint(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)[:_SHOWN_CHARS]


def _read(answer: Any, model: EmbeddingModel, count: int) -> list[list[float]]:
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _unusable(model, json.dumps(answer, default=str)[:_SHOWN_CHARS])
    if len(rows) != count:
        raise _unusable(model, f"{len(rows)} vectors for {count} texts")
    ordered = sorted(rows, key=lambda row: int(row.get("index") or 0))
    vectors = [_numbers(row.get("embedding"), model) for row in ordered]
    if len({len(vector) for vector in vectors}) > 1:
        raise _unusable(model, "vectors of different lengths")
    return vectors


def _numbers(value: Any, model: EmbeddingModel) -> list[float]:
    try:
        if isinstance(value, str):
            data = base64.b64decode(value, validate=True)
            numbers = list(struct.unpack(f"<{len(data) // 4}f", data))
        else:
            numbers = [float(one) for one in value]
    except (TypeError, ValueError, struct.error) as error:
        raise _unusable(model, f"a vector that is none: {error}") from error
    if not numbers or not all(map(math.isfinite, numbers)) or not any(numbers):
        raise _unusable(model, "a vector of no numbers, or of numbers that are not finite")
    return numbers


def _unusable(model: EmbeddingModel, what: str) -> EmbeddingError:
    return EmbeddingError(f"{model.handle} sent no usable answer: {what}", todo=_ASK_AGAIN)
