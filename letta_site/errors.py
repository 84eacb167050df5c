"""The one place where failures become HTTP: Letta's bodies, with our own fields beside them."""

import json
import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from letta_site.core.errors import (
    AppError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    LLMError,
    Malformed,
    McpFailure,
    McpTimeout,
    NotFound,
    NotReady,
    TooLarge,
    Unauthorized,
    Unsupported,
)

log = logging.getLogger("letta.http")

API_ROOTS = ("/v1/", "/latest/")
STATUS: dict[type[AppError], int] = {
    Invalid: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    TooLarge: 413,
    Unsupported: 415,
    Malformed: 422,
    NotReady: 501,
    McpFailure: 502,
    McpTimeout: 408,
}
LLM_STATUS = {
    "llm_bad_request": 400,
    "llm_authentication": 401,
    "llm_insufficient_credits": 402,
    "llm_rate_limit": 429,
    "llm_timeout": 504,
}
PAGE_STATUS = (400, 403, 404, 500)
UNKNOWN = "An unknown error occurred"

# What to do where the place that failed has nothing better to say.
HINTS = {
    "INVALID_ARGUMENT": "Correct the value and send the request again.",
    "MALFORMED": "Correct the request; it was not carried out, and sending it again will not help.",
    "NOT_FOUND": "Check the path and the ids in it; the lists show what there is.",
    "CONFLICT": "Read the current state, then decide whether the request still makes sense.",
    "EXPIRED": "Ask for what is there now; this is kept no longer.",
    "TOO_LARGE": "Send it in smaller parts.",
    "UNAUTHORIZED": "Send the server's password or a key as `Authorization: Bearer ...`.",
    "FORBIDDEN": "Ask whoever runs this server.",
    "NOT_IMPLEMENTED": "Do without it; sending the request again will not help.",
    "LLM_ERROR": "Look at the provider's own words in `error`; what was stored before is kept.",
    "METHOD_NOT_ALLOWED": "Use one of the methods in the Allow header.",
    "DATABASE_UNAVAILABLE": "Send it again in a moment.",
    "INTERNAL_ERROR": "Look for the request id in the server's log, and report it as a defect.",
}

Body = dict[str, Any]


def is_api(request: HttpRequest) -> bool:
    """Tell whether a request is for the JSON API and not for a page."""
    path = request.path_info
    return path.startswith(API_ROOTS) or path in ("/v1", "/latest")


def answer(request: HttpRequest, failure: AppError) -> HttpResponse:
    """Return the answer that tells an API client of an expected failure."""
    status = _status_of(failure)
    body = {key: value for key, value in failure.extra.items() if key != "example"}
    body |= _letta_body(failure)
    body |= _own_fields(request, failure.code, failure.what, failure.todo)
    body |= {key: failure.extra[key] for key in ("detail",) if key in failure.extra}
    response = _json(request, status, body)
    if isinstance(failure, LLMError | McpFailure):
        response["x-should-retry"] = "false"  # the call may have been carried out
    if isinstance(failure, Unauthorized):
        response["WWW-Authenticate"] = "Bearer"
    return response


def plain(request: HttpRequest, status: int, detail: str, *, code: str) -> HttpResponse:
    """Return an API answer whose `detail` is just a sentence."""
    return _json(request, status, {"detail": detail, **_own_fields(request, code, detail, "")})


def refuse(request: HttpRequest, failure: AppError) -> HttpResponse:
    """Return an answer for whoever asks: JSON for the API, a page for a browser."""
    if is_api(request):
        return answer(request, failure)
    status = _status_of(failure)
    if status in PAGE_STATUS:
        return _page(request, status)
    text = f"{failure.what} {failure.todo}".strip()
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def _status_of(failure: AppError) -> int:
    if isinstance(failure, LLMError):
        return LLM_STATUS.get(failure.kind, 500)
    return next((STATUS[kind] for kind in type(failure).__mro__ if kind in STATUS), 500)


def _letta_body(failure: AppError) -> Body:
    if isinstance(failure, LLMError):
        return {
            "error": {"type": failure.kind, "message": failure.what, "detail": failure.detail},
            "detail": failure.what,
        }
    if isinstance(failure, McpFailure) and not isinstance(failure, McpTimeout):
        error = {"type": "mcp_connection_error", "message": failure.what, "detail": failure.todo}
        return {"error": error, "detail": failure.what}
    if isinstance(failure, Unauthorized):
        return {"detail": "Unauthorized"}
    if isinstance(failure, Malformed):
        return _malformed_body(failure)
    # Letta gives the bare sentence for what is not there, except for a model.
    if isinstance(failure, NotFound) and not failure.what.startswith("Handle "):
        return {"detail": failure.what}
    return {"detail": f"{failure.code}: {failure.what}"}


def _malformed_body(failure: Malformed) -> Body:
    example = failure.extra.get("example")
    if not isinstance(example, str):
        return {"detail": failure.what}
    name = f"{example.partition('-')[0]}_id"
    found = [{"type": "string_pattern_mismatch", "loc": ("path", name), "msg": failure.what}]
    return {"trace_id": "", "detail": str(found), "examples": [example]}


def _own_fields(request: HttpRequest, code: str, what: str, todo: str) -> Body:
    request_id = getattr(request, "request_id", "")
    hint = todo or HINTS.get(code, "")
    return {"code": code, "what": what, "todo": hint, "request_id": request_id}


