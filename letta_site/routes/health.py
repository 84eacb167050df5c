"""Is the server alive; is it ready. Open to everybody, and never asks the database."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from ninja import Router

router = Router(tags=["health"])


def _state() -> dict[str, str]:
    return {"version": settings.VERSION, "status": "ok"}


@router.get("/health/", auth=None)
async def health(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001
    """Say that the server is alive, and which version's API it speaks."""
    return _state()


@router.get("/ready/", auth=None)
async def ready(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001
    """Say that the server takes requests."""
    return _state()


async def healthz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Answer a load balancer that knows no API."""
    return JsonResponse(_state())
