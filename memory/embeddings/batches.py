"""Embedding many texts: in batches, and around those that a model will not take."""

import asyncio
from collections.abc import Sequence

from letta_site.core.errors import Invalid
from memory.embeddings import endpoint, local
from memory.embeddings.base import EmbeddingError, EmbeddingModel
from memory.embeddings.catalog import LOCAL
from memory.logic.vectors import pack_unit

BATCH_TEXTS = 32  # the least that any common server takes at once
_SHORTEST_CHARS = 1_500
NOTHING = "There is nothing in it to embed."


async def embed_one(model: EmbeddingModel, text: str) -> bytes:
    """Return the packed vector of a text that somebody waits for. Raises EmbeddingError."""
    [vector] = await _ask(model, [text], quickly=True)
    return vector


async def embed_all(model: EmbeddingModel, texts: Sequence[str]) -> list[bytes | EmbeddingError]:
    """Return for each text its packed vector, or why the model does not take it.

    Raises EmbeddingError when the model takes nothing at all: it is down, or refuses the key.
    """
    made: list[bytes | EmbeddingError] = [EmbeddingError(NOTHING, refused=True)] * len(texts)
    filled = [at for at, text in enumerate(texts) if text.strip()]
    for start in range(0, len(filled), BATCH_TEXTS):
        places = filled[start : start + BATCH_TEXTS]
        found = await _around(model, [texts[at] for at in places])
        if len(found) > 1 and (refused := _all_refused(found)):
            raise EmbeddingError(refused.what, todo="No text is taken: look at the model's server.")
        for at, one in zip(places, found, strict=True):
            made[at] = one
    return made


def _all_refused(found: Sequence[bytes | EmbeddingError]) -> EmbeddingError | None:
    """Return the refusal if there is nothing else: then it is not the texts that are to blame."""
    refusals = [one for one in found if isinstance(one, EmbeddingError)]
    return refusals[0] if len(refusals) == len(found) else None


async def _around(model: EmbeddingModel, texts: Sequence[str]) -> list[bytes | EmbeddingError]:
    """Halve what is refused until only the text that is to blame is left, then shorten that."""
    try:
        return [*await _ask(model, texts, quickly=False)]
    except EmbeddingError as error:
        if not error.refused:
            raise
        refusal = error
    if len(texts) > 1:
        half = len(texts) // 2
        return [*await _around(model, texts[:half]), *await _around(model, texts[half:])]
    if len(texts[0]) > _SHORTEST_CHARS:
        shorter = min(len(texts[0]), endpoint.MAX_CHARS) // 2
        return await _around(model, [texts[0][:shorter]])
    return [refusal]


async def _ask(model: EmbeddingModel, texts: Sequence[str], *, quickly: bool) -> list[bytes]:
    if model.handle == LOCAL.handle:
        try:
            vectors = await local.ask(texts, quickly=quickly)
        except Invalid as error:
            raise EmbeddingError(error.what, todo=error.todo) from error
    else:
        vectors = await endpoint.ask(model, texts, quickly=quickly)
    return await asyncio.to_thread(lambda: [pack_unit(vector) for vector in vectors])
