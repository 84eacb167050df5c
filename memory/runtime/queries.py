"""The vector of a query: made outside of any database hop, and never what a search fails for."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from letta_site.core.aio import in_db
from letta_site.core.errors import AppError
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
    handles = await in_db(searched_models, org_id, scope_ids)
    made = await asyncio.gather(*(_embedded(org_id, handle, text) for handle in handles))
    pairs = list(zip(handles, made, strict=True))
    found = {handle: one for handle, one in pairs if isinstance(one, bytes)}
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


async def _embedded(org_id: str, handle: str, text: str) -> bytes | str:
    """Return the vector of a query, or why there is none."""
    key = (org_id, handle, text)
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    try:
        model = await in_db(taken_at_its_word, org_id, handle)
        async with asyncio.timeout(settings.QUERY_EMBEDDING_TIMEOUT_S):
            vector = await embed_one(model, text)
    except (AppError, TimeoutError) as error:
        what = str(error) or f"{handle} did not answer in time."
        log.warning("A search goes by words only: %s", what)
        return what
    _kept[key] = vector
    while len(_kept) > _KEPT_QUERIES:
        _kept.popitem(last=False)
    return vector


def forget_queries() -> None:
    """Ask the models anew next time."""
    _kept.clear()
