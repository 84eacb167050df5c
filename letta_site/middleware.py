"""Two doors every request passes: is it acceptable at all, and who sends it.

Both work without a thread in the asynchronous case, unless the database must be asked.
"""

import asyncio
import contextvars
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.functional import SimpleLazyObject

from letta_site import auth, errors
from letta_site.core.bodies import body_limit, limit_variable
from letta_site.core.errors import AppError, Forbidden, Invalid, TooLarge
from letta_site.core.models import User

T = TypeVar("T")
VIEW_THREADS = 4
REQUEST_ID = re.compile(r"[\w.:-]{1,100}\Z")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OPEN_PAGES = ("/login", "/logout", "/healthz")
HEADERS = {
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class _Door:
    """A middleware in one colour or the other, as the handler around it asks."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self.call_async(request)
        return self.after(request, self.before(request) or self.get_response(request))

    async def call_async(self, request: HttpRequest) -> HttpResponseBase:
        refusal = self.before(request)
        return self.after(request, refusal or await self.get_response(request))

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return an answer that ends the request here, or None."""
        raise NotImplementedError

    def after(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the answer as it leaves."""
        return response


class RequestGuard(_Door):
    """Refuses what is too large, misaddressed or sent by a foreign page; numbers the rest."""

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        given = request.headers.get("X-Request-Id", "")
        number = given if REQUEST_ID.match(given) else uuid.uuid4().hex
        request.request_id = number  # type: ignore[attr-defined]
        try:
            _check_size(request)
            _check_origin(request)
        except AppError as refusal:
            return errors.refuse(request, refusal)
        return _preflight(request)

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code == 405 and errors.is_api(request):
            response = errors.not_allowed(request, response.get("Allow", ""))
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        _share(request, response)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        if response.status_code < 500:
            response._has_been_logged = True  # type: ignore[attr-defined]  # no line a 404
        return response


def _check_size(request: HttpRequest) -> None:
    given = request.META.get("CONTENT_LENGTH") or "0"
    if not given.isdigit():
        raise Invalid("Content-Length is not a number.")
    limit = body_limit(request.path_info)
    if int(given) > limit:
        raise TooLarge(
            f"The body has {given} bytes; this server takes {limit // 1024 // 1024} MB.",
            todo=f"Send less at once, or raise {limit_variable(request.path_info)}.",
        )


def _check_origin(request: HttpRequest) -> None:
    try:
        host = request.get_host()
    except DisallowedHost:
        raise Invalid(
            "This server does not answer to the host name of the request.",
            todo="Add the name to LETTA_ALLOWED_HOSTS.",
        ) from None
    origin = request.headers.get("Origin")
    if origin is None or auth.is_own_origin(origin, host):
        return
    if request.method not in SAFE_METHODS or errors.is_api(request):
        raise Forbidden(
            "The request was sent by a page of another site.",
            todo="If you trust that site, add its origin to ACCEPTABLE_ORIGINS.",
        )


def _preflight(request: HttpRequest) -> HttpResponse | None:
    asked = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or not asked or not errors.is_api(request):
        return None
    wanted = request.headers.get("Access-Control-Request-Headers", "")
    return HttpResponse(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
            "Access-Control-Allow-Headers": wanted,
            "Access-Control-Max-Age": "600",
        },
    )


def _share(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let the pages of a named friend read the answer; cookies never go along."""
    origin = request.headers.get("Origin")
    if origin in settings.ACCEPTABLE_ORIGINS and errors.is_api(request):
        response["Access-Control-Allow-Origin"] = origin
        response["Cross-Origin-Resource-Policy"] = "cross-origin"
        response["Vary"] = "Origin"


class SignInGate(_Door):
    """Finds out who asks and leaves it in `request.actor`; sends the others away.

    In the asynchronous case it also runs every synchronous view as one hop on threads that keep
    their connections: Django would start a thread and open a connection for each request. They are
    not the threads of runs, which must not wait for a view that waits for a provider.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if self.is_async:
            self.process_view = self._hop

    async def call_async(self, request: HttpRequest) -> HttpResponseBase:
        asks = _asks_database(request)
        refusal = await _in_thread(self.before, request) if asks else self.before(request)
        return refusal or await self.get_response(request)

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        try:
            return _admit_api(request) if errors.is_api(request) else _admit_page(request)
        except auth.TooManyFailures as refusal:
            response = errors.plain(request, 429, refusal.what, code=refusal.code)
            response["Retry-After"] = "60"
            return response
        except AppError as refusal:
            return errors.refuse(request, refusal)

    async def _hop(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        view = _operation(view, request)
        if iscoroutinefunction(view):
            return None
        return await _in_thread(_run_view, view, request, args, kwargs)


_threads = ThreadPoolExecutor(VIEW_THREADS, thread_name_prefix="view")


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    def call() -> T:
        try:
            return function(*args)
        finally:
            if settings.DB_RELEASE_AFTER_HOP:
                connections.close_all()

    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads, context.run, call)


def _operation(view: Callable[..., Any], request: HttpRequest) -> Callable[..., Any]:
    """Return the operation itself when it is a synchronous one on a path that has both kinds."""
    find = getattr(view, "find_operation", None)
    found = find(request) if find else None
    return found.run if found and not found.is_async else view


def _run_view(
    view: Callable[..., HttpResponseBase],
    request: HttpRequest,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> HttpResponseBase:
    response = view(request, *args, **kwargs)
    # A page that Django would render later, in another thread, is rendered here.
    renderer: Callable[[], HttpResponse] | None = getattr(response, "render", None)
    return renderer() if renderer else response


def _asks_database(request: HttpRequest) -> bool:
    """Tell whether finding out who asks needs the database."""
    if settings.SERVER_PASSWORD and errors.is_api(request):
        return settings.SESSION_COOKIE_NAME in request.COOKIES
    return bool(settings.SERVER_PASSWORD) or not auth.accounts_known() or auth.has_accounts()


def _admit_api(request: HttpRequest) -> None:
    if request.path_info.strip("/").partition("/")[2] in auth.OPEN_API_PATHS:
        return
    request.actor = auth.actor_for_api(request)  # type: ignore[attr-defined]


def _admit_page(request: HttpRequest) -> HttpResponse | None:
    if request.path_info.rstrip("/") in OPEN_PAGES:
        return None
    actor = auth.actor_for_page(auth.session_of(request), auth.address_of(request))
    if actor is None:
        return _to_login(request)
    request.actor = actor  # type: ignore[attr-defined]
    if actor == auth.OPERATOR:
        _be_operator(request)
    return None


def _be_operator(request: HttpRequest) -> None:
    operator = SimpleLazyObject(auth.local_operator)

    async def auser() -> User:
        return await _in_thread(auth.local_operator)

    request.user = operator  # type: ignore[assignment]
    request.auser = auser  # type: ignore[assignment, method-assign]


def _to_login(request: HttpRequest) -> HttpResponse:
    """Send a browser to the login form; a fragment's request must move the whole page."""
    here = request.get_full_path() if request.method in SAFE_METHODS else "/"
    target = f"{resolve_url(settings.LOGIN_URL)}?next={quote(here)}"
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=401, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)
