"""/v1/archives: stores of passages that agents share, and notes that repeat another."""

import pytest

from letta_site.core.models import Organization
from memory.models import Archive, Passage, SearchEntry

NOBODY = "00000000-0000-4000-8000-000000000000"
KEYS = {
    "id", "name", "description", "vector_db_provider", "embedding_config", "metadata",
    "created_at", "updated_at", "created_by_id", "last_updated_by_id",
}  # fmt: skip


@pytest.fixture
def archive(api):
    return api.send("POST", "/v1/archives/", {"name": "Notes", "description": "Shared."}).json()


def passages(archive):
    return f"/v1/archives/{archive['id']}/passages"


def make_agent(api):
    return api.send("POST", "/v1/agents/", {"model": "letta/demo"}).json()


def attach(api, agent, archive, how="attach"):
    return api.send("PATCH", f"/v1/agents/{agent['id']}/archives/{how}/{archive['id']}")


def found(api, agent, query):
    path = f"/v1/agents/{agent['id']}/archival-memory/search"
    return [row["content"] for row in api.get(path, {"query": query}).json()["results"]]


def test_life_of_an_archive(api, archive):
    assert KEYS <= archive.keys()
    path = f"/v1/archives/{archive['id']}"
    assert api.get(path).json() == archive
    changed = api.send("PATCH", path, {"name": "Logbook", "description": None}).json()
    assert (changed["name"], changed["description"]) == ("Logbook", "Shared.")
    api.send("POST", passages(archive), {"text": "Rex is a dog."})
    gone = api.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.get(path).status_code == api.delete(path).status_code == 404
    assert not Passage.objects.exists() and not SearchEntry.objects.exists()


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "n" * 201}, {"name": 7}])
def test_bad_archives(api, archive, body):
    assert api.send("POST", "/v1/archives/", body).status_code == 422
    if body:
        assert api.send("PATCH", f"/v1/archives/{archive['id']}", body).status_code == 422


def test_lists_page_newest_first(api, agent):
    ids = [api.send("POST", "/v1/archives/", {"name": n}).json()["id"] for n in ("a", "b", "c")]

    def listed(**query):
        return [row["id"] for row in api.get("/v1/archives/", query).json()]

    assert listed() == ids[::-1]
    assert listed(order="asc", limit=1, after=ids[0]) == [ids[1]]
    assert listed(before=ids[1]) == [ids[2]]
    assert listed(name="b") == [ids[1]]
    attach(api, agent, {"id": ids[0]})
    assert listed(agent_id=agent["id"]) == [ids[0]]
    assert api.get("/v1/archives/", {"after": f"archive-{NOBODY}"}).status_code == 404


def test_lists_cost_the_same_at_any_length(api, archive, django_assert_num_queries):
    for path, body in (("/v1/archives/", {"name": "x"}), (passages(archive), {"text": "x"})):
        with django_assert_num_queries(2 if "passages" in path else 1):
            api.get(path)
        for _ in range(3):
            api.send("POST", path, body)
        with django_assert_num_queries(2 if "passages" in path else 1):
            api.get(path)


def test_passages_of_an_archive(api, archive):
    made = api.send(
        "POST",
        passages(archive),
        {"text": "Rex", "tags": ["pets"], "metadata": {"n": 1}, "created_at": "2024-03-01"},
    ).json()
    assert (made["text"], made["tags"], made["metadata"]) == ("Rex", ["pets"], {"n": 1})
    assert (made["archive_id"], made["created_at"][:10]) == (archive["id"], "2024-03-01")
    path = f"{passages(archive)}/{made['id']}"
    assert api.get(path).json()["text"] == "Rex"
    changed = api.send("PATCH", path, {"text": "Rex barks", "tags": ["dogs"]}).json()
    assert (changed["text"], changed["tags"], changed["metadata"]) == (
        "Rex barks",
        ["dogs"],
        {"n": 1},
    )
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == api.get(path).status_code == 404


def test_a_passage_is_found_in_its_own_archive_only(api, archive):
    made = api.send("POST", passages(archive), {"text": "Rex"}).json()
    other = api.send("POST", "/v1/archives/", {"name": "Other"}).json()
    path = f"{passages(other)}/{made['id']}"
    assert api.get(path).status_code == api.delete(path).status_code == 404
    assert api.send("PATCH", path, {"text": "x"}).status_code == 404
    assert Passage.objects.get().text == "Rex"


def test_a_batch_is_stored_whole_or_not_at_all(api, archive):
    batch = f"{passages(archive)}/batch"
    made = api.send("POST", batch, {"passages": [{"text": "a"}, {"text": "b", "tags": ["t"]}]})
    assert [(one["text"], one["tags"]) for one in made.json()] == [("a", []), ("b", ["t"])]
    bad = {"passages": [{"text": "c"}, {"text": "x" * 40_000}]}
    assert api.send("POST", batch, bad).status_code == 400
    assert api.send("POST", batch, {"passages": [{"text": "x"}] * 1001}).status_code == 422
    assert Passage.objects.count() == 2 == SearchEntry.objects.count()
    assert api.send("POST", batch, {"passages": []}).json() == []


