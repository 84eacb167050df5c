"""The local model at work: off the event loop, texts of like length together, one core at most."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from memory.embeddings import weights

# Padded to the longest, a batch holds so many tokens: beyond that it only takes more memory.
_BATCH_TOKENS = 2048

# One thread embeds what is stored, another one queries, so that no search waits for a batch.
_storing = ThreadPoolExecutor(1, thread_name_prefix="embed")
_asking = ThreadPoolExecutor(1, thread_name_prefix="embed-query")
_loading = threading.Lock()


async def ask(texts: Sequence[str], *, quickly: bool) -> list[list[float]]:
    """Return the vectors of texts, in their order. Raises Invalid when it is not installed."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_asking if quickly else _storing, embed, list(texts))


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Return the vectors of texts, in their order; takes long."""
    with _loading:
        model = _model()
    rows = model.tokens(texts)
    vectors: list[list[float]] = [[]] * len(rows)
    for batch in _batches(rows):
        made = model.embed([rows[at] for at in batch])
        for at, vector in zip(batch, made.tolist(), strict=True):
            vectors[at] = vector
    return vectors


@cache
def _model() -> Any:
    folder = weights.folder()
    # Loaded on first use: it takes 90 MB, and who embeds elsewhere has no tokenizer.
    from memory.embeddings.minilm import MiniLM

    return MiniLM(folder)


def _batches(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the places of the rows in batches, each of rows that are about as long."""
    batches: list[list[int]] = []
    for at in sorted(range(len(rows)), key=lambda place: -len(rows[place])):
        longest = len(rows[batches[-1][0]]) if batches else 0
        if not batches or longest * (len(batches[-1]) + 1) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(at)
    return batches
