"""The asynchronous path of a request, as a real server takes it."""

import asyncio
import threading

import pytest
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory

from letta_site.asgi import ApiHandler, ByPath
from letta_site.middleware import SignInGate

PASSWORD = "correct horse battery"


def fetch(path, **headers):
    return asyncio.run(AsyncClient().get(path, headers=headers))


def test_health_asks_no_database(settings, monkeypatch):
    settings.SERVER_PASSWORD = PASSWORD
    monkeypatch.setattr("letta_site.auth.has_accounts", None)
    assert fetch("/v1/health/").status_code == 200
    assert fetch("/v1/blocks/").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_both_chains_answer_alike(owner, settings):
    settings.SERVER_PASSWORD = PASSWORD
    assert fetch("/v1/blocks/").status_code == 401
    assert fetch("/v1/blocks/", Authorization=f"Bearer {PASSWORD}").json() == []
    assert fetch("/v1/blocks/x", Authorization=f"Bearer {PASSWORD}").status_code == 422
    assert fetch("/v1/nope", Authorization=f"Bearer {PASSWORD}").status_code == 404
    assert fetch("/admin/").status_code == 302
    assert fetch("/v1/health/", Host="evil.example").status_code == 400


def test_the_api_has_our_middlewares_only():
    assert isinstance(ApiHandler()._view_middleware[0].__self__, SignInGate)
    assert len(ApiHandler()._view_middleware) == 1


def test_addresses_go_to_their_chain():
    taken = []

    def chain(name):
        async def serve(*_):
            taken.append(name)

        return serve

    site = ByPath(api=chain("api"), pages=chain("pages"))
    for path in ("/v1/agents", "/latest/x", "/", "/v1x/", "/admin/"):
        asyncio.run(site({"path": path}, None, None))
    assert taken == ["api", "api", "pages", "pages", "pages"]


def test_synchronous_views_leave_the_loop_and_asynchronous_ones_stay():
    async def get_response(_):
        raise AssertionError("not asked")

    def sync_view(_request, name):
        return HttpResponse(f"{name} {threading.current_thread().name}")

    async def async_view(_request):
        raise AssertionError("Django awaits it")

    gate, request = SignInGate(get_response), RequestFactory().get("/")
    answer = asyncio.run(gate.process_view(request, sync_view, (), {"name": "Ada"}))
    assert answer.content.startswith(b"Ada view")
    assert asyncio.run(gate.process_view(request, async_view, (), {})) is None