def _json(request: HttpRequest, status: int, body: Body) -> HttpResponse:
    response = JsonResponse(body, status=status, json_dumps_params={"default": str})
    # Three of the four clients send again by themselves; this stops two of them where that is
    # useless, or would do the same work twice.
    if status in (409, 501) or (status >= 500 and request.method != "GET"):
        response["x-should-retry"] = "false"
    return response


def _invalid_values(request: HttpRequest, failure: ValidationError) -> HttpResponse:
    found = [{**one, "loc": _letta_loc(one["loc"])} for one in failure.errors]
    where = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    body = {"trace_id": "", "detail": str(found)}
    return _json(request, 422, body | _own_fields(request, "MALFORMED", where, ""))


def _letta_loc(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out the name of our own parameter: ("body", "given", "label") has one too many."""
    return (loc[0], *loc[2:]) if loc[0] == "body" else tuple(loc)


def _http_error(request: HttpRequest, failure: HttpError) -> HttpResponse:
    cause = failure.__cause__ or failure.__context__
    if isinstance(cause, AppError):
        return answer(request, cause)
    if isinstance(cause, UnicodeDecodeError):
        return plain(request, 400, "There was an error parsing the body", code="MALFORMED")
    if isinstance(cause, RequestDataTooBig):
        return answer(request, TooLarge("The body is too large."))
    if isinstance(cause, ValueError | RecursionError):
        return _broken_json(request, cause)
    if failure.status_code == 401:
        return answer(request, Unauthorized("No valid credential was shown."))
    return plain(request, failure.status_code, str(failure), code="HTTP_ERROR")


def _broken_json(request: HttpRequest, cause: Exception) -> HttpResponse:
    at = cause.pos if isinstance(cause, json.JSONDecodeError) else 0
    why = cause.msg if isinstance(cause, json.JSONDecodeError) else str(cause)
    found = [{"type": "json_invalid", "loc": ("body", at), "msg": "JSON decode error", "why": why}]
    what = f"The body is not JSON that this server reads: {why} (at character {at})."
    body = {"trace_id": "", "detail": str(found), **_own_fields(request, "MALFORMED", what, "")}
    return _json(request, 422, body)


def _missing(request: HttpRequest, _failure: Http404) -> HttpResponse:
    return plain(request, 404, "Not Found", code="NOT_FOUND")


def not_allowed(request: HttpRequest, methods: str) -> HttpResponse:
    """Return the answer to a method that a path does not have."""
    response = plain(request, 405, "Method Not Allowed", code="METHOD_NOT_ALLOWED")
    response["Allow"] = methods
    return response


def _database_busy(request: HttpRequest, failure: Exception) -> HttpResponse:
    log.error("%s: the database failed", _id_of(request), exc_info=failure)
    response = plain(request, 503, "A database error occurred.", code="DATABASE_UNAVAILABLE")
    response["Retry-After"] = "1"
    return response


def _database_refused(request: HttpRequest, failure: Exception) -> HttpResponse:
    log.warning("%s: refused by the database: %s", _id_of(request), failure)
    return answer(request, Conflict("It clashes with a stored record, or refers to none."))


def _unstorable(request: HttpRequest, failure: Exception) -> HttpResponse:
    log.warning("%s: not storable: %s", _id_of(request), failure)
    return answer(request, Invalid("A value is too long, too large, or holds a NUL character."))


def _surprise(request: HttpRequest, failure: Exception) -> HttpResponse:
    log.error("%s: %s %s", _id_of(request), request.method, request.path, exc_info=failure)
    return plain(request, 500, UNKNOWN, code="INTERNAL_ERROR")


def _id_of(request: HttpRequest) -> str:
    return str(getattr(request, "request_id", "-"))


HANDLERS: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
    AppError: answer,
    ValidationError: _invalid_values,
    HttpError: _http_error,
    Http404: _missing,
    OperationalError: _database_busy,
    InterfaceError: _database_busy,
    IntegrityError: _database_refused,
    DataError: _unstorable,
    OverflowError: _unstorable,
    Exception: _surprise,
}


def install(api: NinjaAPI) -> None:
    """Make `api` answer every failure in the one way."""
    for kind, handler in HANDLERS.items():
        api.add_exception_handler(kind, handler)


# --- outside of the API's own routes: Django asks these, see letta_site/urls.py ----------------


def page_400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refuses to read."""
    if isinstance(exception, RequestDataTooBig):
        return refuse(request, TooLarge("The body is too large."))
    return _either(request, 400, "Bad Request", "BAD_REQUEST")


def page_403(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer a request that is not permitted."""
    return _either(request, 403, "Forbidden", "FORBIDDEN")


def page_404(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    """Answer for an address that is not there, or a page whose subject is not."""
    return _either(request, 404, "Not Found", "NOT_FOUND")


def page_500(request: HttpRequest) -> HttpResponse:
    """Answer after a surprise; Django has logged it."""
    return _either(request, 500, UNKNOWN, "INTERNAL_ERROR")


def _either(request: HttpRequest, status: int, detail: str, code: str) -> HttpResponse:
    if is_api(request):
        return plain(request, status, detail, code=code)
    return _page(request, status)


def _page(request: HttpRequest, status: int) -> HttpResponse:
    try:
        return render(request, f"{status}.html", status=status)
    except TemplateDoesNotExist:
        return HttpResponse(f"{status}", status=status, content_type="text/plain; charset=utf-8")
