"""What is stored gets its vector afterwards, whatever the embedder goes through meanwhile."""

from __future__ import annotations

import asyncio
import base64
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from letta_site.core import offers
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from letta_site.core.errors import Invalid
from letta_site.core.types import Actor
from memory.embeddings import catalog, endpoint
from memory.models import EmbeddingScope, SearchEntry, Vector
from memory.runtime import queries
from memory.runtime.embedder import Embedder
from memory.runtime.queries import embed_query
from memory.services import embedding_scopes as scopes
from memory.services.candidates import SearchQuery
from memory.services.search import Entry, drop, index
from memory.services.vectors import cosines
from memory.vectors import matrices
from tests.fakes.openai_replies import Failure, Json, Raw, error_body, rate_limited
from tests.fakes.openai_server import EMBEDDING_SIZES, FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)
SMALL, LARGE = "openai/text-embedding-3-small", "openai/text-embedding-3-large"
SCOPE = "agent-e"
DOWN = Failure(500, error_body("The server had an error."))


@pytest.fixture
def openai(settings: Any, fake_openai: FakeOpenAI) -> FakeOpenAI:
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    settings.LLM_TRIES = 1  # the SDK's own tries are the SDK's to test
    offers.forget_lists()
    queries.forget_queries()
    matrices.forget_matrices()
    catalog.forget_dims()
    return fake_openai


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "FIRST_WAIT_S", 0.05)


def say(owner: Actor, *texts: str, scope: str = SCOPE, first: int = 0) -> None:
    index(
        Entry(owner.org_id, "message", f"{scope}-{n}", scope, text, now(), "user", n)
        for n, text in enumerate(texts, start=first)
    )


def run(scenario: Callable[[Embedder], Coroutine[Any, Any, Any]], *, started: bool = True) -> Any:
    """Carry out a scenario beside a working embedder, which is stopped at its end."""

    async def whole() -> Any:
        embedder = Embedder()
        if started:
            await embedder.start()
        try:
            return await scenario(embedder)
        finally:
            await embedder.stop()

    return asyncio.run(asyncio.wait_for(whole(), 20))


async def until(holds: Callable[[], bool]) -> None:
    while not await in_db(holds):
        await asyncio.sleep(0.02)


def state(scope: str = SCOPE) -> str:
    row = EmbeddingScope.objects.filter(pk=scope).first()
    return row.state if row else ""


def is_done(scope: str = SCOPE) -> bool:
    texts = SearchEntry.objects.filter(scope_id=scope).count()
    row = EmbeddingScope.objects.get(pk=scope)
    made = Vector.objects.filter(scope_id=scope, model=row.model).count()
    return texts == made and row.state == "done"


async def finish(_embedder: Embedder | None = None) -> None:
    await until(is_done)


def best(owner: Actor, text: str, limit: int = 1) -> list[str]:
    """Ask as a search does: the vector first, then the comparison."""

    async def asked() -> list[str]:
        made = await embed_query(owner.org_id, [SCOPE], text)
        query = SearchQuery(owner.org_id, (SCOPE,), "message", text)
        found: dict[str, float] = {}
        for model, vector in made.by_model.items():
            found |= await in_db(cosines, query, vector, model, limit)
        return list(found)

    return asyncio.run(asked())


