"""Models: /v1/models."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import models_router as router
from agents.llm.catalog import list_models as catalog
from agents.types import Json
from agents.wire.models import encode_model
from agents.wire.queries import ModelConditions
from memory.embeddings.catalog import list_embedding_models
from memory.wire.embeddings import encode_embedding_model


@router.get("/")
def list_models(request: HttpRequest, conditions: Query[ModelConditions]) -> list[Json]:
    found = [encode_model(one) for one in catalog(request.auth.org_id)]
    return [item for item in found if conditions.admits(item)]


def _embeddings(request: HttpRequest) -> list[Json]:
    return [encode_embedding_model(one) for one in list_embedding_models(request.auth.org_id)]


router.get("/embedding", operation_id="list_embedding_models")(_embeddings)
router.get("/embeddings", operation_id="list_embedding_models_old")(_embeddings)
