"""Who looks at a page. The sign-in gate decides who may; this only reads what it left."""

from typing import Any

from letta_site.core.types import Actor


def actor_of_socket(scope: dict[str, Any]) -> Actor | None:
    """Return who opened a WebSocket; None when they may not."""
    actor: Actor | None = scope.get("actor")
    return actor
