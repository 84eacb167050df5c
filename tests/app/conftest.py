"""Who acts in the tests of the app: an owner, a team mate, and a stranger of another organisation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID
from letta_site.core.types import Actor


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
    org, _ = rows("Organization").get_or_create(pk=DEFAULT_ORG_ID)
    rows("User").get_or_create(
        letta_id=DEFAULT_USER_ID, defaults={"username": "local-operator", "org": org}
    )
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
