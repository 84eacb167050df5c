"""/v1/agents/{id}/archival-memory, as a client sees it."""

import pytest

from memory.services import duplicates
from memory.services.archives import create_archive
from memory.services.passages import PassageDraft, insert_passages

pytestmark = pytest.mark.django_db(transaction=True)  # a search is more than one hop
NOBODY = "00000000-0000-4000-8000-000000000000"
KEYS = {
    "created_by_id", "last_updated_by_id", "created_at", "updated_at", "is_deleted",
    "organization_id", "archive_id", "source_id", "file_id", "file_name", "metadata", "tags",
    "id", "text", "embedding", "embedding_config",
}  # fmt: skip


@pytest.fixture
def archival(agent):
    return f"/v1/agents/{agent['id']}/archival-memory"


@pytest.fixture
def put(api, archival):
    def put(text, **fields):
        (made,) = api.send("POST", archival, {"text": text, **fields}).json()
        return made

    return put


def test_create_gives_a_list_of_one(put, agent):
    made = put("Rex is a dog", tags=["pets"])
    assert made.keys() == KEYS | {"resembles"}
    assert (made["text"], made["tags"]) == ("Rex is a dog", ["pets"])


def test_lists_are_oldest_first(api, archival, put):
    ids = [put(text)["id"] for text in ("one", "two", "three")]

    def listed(**query):
        return [row["id"] for row in api.get(archival, query).json()]

    assert listed() == listed(ascending="true") == ids
    assert listed(ascending="false") == listed(order="desc") == ids[::-1]
    assert listed(limit=1, after=ids[0]) == [ids[1]]
    assert listed(search="WO") == [ids[1]]
    assert api.get(archival, {"limit": "-1"}).status_code == 400


def test_a_search(api, archival, put):
    dog, city = put("Rex is a dog", tags=["pets", "rex"]), put("Lisbon is a city", tags=["places"])

    def found(**query):
        body = api.get(f"{archival}/search", query).json()
        assert body["count"] == len(body["results"])
        return [row["id"] for row in body["results"]]

    assert found(query="dogs") == [dog["id"]]
    assert set(found(query="dog city")) == {dog["id"], city["id"]}
    assert len(found(query="dog city", top_k=1)) == 1
    assert found(query="dog city", tags=["places"]) == [city["id"]]
    assert found(query="dog", tags=["pets", "x"], tag_match_mode="all") == []
    assert found(query="dog", tags=["pets", "rex"], tag_match_mode="all") == [dog["id"]]
    assert found(query="dog", end_datetime="2001-01-01") == []
    assert found(query="dog", start_datetime="2001-01-01T00:00:00Z") == [dog["id"]]
    assert found(query="") == []
    row = api.get(f"{archival}/search", {"query": "dog"}).json()["results"][0]
    assert row.keys() == {"id", "timestamp", "content", "tags"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 422),
        ({"query": "x", "tag_match_mode": "zz"}, 422),
        ({"query": "x", "start_datetime": "nope"}, 422),
        ({"query": "x", "top_k": "-1"}, 400),
        ({"query": '"'}, 200),
    ],
)
def test_searches_that_are_not_well_formed(api, archival, query, status):
    assert api.get(f"{archival}/search", query).status_code == status


def test_change_and_delete(api, archival, put):
    made = put("about dogs")
    path = f"{archival}/{made['id']}"
    assert api.send("PATCH", path).json()["text"] == "about dogs"  # the old clients send no body
    assert api.send("PATCH", path, {"text": "about cats", "tags": ["t"]}).json()["tags"] == ["t"]
    assert api.get(f"{archival}/search", {"query": "dogs"}).json()["count"] == 0
    gone = api.delete(path)
    assert gone.json() == {"message": f"Memory id={made['id']} successfully deleted"}
    again = api.delete(path)
    assert again.status_code == 404
    assert again.json()["detail"] == f"Passage with id {made['id']} not found in database."


def test_bad_texts(api, archival, put):
    assert api.send("POST", archival, {}).status_code == 422
    assert api.send("POST", archival, {"text": "x" * 40_000}).status_code == 400
    assert put("a\x00b\ud800")["text"] == "ab\ufffd"
    assert put("")["text"] == ""


def test_a_text_too_long_to_be_stored_is_not_compared_first(api, archival, monkeypatch):
    monkeypatch.setattr(duplicates, "fingerprint", lambda _text: pytest.fail("it was compared"))
    assert api.send("POST", archival, {"text": "x" * 40_000}).status_code == 400


def test_an_unknown_agent_is_404(api):
    path = f"/v1/agents/agent-{NOBODY}/archival-memory"
    assert api.get(path).status_code == 404
    assert api.send("POST", path, {"text": "x"}).status_code == 404
    assert api.get(f"{path}/search", {"query": "x"}).status_code == 404


def test_a_passage_of_another_archive_is_404(api, owner, archival):
    archive = create_archive(owner, name="elsewhere")
    rows = [PassageDraft("x")]
    (row,) = insert_passages(owner, archive_id=archive.id, rows=rows)
    assert api.delete(f"{archival}/{row.id}").status_code == 404
    assert api.send("PATCH", f"{archival}/{row.id}", {"text": "y"}).status_code == 404


def test_a_stranger_gets_404(api, put, archival, stranger, foreign_agent):
    for method, path, body in (
        ("GET", archival, None),
        ("POST", archival, {"text": "x"}),
        ("GET", f"{archival}/search?query=x", None),
        ("PATCH", f"{archival}/passage-{NOBODY}", {}),
        ("DELETE", f"{archival}/passage-{NOBODY}", None),
    ):
        assert api.send(method, path, body).status_code == 404, (method, path)


def test_a_list_costs_the_same_at_any_length(api, archival, put, django_assert_num_queries):
    put("one")
    with django_assert_num_queries(3):
        api.get(archival)
    for n in range(10):
        put(f"more {n}")
    with django_assert_num_queries(3):
        assert len(api.get(archival).json()) == 11
