"""Who acts in the tests of the app: an owner, a team mate, a stranger of another organisation."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client

from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID
from letta_site.core.types import Actor
from tests.fakes.openai_server import FakeOpenAI


# Models cannot be imported here: pytest reads this file before it knows the settings.
def rows(name: str) -> Any:
    return apps.get_model("core", name).objects


class Api(Client):
    """A client of the JSON API: bodies go in and come out as values."""

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Return the response; `body` is sent as JSON when it is not None."""
        data = b"" if body is None else json.dumps(body)
        return self.generic(method, path, data, content_type="application/json")


@pytest.fixture
def owner(db: None) -> Actor:
    """The default user of the default organisation: who every request is in open mode."""
    import_module("letta_site.auth").default_tenant()
    return Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)


@pytest.fixture
def mate(owner: Actor) -> Actor:
    user = rows("User").create_user("mate", org_id=owner.org_id)
    user.set_unusable_password()
    user.save()
    return Actor(owner.org_id, user.letta_id)


@pytest.fixture
def stranger(db: None) -> Actor:
    org = rows("Organization").create(name="elsewhere")
    return Actor(org.pk, "user-11111111-1111-4111-8111-111111111111")


@pytest.fixture
def api(owner: Actor) -> Api:
    return Api()


@pytest.fixture(scope="session", autouse=True)
def _static_folder() -> None:
    """WhiteNoise warns of a folder that is not there, and warnings are errors here."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture(autouse=True)
def _forget_sign_ins() -> None:
    """What the server remembers of accounts and of wrong passwords is of the test before."""
    auth = import_module("letta_site.auth")
    auth.forget_accounts()
    auth.forget_failures()


@pytest.fixture
def openai(settings: Any, fake_openai: FakeOpenAI) -> FakeOpenAI:
    """The fake provider, as the one that the product asks; what fails there fails at once."""
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    settings.LLM_TRIES = 1
    return fake_openai


@pytest.fixture
def agent(api: Api) -> dict[str, Any]:
    """An agent of the owner, as the API shows it, with the blocks `human` and `persona`."""
    blocks = [{"label": "human", "value": "Name: Ada"}, {"label": "persona", "value": "Kind."}]
    answer = api.send("POST", "/v1/agents/", {"model": "letta/demo", "memory_blocks": blocks})
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def guarded(api: Api, openai: FakeOpenAI) -> Any:
    """An agent whose memory_insert needs approval, and whose search does not."""
    body = {
        "model": "openai/gpt-4o-mini",
        "memory_blocks": [{"label": "human", "value": "Bob"}],
        "tool_rules": [{"type": "requires_approval", "tool_name": "memory_insert"}],
    }
    return api.send("POST", "/v1/agents/", body).json()


@pytest.fixture
def foreign_agent(api: Api, agent: dict[str, Any], stranger: Actor) -> dict[str, Any]:
    """The same agent, moved to the stranger with all it has: the owner must not see it."""
    model = apps.get_model("agents", "Agent")
    ids = [block["id"] for block in agent["memory"]["blocks"]]
    apps.get_model("memory", "Block").objects.filter(pk__in=ids).update(org_id=stranger.org_id)
    model.objects.filter(pk=agent["id"]).update(org_id=stranger.org_id)
    talks = apps.get_model("agents", "Conversation").objects.filter(agent_id=agent["id"])
    talks.update(org_id=stranger.org_id)
    return agent
