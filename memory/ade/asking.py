"""Who asks for a page, and what they get when it is not there."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from letta_site.core.errors import NotFound
from letta_site.core.types import Actor

View = Callable[..., HttpResponse]


def found(view: View) -> View:
    """Answer 404 with a page when a service finds nothing."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.what) from error

    return wrapped


def actor_of(request: HttpRequest) -> Actor:
    """Return who asks; the sign-in gate has put it there."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
