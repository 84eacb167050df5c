"""The local embedding model: the published one, in numpy."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from letta_site.core.errors import Invalid
from letta_site.core.types import Actor
from memory.embeddings import local, weights
from memory.embeddings.base import EmbeddingError
from memory.embeddings.batches import embed_all
from memory.embeddings.catalog import LOCAL
from memory.services import embedding_scopes as scopes
from tests.app.conftest import Api
from tests.app.test_embeddings import SCOPE, _soon, best, finish, openai, run, say, state, until

__all__ = ["_soon", "openai"]
pytestmark = pytest.mark.django_db(transaction=True)
needs_weights = pytest.mark.skipif(not weights.installed(), reason="needs `make embed`")


def cosine(one: list[float], other: list[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths


@needs_weights
def test_it_is_the_published_model() -> None:
    """The three figures are those of the page where the model was published."""
    first, *others = local.embed(
        [
            "That is a happy person",
            "That is a happy dog",
            "That is a very happy person",
            "Today is a sunny day",
        ]
    )
    assert [cosine(first, one) for one in others] == pytest.approx([0.695, 0.943, 0.257], abs=1e-3)


@needs_weights
def test_a_text_has_the_same_vector_in_any_company() -> None:
    texts = ["Short.", "A longer text about the weather. " * 60, "Rex is a dog", "\u4eac\u90fd"]
    together = local.embed(texts * 8)
    for text, vector in zip(texts, together, strict=False):
        assert cosine(local.embed([text])[0], vector) == pytest.approx(1.0, abs=1e-5)


@needs_weights
def test_odd_texts_have_vectors_or_a_reason() -> None:
    made = asyncio.run(embed_all(LOCAL, ["", "\u200b", "x" * 100_000, "\U0001f600", "fine"]))
    assert isinstance(made[0], EmbeddingError)
    assert all(isinstance(one, bytes) and len(one) == 2 * LOCAL.dim for one in made[2:])


@needs_weights
def test_it_finds_what_is_meant(owner: Actor, openai: Any) -> None:
    say(owner, "Rex is a brown dog", "We flew to Lisbon in May", "The car needs new brakes")
    scopes.set_embedding(owner, [SCOPE], LOCAL.handle)
    run(finish)
    assert best(owner, "Which pet do they have?") == [f"{SCOPE}-0"]
    assert best(owner, "vehicle repair") == [f"{SCOPE}-2"]
    assert not openai.embeds


@needs_weights
def test_it_is_listed_where_it_is_installed(api: Api, openai: Any) -> None:
    found = {row["handle"]: row for row in api.get("/v1/models/embedding").json()}
    assert found[LOCAL.handle]["embedding_dim"] == 384
    assert found[LOCAL.handle]["embedding_endpoint"] is None


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    monkeypatch.setattr(weights, "_NEEDED", ("numpy", "no_such_package"))
    local._model.cache_clear()
    weights.folder.cache_clear()


def test_without_the_weights_it_is_said_what_to_install(
    owner: Actor, api: Api, openai: Any, absent: None
) -> None:
    answer = api.send("POST", "/v1/agents/", {"model": "letta/demo", "embedding": LOCAL.handle})
    assert answer.status_code == 400
    assert "no-such-package" in answer.json()["detail"] and "make embed" in str(answer.json())
    assert LOCAL.handle not in {row["handle"] for row in api.get("/v1/models/embedding").json()}


def test_weights_that_were_taken_away_are_a_failure_that_is_told(
    owner: Actor, openai: Any, absent: None
) -> None:
    say(owner, "Rex is a brown dog")
    scopes.set_embedding(owner, [SCOPE], LOCAL.handle)

    async def scenario(_: Any) -> None:
        await until(lambda: state() == "failed")

    run(scenario)
    assert "make embed" in scopes.get_scope(owner, SCOPE).error


def test_other_weights_than_the_known_ones_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "false_weights"
    (folder / "model").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(weights, "PACKAGE", "false_weights")
    monkeypatch.setattr(weights, "_NEEDED", ("false_weights",))
    weights.folder.cache_clear()
    with pytest.raises(Invalid, match="SHA-256"):
        weights.folder()
