"""The REST API: one NinjaAPI, its routers, and an address for each spelling of a path."""

import json
import logging
from collections.abc import Callable, Iterator
from importlib import import_module
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

from letta_site import auth, errors
from letta_site.core.errors import Malformed
from letta_site.routes.health import router as health_router
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

# Modules add operations to the one Router of their prefix, so all are loaded before any is mounted.
OPERATIONS = (
    "memory.api.blocks",
    "agents.api.agents",
    "agents.api.agent_messages",
    "agents.api.agent_tools",
    "agents.api.memory_links",
    "agents.api.tools",
    "agents.api.models",
    "agents.api.runs",
    "agents.api.steps",
)
ROUTERS = (
    ("/blocks", "memory.api.blocks", "router"),
    ("/agents", "agents.api.routers", "agents_router"),
    ("/tools", "agents.api.routers", "tools_router"),
    ("/models", "agents.api.routers", "models_router"),
    ("/runs", "agents.api.routers", "runs_router"),
    ("/steps", "agents.api.routers", "steps_router"),
)


def unfinished(name: str) -> bool:
    """TEMPORARY, while several build at once: tell whether a module cannot be imported yet."""
    try:
        import_module(name)
    except ImportError as missing:
        logging.getLogger("letta").warning("not mounted: %s (%s)", name, missing)
        return True
    return False


def _mount() -> None:
    api.add_router("", health_router)
    ready = [name for name in OPERATIONS if not unfinished(name)]
    for prefix, module, attribute in ROUTERS:
        if module in ready or not unfinished(module):
            router: Router = getattr(import_module(module), attribute)
            api.add_router(prefix, router)


_mount()


def spellings() -> Iterator[URLPattern]:
    """Return an address for every path, with and without a slash at its end.

    A redirect instead would lose bodies: not every client sends them again.
    """
    for bound in api._get_bound_routers():
        for given, operations in bound.path_operations.items():
            joined = normalize_path(f"{bound.prefix}/{given}")
            route = replace_path_param_notation(joined).strip("/")
            for spelling in (route, f"{route}/"):
                yield path(spelling, _view(operations))


def _view(operations: PathView) -> Callable[..., HttpResponseBase]:
    view = operations.get_view()
    # The sign-in gate runs synchronous operations itself, also on paths that have both kinds.
    view.find_operation = operations._find_operation  # type: ignore[attr-defined]
    return view


urlpatterns = list(spellings())
