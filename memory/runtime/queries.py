"""The vector of a query: made outside of any database hop, and never what a search fails for."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from letta_site.core.aio import in_db
from letta_site.core.errors import AppError
from memory.embeddings.base import EmbeddingError, EmbeddingModel
from memory.embeddings.batches import embed_one
from memory.embeddings.catalog import taken_at_its_word
from memory.services.candidates import SearchQuery
from memory.services.embedding_scopes import searched_models

log = logging.getLogger(__name__)

_KEPT_QUERIES = 256

_kept: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """The packed vectors of a query by model. `failure` says why one is missing, if one is."""

    by_model: dict[str, bytes]
    failure: str = ""


WORDS_ONLY = QueryVectors({})


async def embed_query(org_id: str, scope_ids: Sequence[str] | None, text: str) -> QueryVectors:
    """Return what the models of these scopes make of a query; by no model, if none embeds them.

    A model that does not answer in `QUERY_EMBEDDING_TIMEOUT_S` is left out: the search goes by
    words then, and `failure` says so. Raises nothing.
    """
    if not text.strip():
        return WORDS_ONLY
    models = await in_db(_models_of, org_id, scope_ids)
    if not models:
        return WORDS_ONLY
    made = await asyncio.gather(*(_embedded(org_id, model, text) for model in models))
    found = {
        model.handle: one for model, one in zip(models, made, strict=True) if isinstance(one, bytes)
    }
    return QueryVectors(found, "; ".join(one for one in made if isinstance(one, str)))


async def with_vector(query: SearchQuery) -> tuple[SearchQuery, str]:
    """Return a search with the vector of its words, and why it has none, if a model failed.

    Where scopes have different models, the texts of the model that most of them have are compared.
    """
    if query.mode == "lexical":
        return query, ""
    made = await embed_query(query.org_id, query.scope_ids, query.query)
    for model, vector in made.by_model.items():
        return replace(query, vector=vector, vector_model=model), made.failure
    return query, made.failure


def _models_of(org_id: str, scope_ids: Sequence[str] | None) -> list[EmbeddingModel]:
    found = []
    for handle in searched_models(org_id, scope_ids):
        try:
            found.append(taken_at_its_word(org_id, handle))
        except AppError as error:
            log.warning("A search goes by words only: %s", error.what)
    return found


async def _embedded(org_id: str, model: EmbeddingModel, text: str) -> bytes | str:
    key = (org_id, model.handle, text)
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    try:
        async with asyncio.timeout(settings.QUERY_EMBEDDING_TIMEOUT_S):
            vector = await embed_one(model, text)
    except (EmbeddingError, TimeoutError) as error:
        what = str(error) or f"{model.handle} did not answer in time."
        log.warning("A search goes by words only: %s", what)
        return what
    _kept[key] = vector
    while len(_kept) > _KEPT_QUERIES:
        _kept.popitem(last=False)
    return vector


def forget_queries() -> None:
    """Ask the models anew next time."""
    _kept.clear()
