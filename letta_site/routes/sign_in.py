"""Signing in to the pages: with the server's password, or as a user."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from letta_site import auth
from letta_site.core.errors import AppError, Unauthorized
from letta_site.core.models import User


class PasswordForm(forms.Form):
    """The server's password."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class AccountForm(PasswordForm):
    """A user's name and password."""

    username = forms.CharField(
        label=_("Name"), widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    field_order = ("username", "password")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form, or start a session."""
    kind = AccountForm if auth.has_accounts() else PasswordForm
    form = kind(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _start(request, form.cleaned_data)
        except AppError as refusal:
            form.add_error(None, refusal.what)
        else:
            return HttpResponseRedirect(_next(request))
    context = {"form": form, "next": _next(request), "error": form.non_field_errors()}
    status = 200 if request.method == "GET" else _status(form)
    return render(request, "login.html", context, status=status)


def _status(form: forms.Form) -> int:
    return 401 if form.non_field_errors() else 422


def _start(request: HttpRequest, given: dict[str, Any]) -> None:
    address = auth.address_of(request)
    if auth.has_accounts():
        auth.check_failures(address)
        user = authenticate(request, username=given["username"], password=given["password"])
        if not isinstance(user, User):
            auth.note_failure(address)
            raise Unauthorized("Name or password is wrong.")
        login(request, user)
    elif settings.SERVER_PASSWORD:
        auth.check_password(given["password"], address)
        request.session.cycle_key()
        request.session[auth.SESSION_MARK] = auth.operator_mark()


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session on the server, not only in the browser."""
    logout(request)
    return HttpResponseRedirect(resolve_url(settings.LOGIN_URL))


def _next(request: HttpRequest) -> str:
    """Return where to go afterwards; never another site."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        return target
    return resolve_url(settings.LOGIN_REDIRECT_URL)
