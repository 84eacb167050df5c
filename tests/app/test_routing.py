"""Addresses: both spellings, both roots, and what settings that do not fit are told."""

import re

import pytest
from django.urls import resolve

from letta_site import checks
from letta_site.api import urlpatterns

UUID = "00000000-0000-4000-8000-000000000000"
PATHS = sorted({re.sub(r"<[^>]*>", UUID, str(one.pattern)).rstrip("/") for one in urlpatterns})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("root", ["v1", "latest"])
def test_both_spellings_lead_to_the_same_operation(root, path):
    bare, slashed = resolve(f"/{root}/{path}"), resolve(f"/{root}/{path}/")
    assert bare.func.find_operation.__self__ is slashed.func.find_operation.__self__


def test_no_spelling_is_redirected(api):
    for path in ("/v1/blocks", "/v1/blocks/", "/latest/blocks", "/latest/blocks/"):
        assert api.get(path).status_code == 200
        assert api.send("POST", path, {"label": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, []),
        ({"ALLOWED_HOSTS": ["localhost", "letta.example"]}, ["letta.W001"]),
        ({"ALLOWED_HOSTS": ["letta.example"], "SERVER_PASSWORD": "long enough to be one"}, []),
        ({"ALLOWED_HOSTS": ["*"], "SERVER_PASSWORD": "long enough to be one"}, ["letta.E001"]),
        ({"ACCEPTABLE_ORIGINS": ["friend.example", "https://a.example/x"]}, ["letta.E002"]),
        ({"ACCEPTABLE_ORIGINS": ["https://a.example:1"]}, []),
        ({"DEBUG": True, "BEHIND_TLS": True}, ["letta.W002"]),
        ({"SERVER_PASSWORD": "short"}, ["letta.W003"]),
    ],
)
def test_settings_that_do_not_fit_are_explained(settings, given, found):
    settings.ALLOWED_HOSTS = settings.LOOPBACK_HOSTS
    for name, value in given.items():
        setattr(settings, name, value)
    messages = checks.settings_fit_together(None)
    assert [message.id for message in messages] == found
    assert all(message.hint for message in messages)
