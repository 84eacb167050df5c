"""How the views answer: a page or a fragment, a redirect, an error beside its cause."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from letta_site.core.errors import AppError


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks, and a fragment is the answer."""
    return bool(request.htmx)  # type: ignore[attr-defined]


def fragment(
    request: HttpRequest, name: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """Answer with a partial."""
    return render(request, name, dict(context), status=status)


def go(request: HttpRequest, address: str) -> HttpResponse:
    """Send the reader to another page, whoever asked."""
    return HttpResponseClientRedirect(address) if is_htmx(request) else redirect(address)


def done(request: HttpRequest, address: str, text: str = "") -> HttpResponse:
    """Answer a form without JavaScript that has been carried out."""
    messages.success(request, text or _("Saved"))
    return redirect(address)


def renewed(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Show an agent's page anew, as it is now."""
    if is_htmx(request):
        return HttpResponseClientRefresh()
    return redirect("ade:workspace", agent_id)


def refused(form: Form, error: AppError, field: str | None = None) -> None:
    """Put what a service refused beside the field it is about."""
    text = f"{error.what} {error.todo}".strip()
    form.add_error(field if field in form.fields else None, text)
