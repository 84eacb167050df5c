"""The admin: every page opens, history stays as it is, blocks changed here get versions."""

import pytest
from django.contrib import admin
from django.urls import reverse

from agents.models import Agent, AgentSecret, Run, Step
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID, new_id
from letta_site.core.models import Organization, Provider
from memory.models import Archive, Block, BlockVersion, File, Folder, Passage
from memory.services.candidates import SearchQuery
from memory.services.folders import create_folder
from memory.services.search import search

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
OURS = [model for model in MODELS if model._meta.app_label in ("core", "memory", "agents")]


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.fixture
def stored(api, agent, owner):
    """At least one row of each model."""
    api.send("POST", f"/v1/agents/{agent['id']}/archival-memory", {"text": "Rex", "tags": ["a"]})
    Provider.objects.create(org_id=owner.org_id, name="mine")
    folder = create_folder(owner, name="notes")
    File.objects.create(
        org_id=owner.org_id, folder=folder, name="a.md", original_name="a.md",
        media_type="text/markdown", size=1, sha256="0" * 64,
    )  # fmt: skip
    row = Agent.objects.get(pk=agent["id"])
    AgentSecret.objects.create(agent=row, key="TOKEN", sealed_value="x")
    run = Run.objects.create(
        org_id=owner.org_id, agent=row, conversation=row.conversations.get(), seq=1001
    )
    Step.objects.create(
        id=new_id("step"), org_id=owner.org_id, agent=row, run=run, seq=1002, n=1, model="m",
        model_handle="p/m", provider_name="p", context_window_limit=1,
    )  # fmt: skip
    return agent


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_page_opens(api, stored, model):
    assert api.get(page(model, "changelist")).status_code == 200
    assert api.get(page(model, "changelist"), {"q": "rex % ' \" 1"}).status_code == 200
    may_add = admin.site._registry[model].has_add_permission(api.get("/admin/").wsgi_request)
    assert api.get(page(model, "add")).status_code == (200 if may_add else 403)
    row = model.objects.first()
    if row is not None:
        assert api.get(page(model, "change", row.pk)).status_code == 200
        assert api.get(page(model, "history", row.pk)).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_list_costs_the_same_at_any_length(api, stored, model, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        api.get(page(model, "changelist"))


@pytest.mark.parametrize(
    "name", ["Message", "Run", "Step", "ToolCall", "BlockVersion", "Retrieval"]
)
def test_history_cannot_be_changed(api, stored, name):
    (model,) = [one for one in OURS if one.__name__ == name]
    row = model.objects.first()
    if row is not None:
        assert api.post(page(model, "change", row.pk), {}).status_code == 403
        assert api.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def block_form(**changes):
    given = {
        "label": "human", "description": "d", "value": "v", "limit": "100", "tags": "[]",
        "metadata": "{}", "hidden": "unknown", "template_name": "",
        "versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0",
    }  # fmt: skip
    return {**given, **changes}


def test_a_block_made_and_changed_here_has_versions(api, owner):
    assert api.post(page(Block, "add"), block_form(value="one")).status_code == 302
    block = Block.objects.get()
    assert (block.org_id, block.version) == (owner.org_id, 1)
    changed = api.post(page(Block, "change", block.pk), block_form(value="two"))
    assert changed.status_code == 302
    newest = BlockVersion.objects.filter(block=block).first()
    assert (newest.n, newest.value, newest.actor_id) == (2, "two", DEFAULT_USER_ID)


def test_a_block_over_its_limit_is_refused_with_a_sentence(api, owner):
    answer = api.post(page(Block, "add"), block_form(value="x" * 101))
    assert answer.status_code == 200
    assert "limit is 100" in answer.content.decode()
    assert not Block.objects.exists()


def test_a_block_is_deleted(api, owner):
    api.post(page(Block, "add"), block_form())
    api.post(page(Block, "delete", Block.objects.get().pk), {"post": "yes"})
    assert not Block.objects.exists()


def test_a_passage_made_and_changed_here_is_found(api, owner):
    archive = Archive.objects.create(org_id=owner.org_id, name="a")
    given = {"archive": archive.pk, "text": "about dogs", "tags": '["t"]', "metadata": "{}"}
    assert api.post(page(Passage, "add"), given).status_code == 302
    row = Passage.objects.get()
    api.post(page(Passage, "change", row.pk), {**given, "text": "about cats"})
    asked = SearchQuery(owner.org_id, [archive.pk], "passage", "cats", tags=["t"])
    assert [hit.ref_id for hit in search(asked)] == [row.pk]
    api.post(page(Passage, "delete", row.pk), {"post": "yes"})
    assert search(asked) == []


def test_a_key_can_be_set_but_not_read(api, owner):
    given = {"org": DEFAULT_ORG_ID, "name": "mine", "provider_type": "openai", "enabled": "on"}
    assert (
        api.post(page(Provider, "add"), {**given, "api_key": "sk-very-secret"}).status_code == 302
    )
    provider = Provider.objects.get()
    assert provider.api_key == "sk-very-secret"
    shown = api.get(page(Provider, "change", provider.pk)).content.decode()
    assert "sk-very-secret" not in shown and provider.sealed_key not in shown
    api.post(page(Provider, "change", provider.pk), {**given, "name": "renamed"})
    provider.refresh_from_db()
    assert (provider.name, provider.api_key) == ("renamed", "sk-very-secret")


def test_the_secrets_of_an_agent_are_not_shown(api, stored):
    AgentSecret.objects.update(sealed_value="sealed-text")
    shown = api.get(page(Agent, "change", stored["id"])).content.decode()
    assert "TOKEN" in shown and "sealed-text" not in shown


def test_an_agent_deleted_here_takes_its_archive_along(api, stored):
    api.post(page(Agent, "delete", stored["id"]), {"post": "yes"})
    assert not Agent.objects.exists() and not Archive.objects.exists()


def test_blocks_of_another_organisation_are_not_here(api, owner, stranger):
    Block.objects.create(org_id=stranger.org_id, label="theirs")
    assert "theirs" not in api.get(page(Block, "changelist")).content.decode()
    assert Organization.objects.count() == 2


def test_a_folder_changed_here_is_a_changed_folder(api, owner, agent):
    made = page(Folder, "add")
    assert api.post(made, {"name": "notes", "metadata": "{}"}).status_code == 302
    folder = Folder.objects.get()
    api.send("PATCH", f"/v1/agents/{agent['id']}/folders/attach/{folder.pk}")
    answer = api.post(page(Folder, "change", folder.pk), {"name": "plans", "metadata": "{}"})
    assert answer.status_code == 302
    folder.refresh_from_db()
    assert (folder.name, folder.version) == ("plans", 2)
    answer = api.post(page(Folder, "add"), {"name": "plans", "metadata": "{}"})
    assert b"already" in answer.content
    assert api.post(page(Folder, "delete", folder.pk), {"post": "yes"}).status_code == 302
    state = api.get(f"/v1/agents/{agent['id']}").json()
    assert state["sources"] == [] and "grep_files" not in [one["name"] for one in state["tools"]]
