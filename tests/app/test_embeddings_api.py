"""Embedding models of agents over REST, and how far the embedding of what they say is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import connection, transaction

from agents.models import Agent
from agents.services.agent_embeddings import adopt_scopes
from letta_site.core.types import Actor
from memory.embeddings import catalog
from memory.models import Archive, EmbeddingScope, SearchEntry, Vector
from memory.runtime.embedder import Embedder
from memory.services import wakeups
from memory.services.embedding_scopes import set_embedding
from tests.app.conftest import Api
from tests.app.test_embeddings import DOWN, LARGE, SMALL, _soon, openai, run, state, until
from tests.app.test_runner import agent as runnable
from tests.app.test_runner import follow, given
from tests.app.test_statements import MOST_STATEMENTS, statements_of
from tests.fakes.openai_server import FakeOpenAI

__all__ = ["_soon", "openai", "runnable"]
pytestmark = pytest.mark.django_db(transaction=True)
CONFIG_KEYS = {
    "embedding_endpoint_type",
    "embedding_endpoint",
    "embedding_model",
    "embedding_dim",
    "embedding_chunk_size",
    "handle",
    "batch_size",
    "azure_endpoint",
    "azure_version",
    "azure_deployment",
}


def create(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api.send("POST", "/v1/agents/", {"model": "letta/demo", **fields})
    assert answer.status_code == 200, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_both_spellings_of_an_embedding_model_mean_the_same(api: Api, openai: FakeOpenAI) -> None:
    new = create(api, embedding=SMALL)
    old = create(
        api,
        embedding_config={
            "embedding_endpoint_type": "openai",
            "embedding_model": "text-embedding-3-small",
            "embedding_dim": 7,
            "embedding_chunk_size": 200,
        },
    )
    for made in (new, old):
        assert made["embedding"] == made["embedding_config"]["handle"] == SMALL
        assert set(made["embedding_config"]) == CONFIG_KEYS
        assert made["embedding_config"]["embedding_dim"] == 1536
    assert old["embedding_config"]["embedding_chunk_size"] == 200
    assert EmbeddingScope.objects.filter(model=SMALL).count() == 2


def test_no_embedding_model_is_well(api: Api, openai: FakeOpenAI) -> None:
    made = create(api, embedding=None, embedding_config=None)
    assert made["embedding"] is made["embedding_config"] is None
    assert not EmbeddingScope.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"embedding": "openai/nope"},
        {"embedding_config": {"embedding_endpoint_type": "x", "embedding_model": "y"}},
    ],
)
def test_an_unknown_model_is_refused_with_the_known_ones(
    api: Api, openai: FakeOpenAI, fields: dict[str, Any]
) -> None:
    answer = api.send("POST", "/v1/agents/", {"model": "letta/demo", **fields})
    assert answer.status_code == 400 and SMALL in answer.json()["detail"]
    made = create(api)
    answer = api.send("PATCH", f"/v1/agents/{made['id']}", fields)
    assert answer.status_code == 400 and SMALL in answer.json()["detail"]


def test_changing_the_model_of_an_agent_changes_that_of_its_archive(
    api: Api, openai: FakeOpenAI
) -> None:
    made = create(api, embedding=SMALL)
    path = f"/v1/agents/{made['id']}"
    api.send("POST", f"{path}/archival-memory", {"text": "We flew to Lisbon in May"})
    archive = Archive.objects.get()
    assert archive.embedding == SMALL
    run(finish_all)
    changed = api.send("PATCH", path, {"embedding": LARGE}).json()
    assert changed["embedding_config"]["embedding_dim"] == 3072
    archive.refresh_from_db()
    assert archive.embedding == LARGE
    row = api.get(f"/v1/embeddings/scopes/{archive.id}").json()
    assert (row["embedding"], row["searched_embedding"]) == (LARGE, SMALL)
    assert row["state"] == "waiting"
    run(finish_all)
    row = api.get(f"/v1/embeddings/scopes/{archive.id}").json()
    assert (row["searched_embedding"], row["embedding_dim"], row["progress"]) == (LARGE, 3072, 1.0)


async def finish_all(_embedder: Embedder) -> None:
    await until(lambda: not EmbeddingScope.objects.exclude(state="done").exists())


def test_the_measured_dimension_is_shown(api: Api, owner: Actor, openai: FakeOpenAI) -> None:
    made = create(api, embedding=SMALL)
    catalog.remember_dim(owner.org_id, SMALL, 640)
    shown = api.get(f"/v1/agents/{made['id']}").json()["embedding_config"]
    assert shown["embedding_dim"] == 640
    listed = {row["handle"]: row["embedding_dim"] for row in api.get("/v1/models/embedding").json()}
    assert (listed[SMALL], listed[LARGE]) == (640, 3072)


def test_failures_are_shown_and_can_be_tried_again(
    api: Api, owner: Actor, openai: FakeOpenAI
) -> None:
    made = create(api, embedding=SMALL)
    api.send("POST", f"/v1/agents/{made['id']}/archival-memory", {"text": "Rex"})
    archive = Archive.objects.get()
    openai.embed_with(lambda _: DOWN)

    async def failing(_: Embedder) -> None:
        await until(lambda: state(archive.id) == "failed")

    run(failing)
    [row] = api.get("/v1/embeddings/scopes", {"state": "failed", "limit": 1}).json()
    assert "500" in row["error"] and row["retry_at"] and row["progress"] < 1
    openai.embed_with(lambda _: None)
    again = api.send("POST", f"/v1/embeddings/scopes/{archive.id}/retry")
    assert again.status_code == 200 and again.json()["state"] == "waiting"
    run(finish_all)
    assert api.get("/v1/embeddings/scopes", {"state": "failed"}).json() == []
    size = api.get("/v1/embeddings/total_storage_size", headers={"storage-unit": "B"}).json()
    assert size == 2 * 1536 * Vector.objects.count() > 0


def test_refused_texts_are_named(api: Api, owner: Actor, openai: FakeOpenAI) -> None:
    made = create(api, embedding=SMALL)
    api.send("POST", f"/v1/agents/{made['id']}/archival-memory", {"text": " "})
    run(finish_all)
    row = api.get(f"/v1/embeddings/scopes/{Archive.objects.get().id}").json()
    assert row["refused"] == 1
    [refusal] = row["refusals"]
    assert refusal["id"].startswith("passage-") and "nothing" in refusal["why"]


def test_what_belongs_to_others_is_not_there(api: Api, stranger: Actor) -> None:
    with transaction.atomic():
        set_embedding(stranger, ["archive-x"], SMALL)
    assert api.get("/v1/embeddings/scopes").json() == []
    assert api.get("/v1/embeddings/scopes/archive-x").status_code == 404
    assert api.send("POST", "/v1/embeddings/scopes/archive-x/retry").status_code == 404
    assert api.get("/v1/embeddings/total_storage_size").json() == 0
    answer = api.get("/v1/embeddings/total_storage_size", headers={"storage-unit": "acres"})
    assert answer.status_code in (400, 422)


def test_agents_of_before_are_taken_up_at_the_start(api: Api, openai: FakeOpenAI) -> None:
    made = create(api, embedding=SMALL)
    api.send("POST", f"/v1/agents/{made['id']}/archival-memory", {"text": "Rex"})
    EmbeddingScope.objects.all().delete()
    adopt_scopes()
    adopt_scopes()
    known = EmbeddingScope.objects.values_list("scope_id", flat=True)
    assert set(known) == {made["id"], Archive.objects.get().id}


def test_who_tends_an_agents_memory_is_embedded_too(api: Api, openai: FakeOpenAI) -> None:
    create(api, embedding=SMALL, enable_sleeptime=True)
    known = EmbeddingScope.objects.values_list("scope_id", flat=True)
    assert set(known) == set(Agent.objects.values_list("id", flat=True)) and len(known) == 2


def test_an_agent_that_is_deleted_takes_its_vectors_along(api: Api, openai: FakeOpenAI) -> None:
    made = create(api, embedding=SMALL)
    api.send("POST", f"/v1/agents/{made['id']}/archival-memory", {"text": "Rex"})
    run(finish_all)
    assert Vector.objects.exists()
    assert api.delete(f"/v1/agents/{made['id']}").status_code == 200
    for model in (Vector, EmbeddingScope, SearchEntry):
        assert not model.objects.exists(), model


def test_a_step_is_not_dearer_with_an_embedding_model(
    owner: Actor, runnable: Agent, fake_openai: FakeOpenAI
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("elsewhere a hop may be served by any of several connections")
    told: list[set[str] | None] = []

    def hear(_scopes: set[str], texts: set[str] | None) -> None:
        told.append(texts)

    set_embedding(owner, [runnable.id], SMALL)
    wakeups.listen(hear)
    try:
        asyncio.run(follow(owner, given(runnable)))
        assert len(statements_of(owner, runnable)) <= MOST_STATEMENTS
    finally:
        wakeups.unlisten(hear)
    assert told and all(told)


def test_an_archive_changes_its_model_and_keeps_it_when_the_new_one_is_unknown(
    api: Api, openai: FakeOpenAI
) -> None:
    made = api.send("POST", "/v1/archives/", {"name": "Notes", "embedding": SMALL}).json()
    path = f"/v1/archives/{made['id']}"
    assert api.send("PATCH", path, {"embedding": LARGE}).json()["embedding"] == LARGE
    scope = f"/v1/embeddings/scopes/{made['id']}"
    assert api.get(scope).json()["embedding"] == LARGE
    assert api.send("PATCH", path, {"embedding": "openai/none-such"}).status_code == 400
    assert api.send("PATCH", path, {"name": "Log"}).json()["embedding"] == LARGE
    assert api.get(scope).json()["embedding"] == LARGE