def test_lists_filter_before_they_limit(api, archive):
    rows = [
        {"text": f"note {n}", "tags": tags, "created_at": f"2024-03-0{n}T12:00:00Z"}
        for n, tags in ((1, ["a"]), (2, ["a", "b"]), (3, ["b"]), (4, []))
    ]
    api.send("POST", f"{passages(archive)}/batch", {"passages": rows})

    def listed(**query):
        return [row["text"][-1] for row in api.get(passages(archive), query).json()]

    assert listed() == ["1", "2", "3", "4"]
    assert listed(tags=["a", "b"]) == ["1", "2", "3"]
    assert listed(tags=["a", "b"], tag_match_mode="all") == ["2"]
    assert listed(tags=["b"], order="desc", limit=1) == ["3"]
    assert listed(start_datetime="2024-03-02", end_datetime="2024-03-03T23:00:00Z") == ["2", "3"]
    assert listed(search="NOTE 4") == ["4"]


def test_agents_share_an_archive(api, archive, owner):
    one, two = make_agent(api), make_agent(api)
    assert attach(api, one, archive).json() is None
    assert attach(api, two, archive).json() is attach(api, two, archive).json() is None
    users = api.get(f"/v1/archives/{archive['id']}/agents").json()
    assert [row["id"] for row in users] == [two["id"], one["id"]]
    api.send("POST", f"/v1/agents/{one['id']}/archival-memory", {"text": "The gate code is 12."})
    assert found(api, two, "gate code") == ["The gate code is 12."]
    assert Passage.objects.get().archive_id == archive["id"] and Archive.objects.count() == 1
    assert attach(api, two, archive, "detach").json() is None
    assert found(api, two, "gate code") == []
    assert attach(api, two, archive, "detach").status_code == 404
    api.delete(f"/v1/agents/{one['id']}")
    assert Passage.objects.count() == 1  # the archive was not the agent's own


def test_an_agent_writes_to_its_own_archive_and_searches_all(api, archive):
    agent = make_agent(api)
    mine = api.send("POST", f"/v1/agents/{agent['id']}/archival-memory", {"text": "Tea is green."})
    attach(api, agent, archive)
    api.send("POST", passages(archive), {"text": "Coffee is black."})
    again = api.send(
        "POST", f"/v1/agents/{agent['id']}/archival-memory", {"text": "Milk is white."}
    )
    assert again.json()[0]["archive_id"] == mine.json()[0]["archive_id"] != archive["id"]
    assert set(found(api, agent, "green black white")) == {
        "Tea is green.", "Coffee is black.", "Milk is white.",
    }  # fmt: skip


def test_a_passage_that_repeats_another_is_stored_and_reported(api, archive):
    first = api.send("POST", passages(archive), {"text": "Ada likes green tea at noon."}).json()
    assert first["resembles"] is None
    same = api.send("POST", passages(archive), {"text": "ada likes GREEN tea, at noon"}).json()
    assert same["resembles"] == {
        "passage_id": first["id"], "degree": 1.0, "text": "Ada likes green tea at noon.",
    }  # fmt: skip
    near = api.send("POST", passages(archive), {"text": "Ada likes green teas at noon."}).json()
    assert 0.8 <= near["resembles"]["degree"] < 1
    assert near["resembles"]["passage_id"] in (first["id"], same["id"])
    other = api.send("POST", passages(archive), {"text": "Ada moved to Oslo."}).json()
    assert other["resembles"] is None
    assert Passage.objects.count() == 4


def test_within_a_batch_and_across_an_agents_archives(api, archive):
    texts = [{"text": "One two three."}, {"text": "one two THREE"}, {"text": "Else."}]
    first, second, third = api.send(
        "POST", f"{passages(archive)}/batch", {"passages": texts}
    ).json()
    assert second["resembles"]["passage_id"] == first["id"]
    assert first["resembles"] is third["resembles"] is None
    agent = make_agent(api)
    path = f"/v1/agents/{agent['id']}/archival-memory"
    api.send("POST", path, {"text": "Mine."})
    attach(api, agent, archive)
    (made,) = api.send("POST", path, {"text": "ELSE"}).json()
    assert made["resembles"]["passage_id"] == third["id"]


def test_a_stranger_gets_404_everywhere(api, archive, agent):
    made = api.send("POST", passages(archive), {"text": "Rex"}).json()
    elsewhere = Organization.objects.create(name="elsewhere")
    Archive.objects.update(org=elsewhere)
    Passage.objects.update(org=elsewhere)
    path = f"/v1/archives/{archive['id']}"
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("GET", f"{path}/agents", None),
        ("GET", f"{path}/passages", None),
        ("POST", f"{path}/passages", {"text": "x"}),
        ("POST", f"{path}/passages/batch", {"passages": [{"text": "x"}]}),
        ("PATCH", f"{path}/passages/{made['id']}", {"text": "x"}),
        ("DELETE", f"{path}/passages/{made['id']}", None),
        ("PATCH", f"/v1/agents/{agent['id']}/archives/attach/{archive['id']}", None),
        ("PATCH", f"/v1/agents/{agent['id']}/archives/detach/{archive['id']}", None),
    ):
        assert api.send(method, where, body).status_code == 404, (method, where)
    assert api.get("/v1/archives/").json() == []
    assert api.get("/v1/archives/archive-1").status_code == 422
