"""The REST API: one NinjaAPI, its routers, and an address for each spelling of a path."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from ninja import NinjaAPI, Router
from ninja.operation import PathView
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from ninja.utils import normalize_path, replace_path_param_notation
from pydantic_core import to_json

# Each adds its operations to the Router of its prefix.
from agents.api import (
    agent_context,  # noqa: F401
    agent_folders,  # noqa: F401
    agent_messages,  # noqa: F401
    agent_tools,  # noqa: F401
    agents,  # noqa: F401
    archive_links,  # noqa: F401
    batches,  # noqa: F401
    conversation_messages,  # noqa: F401
    conversations,  # noqa: F401
    group_messages,  # noqa: F401
    groups,  # noqa: F401
    mcp_by_name,  # noqa: F401
    mcp_servers,  # noqa: F401
    memory_links,  # noqa: F401
    messages,  # noqa: F401
    models,  # noqa: F401
    passages,  # noqa: F401
    routers,
    runs,  # noqa: F401
    steps,  # noqa: F401
    tools,  # noqa: F401
)
from letta_site import auth, errors
from letta_site.core.errors import Malformed
from letta_site.routes.health import router as health_router
from memory.api.archives import router as archives_router
from memory.api.blocks import router as blocks_router
from memory.api.embeddings import router as embeddings_router
from memory.api.folders import router as folders_router
from memory.api.folders import sources_router
from memory.services.storable import storable_json

JSON_TYPES = ("", "application/json")


class BodyParser(Parser):
    """Reads JSON strictly, and makes every text in it storable."""

    def parse_body(self, request: HttpRequest) -> Any:
        kind = (request.content_type or "").lower()
        if kind not in JSON_TYPES and not kind.endswith("+json"):
            raise Malformed(
                f"A body of type {kind} is not read here.",
                todo="Send JSON, with Content-Type: application/json.",
            )
        value = json.loads(request.body, parse_constant=_no_constant)
        # The escapes of NUL and of surrogates are the only way such text can come in.
        suspicious = b"\\u0000" in request.body or b"\\ud" in request.body.lower()
        return storable_json(value) if suspicious else value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class QuickRenderer(BaseRenderer):
    """Writes JSON with pydantic's own serializer, several times faster than `json`."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:  # noqa: ARG002
        return to_json(data)


api = NinjaAPI(
    title="Letta",
    version=settings.VERSION,
    urls_namespace="api",
    auth=auth.actor_of,
    parser=BodyParser(),
    renderer=QuickRenderer(),
    openapi_url="/openapi.json" if settings.DEBUG else None,
    docs_url="/docs" if settings.DEBUG else None,
)
errors.install(api)

# One Router a prefix: two mounted on one prefix would answer 405 for each other's methods.
ROUTERS: tuple[tuple[str, Router], ...] = (
    ("", health_router),
    ("/agents", routers.agents_router),
    ("/archives", archives_router),
    ("/blocks", blocks_router),
    ("/embeddings", embeddings_router),
    ("/folders", folders_router),
    ("/sources", sources_router),
    ("/groups", routers.groups_router),
    ("/conversations", routers.conversations_router),
    ("/mcp-servers", routers.mcp_servers_router),
    ("/messages", routers.messages_router),
    ("/models", routers.models_router),
    ("/passages", routers.passages_router),
    ("/runs", routers.runs_router),
    ("/steps", routers.steps_router),
    ("/tools", routers.tools_router),
)
for prefix, router in ROUTERS:
    api.add_router(prefix, router)


def spellings() -> Iterator[URLPattern]:
    """Return an address for every path, with and without a slash at its end.

    A redirect instead would lose bodies: not every client sends them again. Where two paths fit,
    the one with the word in it comes before the one with the parameter.
    """
    found = {
        replace_path_param_notation(normalize_path(f"{bound.prefix}/{given}")).strip(
            "/"
        ): operations
        for bound in api._get_bound_routers()
        for given, operations in bound.path_operations.items()
    }
    for route in sorted(found, key=_vagueness):
        for spelling in (route, f"{route}/"):
            yield path(spelling, _view(found[route]))


def _vagueness(route: str) -> list[int]:
    """Return for each segment 0 for a word, 1 for a parameter, 2 for one that takes slashes too."""
    return [part.startswith("<") + part.startswith("<path:") for part in route.split("/")]


def _view(operations: PathView) -> Callable[..., HttpResponseBase]:
    view = operations.get_view()
    # The sign-in gate runs synchronous operations itself, also on paths that have both kinds.
    view.find_operation = operations._find_operation  # type: ignore[attr-defined]
    return view


urlpatterns = list(spellings())
