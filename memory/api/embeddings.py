"""How far the embedding of agents' messages, archives and folders is: /v1/embeddings."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Header, Query, Router

from memory.services import embedding_scopes as scopes
from memory.services.vectors import count_bytes
from memory.wire.embeddings import encode_scope, in_unit
from memory.wire.queries import ScopePage

router = Router(tags=["embeddings"])


@router.get("/total_storage_size")
def get_total_storage_size(
    request: HttpRequest, storage_unit: Annotated[str | None, Header()] = "GB"
) -> float:
    return in_unit(count_bytes(request.auth.org_id), storage_unit or "GB")


@router.get("/scopes")
def list_scopes(request: HttpRequest, page: Query[ScopePage]) -> list[dict[str, Any]]:
    rows = scopes.list_scopes(
        request.auth, query=page.query(limit=50, order="asc"), state=page.state
    )
    return [encode_scope(row) for row in rows]


@router.get("/scopes/{scope_id}")
def get_scope(request: HttpRequest, scope_id: str) -> dict[str, Any]:
    found = scopes.get_scope(request.auth, scope_id)
    return encode_scope(found) | {"refusals": scopes.list_refusals(found)}


@router.post("/scopes/{scope_id}/retry")
def retry_scope(request: HttpRequest, scope_id: str) -> dict[str, Any]:
    return encode_scope(scopes.retry(request.auth, scope_id))
