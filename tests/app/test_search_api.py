"""/v1/messages/search, /v1/agents/messages/search, /v1/passages/search, as a client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Conversation
from letta_site.core.types import Actor
from memory.models import Archive
from memory.services.archives import create_archive
from memory.services.passages import PassageDraft, insert_passages
from tests.app.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)

ALL, RAW, PASSAGES = "/v1/messages/search", "/v1/agents/messages/search", "/v1/passages/search"
NOBODY = "00000000-0000-4000-8000-000000000000"
DAY = "2024-03-{:02d}T10:00:00Z"
CALL = {"id": "call_1", "name": "weather_report", "arguments": '{"cityname": "Oslo"}'}
PAST = [
    {"role": "user", "content": "Where did we moor the boat?", "created_at": DAY.format(1)},
    {"role": "assistant", "content": "In Bergen, behind the mole.", "created_at": DAY.format(1)},
    {"role": "user", "content": "My sister plays the oboe.", "created_at": DAY.format(5)},
    {"role": "assistant", "content": "", "tool_calls": [CALL], "created_at": DAY.format(6)},
    {
        "role": "tool",
        "content": '{"temperature_celsius": 4}',
        "tool_call_id": "call_1",
        "created_at": DAY.format(6),
    },
    {"role": "assistant", "content": "Four degrees.", "created_at": DAY.format(6)},
]


def insert(api: Api, agent: Any, messages: list[Any], **fields: Any) -> list[str]:
    path = f"/v1/agents/{agent['id']}/messages/insert"
    answer = api.send("POST", path, {"messages": messages, **fields})
    assert answer.status_code == 200, answer.content
    ids: list[str] = answer.json()["message_ids"]
    return ids


@pytest.fixture
def ids(api: Api, agent: Any) -> list[str]:
    return insert(api, agent, PAST)


def ask(api: Api, path: str, body: Any) -> Any:
    answer = api.send("POST", path, body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def found(api: Api, **body: Any) -> list[str]:
    return [one["message_id"] for one in ask(api, ALL, body)]


def test_a_message_is_shown_with_where_it_is_from(api: Api, agent: Any, ids: list[str]) -> None:
    (first, *_) = ask(api, ALL, {"query": "sister oboe"})
    default = Conversation.objects.get(agent_id=agent["id"]).id
    assert first == {
        "message_type": "user_message",
        "content": "My sister plays the oboe.",
        "message_id": ids[2],
        "agent_id": agent["id"],
        "conversation_id": default,
        "created_at": "2024-03-05T10:00:00.000000Z",
    }
    assert ask(api, ALL, {"query": "Bergen"})[0]["message_type"] == "assistant_message"


def test_older_clients_get_the_stored_message_with_ranks(api: Api, ids: list[str]) -> None:
    (first, *_) = ask(api, RAW, {"query": "oboe", "search_mode": "fts"})
    assert set(first) == {"embedded_text", "message", "fts_rank", "vector_rank", "rrf_score", "why"}
    assert (first["message"]["id"], first["embedded_text"]) == (ids[2], PAST[2]["content"])
    assert (first["fts_rank"], first["vector_rank"]) == (1, None)
    assert first["rrf_score"] > 0 and first["why"]["own"] > 0


def test_filters_hold_before_the_limit(api: Api, agent: Any, ids: list[str]) -> None:
    for n in range(30):
        insert(api, agent, [{"role": "user", "content": f"Oboe, oboe! {n}"}])
    assert found(api, query="oboe", end_date=DAY.format(7), limit=1) == [ids[2]]
    assert found(api, query="boat Bergen", start_date=DAY.format(8), limit=1) == []
    only = {"query": "boat moored", "roles": ["assistant"], "limit": 1}
    assert [one["message"]["id"] for one in ask(api, RAW, only)] == [ids[1]]
    assert ask(api, RAW, {"query": "oboe", "roles": ["tool"]}) == []


def test_one_agent_or_all(api: Api, agent: Any, ids: list[str]) -> None:
    other = api.send("POST", "/v1/agents/", {"model": "letta/demo"}).json()
    (there,) = insert(api, other, [{"role": "user", "content": "An oboe again."}])
    assert set(found(api, query="oboe")) == {ids[2], there}
    assert found(api, query="oboe", agent_id=other["id"]) == [there]


def test_one_conversation(api: Api, agent: Any, ids: list[str]) -> None:
    made = api.send("POST", f"/v1/conversations/?agent_id={agent['id']}", {}).json()
    past = [{"role": "user", "content": "The oboe is broken."}]
    (there,) = insert(api, agent, past, conversation_id=made["id"])
    assert found(api, query="oboe", conversation_id=made["id"]) == [there]
    default = Conversation.objects.get(agent_id=agent["id"], is_default=True).id
    assert found(api, query="oboe", conversation_id=default) == [ids[2]]
    by_name = {"conversation_id": "default", "agent_id": agent["id"]}
    assert found(api, query="oboe", **by_name) == [ids[2]]


def test_agents_of_a_project(api: Api, agent: Any, ids: list[str]) -> None:
    assert ask(api, RAW, {"query": "oboe", "project_id": "none"}) == []
    assert ask(api, RAW, {"query": "oboe", "template_id": "none"}) == []


def test_tool_traffic_is_not_found_by_the_names_of_its_keys(api: Api, ids: list[str]) -> None:
    for key in ("cityname", "temperature_celsius", "celsius", "arguments", "tool_call_id"):
        assert found(api, query=key) == []


def test_no_query_gives_the_newest(api: Api, ids: list[str]) -> None:
    assert [one["message"]["id"] for one in ask(api, RAW, {"limit": 2})] == [ids[5], ids[2]]
    assert found(api, query=" ", limit=1) == [ids[5]]


@pytest.mark.parametrize("path", [ALL, RAW])
@pytest.mark.parametrize(
    "change",
    [
        {"limit": 0},
        {"limit": 101},
        {"search_mode": "magic"},
        {"start_date": "soon"},
        {"query": 7},
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, path: str, change: Any) -> None:
    assert api.send("POST", path, {"query": "x", **change}).status_code == 422


def test_the_query_is_required_of_new_clients(api: Api) -> None:
    assert api.send("POST", ALL, {}).status_code == 422


@pytest.mark.parametrize("limit", [1, 100])
def test_limits_at_the_edge(api: Api, ids: list[str], limit: int) -> None:
    assert 1 <= len(found(api, query="boat oboe Bergen", limit=limit)) <= limit


@pytest.mark.parametrize("path", [ALL, RAW])
def test_nearness_alone_says_what_is_missing(api: Api, ids: list[str], path: str) -> None:
    answer = api.send("POST", path, {"query": "oboe", "search_mode": "vector"})
    assert answer.status_code == 400
    assert "embedding" in answer.json()["what"]


def test_what_is_of_another_organization_is_not_there(
    api: Api, foreign_agent: Any, stranger: Actor
) -> None:
    talk = Conversation.objects.get(agent_id=foreign_agent["id"])
    Conversation.objects.update(org_id=stranger.org_id)
    for path in (ALL, RAW, PASSAGES):
        body = {"query": "x", "agent_id": foreign_agent["id"]}
        assert api.send("POST", path, body).status_code == 404
    for path in (ALL, RAW):
        body = {"query": "x", "conversation_id": talk.id}
        assert api.send("POST", path, body).status_code == 404


def test_an_unknown_agent_is_404(api: Api) -> None:
    body = {"query": "x", "agent_id": f"agent-{NOBODY}"}
    assert api.send("POST", ALL, body).status_code == 404


# --- passages ----------------------------------------------------------------------------------


@pytest.fixture
def archive(owner: Actor) -> Archive:
    made = create_archive(owner, name="notes")
    rows = [
        PassageDraft("The crane is yellow.", tags=["site", "north"]),
        PassageDraft("The crane is rented until May.", tags=["site"]),
        PassageDraft("Wendy runs the office.", tags=["people"]),
    ]
    insert_passages(owner, archive_id=made.id, rows=rows)
    return made


def texts(api: Api, **body: Any) -> list[str]:
    return [one["passage"]["text"] for one in ask(api, PASSAGES, body)]


def test_passages_come_with_a_score_and_its_reasons(api: Api, archive: Archive) -> None:
    (first, second) = ask(api, PASSAGES, {"query": "yellow crane"})
    assert set(first) == {"passage", "score", "metadata"}
    assert first["passage"]["archive_id"] == archive.id
    assert first["score"] > second["score"] > 0
    assert first["metadata"]["lexical_rank"] == 1 and first["metadata"]["own"] > 0


def test_passages_by_tags_and_dates(api: Api, archive: Archive) -> None:
    yellow, rented, wendy = (
        "The crane is yellow.",
        "The crane is rented until May.",
        "Wendy runs the office.",
    )
    assert texts(api, query="crane", tags=["north", "people"]) == [yellow]
    assert set(texts(api, query="crane", tags=["site", "north"])) == {yellow, rented}
    assert texts(api, query="crane", tags=["site", "north"], tag_match_mode="all") == [yellow]
    assert texts(api, query="crane", end_date="2020-01-01T00:00:00Z") == []
    assert len(texts(api, query="crane", start_date="2020-01-01T00:00:00Z")) == 2
    assert texts(api, query="office", archive_id=archive.id, limit=1) == [wendy]
    assert len(texts(api)) == 3


def test_passages_of_an_agent(api: Api, agent: Any, archive: Archive) -> None:
    assert texts(api, query="crane", agent_id=agent["id"]) == []
    path = f"/v1/agents/{agent['id']}/archival-memory"
    api.send("POST", path, {"text": "A crane of her own"})
    assert texts(api, query="crane", agent_id=agent["id"]) == ["A crane of her own"]
    both = {"agent_id": agent["id"], "archive_id": archive.id}
    assert texts(api, query="crane", **both) == []


@pytest.mark.parametrize("change", [{"limit": 0}, {"limit": 101}, {"tag_match_mode": "some"}])
def test_passage_searches_that_make_no_sense(api: Api, change: Any) -> None:
    assert api.send("POST", PASSAGES, {"query": "x", **change}).status_code == 422


def test_an_archive_of_another_organization_is_404(api: Api, stranger: Actor) -> None:
    theirs = create_archive(stranger, name="theirs")
    insert_passages(stranger, archive_id=theirs.id, rows=[PassageDraft("A secret crane")])
    body = {"query": "crane", "archive_id": theirs.id}
    assert api.send("POST", PASSAGES, body).status_code == 404
    assert texts(api, query="crane") == []
