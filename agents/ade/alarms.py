"""What every page warns of."""

from django.http import HttpRequest

from agents.sandbox.walls import are_missing


def alarms(request: HttpRequest) -> dict[str, bool]:  # noqa: ARG001 - Django gives it
    """Return what templates show as alarms (a context processor)."""
    return {"unsafe_tools": are_missing()}
