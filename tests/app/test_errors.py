"""Failures as a client sees them: Letta's bodies, our fields, nothing of our insides."""

import json

import pytest
from django.db import DataError, IntegrityError, OperationalError
from django.test import RequestFactory

from letta_site import errors
from letta_site.core.errors import (
    Conflict,
    Invalid,
    LLMError,
    Malformed,
    NotFound,
    NotReady,
    TooLarge,
    Unauthorized,
)

BLOCKS = "/v1/blocks/"
CLASH = "CONFLICT: It clashes with a stored record, or refers to none."
TOO_LONG = "INVALID_ARGUMENT: A value is too long, too large, or holds a NUL character."


def told(failure, method="POST"):
    request = RequestFactory().generic(method, "/v1/x")
    request.request_id = "r-1"
    handler = next(
        errors.HANDLERS[kind] for kind in type(failure).__mro__ if kind in errors.HANDLERS
    )
    response = handler(request, failure)
    return response, json.loads(response.content)


@pytest.mark.parametrize(
    ("failure", "status", "detail"),
    [
        (Invalid("no"), 400, "INVALID_ARGUMENT: no"),
        (Unauthorized("no"), 401, "Unauthorized"),
        (NotFound("Agent not found"), 404, "Agent not found"),
        (NotFound("Handle a/b not found"), 404, "NOT_FOUND: Handle a/b not found"),
        (Conflict("no"), 409, "CONFLICT: no"),
        (Conflict("no", detail={"code": "PENDING_APPROVAL"}), 409, {"code": "PENDING_APPROVAL"}),
        (TooLarge("no"), 413, "TOO_LARGE: no"),
        (Malformed("Messages must not be empty"), 422, "Messages must not be empty"),
        (NotReady("no"), 501, "NOT_IMPLEMENTED: no"),
        (OperationalError("disk I/O secret"), 503, "A database error occurred."),
        (IntegrityError("UNIQUE secret"), 409, CLASH),
        (DataError("secret"), 400, TOO_LONG),
        (RuntimeError("secret"), 500, "An unknown error occurred"),
    ],
)  # fmt: skip
def test_each_failure_has_its_status_and_words(failure, status, detail):
    response, body = told(failure)
    assert (response.status_code, body["detail"]) == (status, detail)
    assert all(body[key] for key in ("code", "what", "todo", "request_id"))
    assert "secret" not in response.content.decode()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("llm_bad_request", 400),
        ("llm_authentication", 401),
        ("llm_insufficient_credits", 402),
        ("llm_rate_limit", 429),
        ("llm_error", 500),
        ("llm_timeout", 504),
    ],
)
def test_a_failure_of_the_model(kind, status):
    response, body = told(LLMError(kind, "it failed", detail="because", todo="set a key"))
    assert response.status_code == status
    assert body["error"] == {"type": kind, "message": "it failed", "detail": "because"}
    assert (body["todo"], response["x-should-retry"]) == ("set a key", "false")


@pytest.mark.parametrize(
    ("failure", "method", "hint"),
    [
        (Conflict("x"), "GET", "false"),
        (RuntimeError("x"), "POST", "false"),
        (RuntimeError("x"), "GET", None),
        (NotReady("x"), "GET", "false"),
        (Invalid("x"), "POST", None),
    ],
)
def test_clients_are_told_when_a_repetition_is_useless(failure, method, hint):
    assert told(failure, method)[0].get("x-should-retry") == hint


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"{", 422, "json_invalid"),
        (b"", 422, "missing"),
        (b"null", 422, "type"),
        (b"[]", 422, "type"),
        (b"[" * 200_000, 422, "json_invalid"),
        (b'{"label": NaN}', 422, "json_invalid"),
        (b'{"label": 1}', 422, "string_type"),
        (b'{"value": "a"}', 422, "missing"),
        (b'{"label": "\xff"}', 400, "parsing"),
    ],
)
def test_broken_bodies(api, body, status, word):
    answer = api.generic("POST", BLOCKS, body, content_type="application/json")
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    assert word in answer.json()["detail"]


def test_the_place_of_a_wrong_value_is_named_as_letta_names_it(api):
    detail = api.send("POST", BLOCKS, {"value": "a"}).json()["detail"]
    assert "'loc': ('body', 'label')" in detail
    detail = api.get(BLOCKS, {"limit": "x"}).json()["detail"]
    assert "'loc': ('query', 'limit')" in detail


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_read(api, kind):
    answer = api.generic("POST", BLOCKS, b'{"label": "x"}', content_type=kind)
    assert answer.status_code == 422
    assert "application/json" in answer.json()["todo"]


def test_no_content_type_means_json(api):
    assert api.generic("POST", BLOCKS, b'{"label": "x"}', content_type="").status_code == 200


def test_text_that_no_database_keeps(api):
    raw = b'{"label": "x", "metadata": {"k\\u0000": ["\\ud800", "\\\\u0000"]}}'
    made = api.generic("POST", BLOCKS, raw, content_type="application/json")
    assert made.json()["metadata"] == {"k": ["\ufffd", "\\u0000"]}


@pytest.mark.parametrize("path", ["/v1/nope", "/v1/", "/v1", "/latest/nope/x", "/v1/blocks/a/b/c"])
def test_an_unknown_address_of_the_api(api, path):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found")


def test_an_unknown_page_is_a_page(api):
    answer = api.get("/no/such/page")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_a_method_that_is_not_there(api):
    answer = api.send("PUT", "/v1/health/")
    assert (answer.status_code, answer.json()["detail"]) == (405, "Method Not Allowed")
    assert answer["Allow"] == "GET"


def test_too_large_a_body(api, settings):
    settings.MAX_BODY_BYTES = 100
    answer = api.send("POST", BLOCKS, {"label": "x", "value": "y" * 200})
    assert answer.status_code == 413
    assert api.send("POST", BLOCKS, {"label": "x"}).status_code == 200


def test_a_request_is_numbered(api):
    given = api.get("/v1/health/", headers={"X-Request-Id": "mine-1"})
    assert given["X-Request-Id"] == "mine-1"
    odd = api.get("/v1/health/", headers={"X-Request-Id": "a b <script>"})
    assert odd["X-Request-Id"].isalnum()
    body = api.get("/v1/nope", headers={"X-Request-Id": "mine-2"}).json()
    assert body["request_id"] == "mine-2"


def test_headers_that_protect(api):
    for path in ("/v1/health/", "/admin/", "/v1/nope"):
        answer = api.get(path)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in answer["Permissions-Policy"]


@pytest.mark.parametrize("query", ["%00", "%ED%A0%80", "%FF", "a" * 5000])
def test_odd_queries_are_no_surprise(api, query):
    for name in ("label", "after", "value_search"):
        assert api.get(f"{BLOCKS}?{name}={query}").status_code < 500


def test_a_surprise_in_a_view_is_logged_and_not_shown(api, monkeypatch, caplog):
    def fail(*_args, **_kwargs):
        raise RuntimeError("the inside")

    monkeypatch.setattr("memory.services.blocks.list_blocks", fail)
    answer = api.get(BLOCKS)
    assert (answer.status_code, answer.json()["detail"]) == (500, "An unknown error occurred")
    assert "the inside" in caplog.text
    assert answer.json()["request_id"] in caplog.text