def test_what_was_there_and_what_comes_is_embedded(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, "Rex is a brown dog", "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)

    async def scenario(_: Embedder) -> None:
        await finish()
        await in_db(say, owner, "The car needs new brakes", first=2)
        await until(lambda: EmbeddingScope.objects.get().done == 3)

    run(scenario)
    assert best(owner, "Lisbon May") == [f"{SCOPE}-1"]
    assert best(owner, "new car brakes") == [f"{SCOPE}-2"]
    row = scopes.get_scope(owner, SCOPE)
    assert (row.total, row.done, row.dim, row.error) == (3, 3, 1536, "")
    assert {vector.dim for vector in Vector.objects.all()} == {1536}
    assert catalog.dim_of(owner.org_id, SMALL) == 1536


def test_nothing_is_asked_for_a_scope_without_a_model(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, "Nobody embeds this")

    async def scenario(_: Embedder) -> None:
        await in_db(say, owner, "Nor this", first=1)
        await asyncio.sleep(0.2)

    run(scenario)
    assert not openai.embeds and not Vector.objects.exists()
    assert best(owner, "this") == []


def test_many_texts_go_in_batches(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, *(f"Text number {n}" for n in range(80)))
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    assert [len(body["input"]) for body in openai.embeds] == [32, 32, 16]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Failure(401, error_body("Incorrect API key.", code="invalid_api_key")), "refuses the key"),
        (DOWN, "failed (500)"),
        (rate_limited(0), "failed (429)"),
        (Raw(b"<html>Bad gateway</html>"), "no usable answer"),
        (Raw(b'{"data": []}'), "0 vectors for"),
        (Raw(b"", hang_up=True), "cannot be reached"),
        (lambda body: {**body, "data": [_nan(row) for row in body["data"]]}, "not finite"),
        (lambda body: {**body, "data": [_cut(body["data"][0]), *body["data"][1:]]}, "lengths"),
    ],
)
def test_a_failure_is_told_and_tried_again(
    owner: Actor, openai: FakeOpenAI, fault: Any, told: str
) -> None:
    say(owner, "Rex is a brown dog", "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    openai.embed_with(lambda _: fault)

    async def scenario(_: Embedder) -> EmbeddingScope:
        await until(lambda: state() == "failed")
        failed = await in_db(scopes.get_scope, owner, SCOPE)
        openai.embed_with(lambda _: None)
        await finish()
        return failed

    failed = run(scenario)
    assert told in failed.error and failed.failures >= 1 and failed.retry_at is not None
    assert scopes.get_scope(owner, SCOPE).error == ""
    assert best(owner, "brown dog") == [f"{SCOPE}-0"]


def _nan(row: Json) -> Json:
    return {**row, "embedding": [float("nan")] * 4}


def _cut(row: Json) -> Json:
    return {**row, "embedding": base64.b64encode(struct.pack("<3f", 1, 2, 3)).decode()}


def test_a_server_that_sends_numbers_instead_of_base64(owner: Actor, openai: FakeOpenAI) -> None:
    def numbers(body: Json) -> Json:
        rows = [{**row, "embedding": _floats(row["embedding"])} for row in body["data"]]
        return {**body, "data": rows[::-1]}  # and in another order

    openai.embed_with(lambda _: numbers)
    say(owner, "Rex is a brown dog", "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    assert best(owner, "brown dog") == [f"{SCOPE}-0"]


def _floats(text: str) -> list[float]:
    data = base64.b64decode(text)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def test_a_text_the_model_refuses_keeps_no_other_from_its_vector(
    owner: Actor, openai: FakeOpenAI
) -> None:
    def picky(body: Json) -> Any:
        bad = any("forbidden" in text for text in body["input"])
        return Failure(400, error_body("This input is not allowed.")) if bad else None

    openai.embed_with(picky)
    say(owner, "Rex is a brown dog", "a forbidden word", "   ", "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    row = scopes.get_scope(owner, SCOPE)
    assert (row.total, row.done, row.skipped, row.state) == (4, 2, 2, "done")
    refusals = Vector.objects.exclude(refusal="").order_by("pk").values_list("refusal", flat=True)
    assert any("not allowed" in one for one in refusals)
    assert best(owner, "Lisbon", 9) == [f"{SCOPE}-3", f"{SCOPE}-0"]
    openai.embed_with(lambda _: None)
    scopes.retry(owner, SCOPE)
    run(finish)
    assert scopes.get_scope(owner, SCOPE).done == 3


def test_a_server_that_refuses_everything_is_a_failure_not_a_matter_of_texts(
    owner: Actor, openai: FakeOpenAI
) -> None:
    openai.embed_with(lambda _: Failure(400, error_body("Not today.")))
    say(owner, "Rex is a brown dog", "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)

    async def scenario(_: Embedder) -> None:
        await until(lambda: state() == "failed")

    run(scenario)
    assert "Not today" in scopes.get_scope(owner, SCOPE).error
    assert not Vector.objects.exists()


def test_a_server_that_does_not_know_base64(owner: Actor, openai: FakeOpenAI) -> None:
    endpoint._plain.clear()
    refusal = Failure(400, error_body("Unknown argument: encoding_format"))
    openai.embed_with(lambda body: refusal if "encoding_format" in body else None)
    say(owner, "Rex is a brown dog")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    assert best(owner, "dog") == [f"{SCOPE}-0"]
    assert [("encoding_format" in body) for body in openai.embeds] == [True, False, False]
    endpoint._plain.clear()


def test_a_text_that_is_too_long_is_cut(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, "a " * 20_000)
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    assert scopes.get_scope(owner, SCOPE).skipped == 0


def test_an_embedder_that_was_stopped_goes_on_where_it_was(
    owner: Actor, openai: FakeOpenAI
) -> None:
    say(owner, *(f"Text number {n}" for n in range(70)))
    scopes.set_embedding(owner, [SCOPE], SMALL)
    openai.break_embeddings(None)
    openai.embed_with(lambda _: Raw(b"", hold_s=1.0))

    async def stopped(_: Embedder) -> None:
        await until(lambda: Vector.objects.count() == 32)

    run(stopped)
    openai.embed_with(lambda _: None)
    asked = len(openai.embeds)
    run(finish)
    again = [text for body in openai.embeds[asked:] for text in body["input"]]
    assert len(again) == 38 and Vector.objects.count() == 70


def test_another_model_takes_over_when_it_is_through(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, *(f"Text number {n}" for n in range(40)), "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    scopes.set_embedding(owner, [SCOPE], LARGE)
    openai.embed_with(lambda body: DOWN if "large" in body["model"] else None)

    async def half(_: Embedder) -> None:
        await until(lambda: state() == "failed")

    run(half)
    row = scopes.get_scope(owner, SCOPE)
    assert (row.model, row.searched_model) == (LARGE, SMALL)
    assert best(owner, "Lisbon May") == [f"{SCOPE}-40"]  # with the vectors there are
    openai.embed_with(lambda _: None)
    run(finish)
    row = scopes.get_scope(owner, SCOPE)
    assert (row.searched_model, row.dim, row.done) == (LARGE, EMBEDDING_SIZES[LARGE[7:]], 41)
    assert set(Vector.objects.values_list("model", flat=True)) == {LARGE}
    assert best(owner, "Lisbon May") == [f"{SCOPE}-40"]


def test_no_model_any_more_means_no_vectors(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, "Rex is a brown dog")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    scopes.set_embedding(owner, [SCOPE], None)
    assert not Vector.objects.exists() and best(owner, "dog") == []


def test_what_is_deleted_while_it_is_embedded_leaves_nothing(
    owner: Actor, openai: FakeOpenAI
) -> None:
    say(owner, "Rex is a brown dog", "We flew to Lisbon in May")
    scopes.set_embedding(owner, [SCOPE], SMALL)

    def late(_: Json) -> Any:
        def answer(body: Json) -> Json:
            dropped.wait(10)
            return body

        asked.set()
        return answer

    asked, dropped = threading.Event(), threading.Event()
    openai.embed_with(late)

    async def scenario(_: Embedder) -> None:
        await asyncio.to_thread(asked.wait, 10)
        await in_db(drop, [f"{SCOPE}-0"])
        dropped.set()
        await finish()

    run(scenario)
    assert [row.entry.ref_id for row in Vector.objects.all()] == [f"{SCOPE}-1"]


def test_a_model_that_is_down_holds_no_other_up(
    owner: Actor, openai: FakeOpenAI, settings: Any
) -> None:
    say(owner, "Rex is a brown dog")
    say(owner, "The same elsewhere", scope="archive-e")
    openai.embed_with(lambda body: Raw(hold_s=3) if "large" in body["model"] else None)
    scopes.set_embedding(owner, ["archive-e"], LARGE)
    scopes.set_embedding(owner, [SCOPE], SMALL)
    run(finish)
    assert state("archive-e") == "waiting"


def test_a_large_scope_lets_others_have_their_turn(
    owner: Actor, openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.runtime.embedder.TURN_TEXTS", 32)
    say(owner, *(f"Text number {n}" for n in range(100)))
    say(owner, "A small scope", scope="agent-small")
    scopes.set_embedding(owner, [SCOPE], SMALL)
    scopes.set_embedding(owner, ["agent-small"], SMALL)
    run(finish)
    turns = [body["input"][0] for body in openai.embeds]
    assert turns.index("A small scope") <= 1 and len(turns) == 5


def test_a_query_whose_model_is_down_goes_by_words(
    owner: Actor, openai: FakeOpenAI, settings: Any
) -> None:
    scopes.set_embedding(owner, [SCOPE], SMALL)
    settings.QUERY_EMBEDDING_TIMEOUT_S = 0.2
    for fault in (DOWN, Raw(hold_s=2), Raw(b"{}")):
        openai.embed_with(lambda _, fault=fault: fault)
        made = asyncio.run(embed_query(owner.org_id, [SCOPE], "Lisbon"))
        assert made.by_model == {} and SMALL in made.failure


def test_a_query_is_embedded_once(owner: Actor, openai: FakeOpenAI) -> None:
    scopes.set_embedding(owner, [SCOPE], SMALL)
    first = asyncio.run(embed_query(owner.org_id, [SCOPE], "Lisbon"))
    assert asyncio.run(embed_query(owner.org_id, [SCOPE], "Lisbon")) == first
    assert list(first.by_model) == [SMALL] and len(openai.embeds) == 1


def test_a_provider_that_is_gone_is_told(owner: Actor, openai: FakeOpenAI) -> None:
    say(owner, "Rex is a brown dog")
    scopes.set_embedding(owner, [SCOPE], "elsewhere/model")

    async def scenario(_: Embedder) -> None:
        await until(lambda: state() == "failed")

    run(scenario)
    assert "No provider" in scopes.get_scope(owner, SCOPE).error
    made = asyncio.run(embed_query(owner.org_id, [SCOPE], "dog"))
    assert "No provider" in made.failure


@pytest.mark.parametrize("handle", ["openai/nope", "nope/x", "letta/nope", "openai/"])
def test_an_unknown_handle_is_refused_with_the_known_ones(
    owner: Actor, openai: FakeOpenAI, handle: str
) -> None:
    with pytest.raises(Invalid) as caught:
        catalog.resolve(owner.org_id, handle)
    assert f"Embedding model {handle} not found" in caught.value.what
    assert SMALL in caught.value.what and "gpt" not in caught.value.what


def test_a_model_of_a_provider_that_cannot_be_asked_is_taken_at_its_word(
    owner: Actor, settings: Any
) -> None:
    offers.forget_lists()
    settings.PROVIDER_VARIABLES = {"OLLAMA_BASE_URL": "http://127.0.0.1:9"}
    model = catalog.resolve(owner.org_id, "ollama/nomic-embed-text")
    assert (model.name, model.dim) == ("nomic-embed-text", 0)
    assert catalog.resolve(owner.org_id, SMALL).dim == 1536
