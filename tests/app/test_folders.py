"""/v1/folders and /v1/sources, as a client sees them."""

import pytest

from letta_site.core.ids import new_id
from memory.models import FileChunk, Folder, SearchEntry
from memory.services.candidates import SearchQuery
from memory.services.folders import create_folder
from memory.services.search import search
from tests.app.uploading import add, files_dir, folder, originals_on_disk, upload

__all__ = ["files_dir", "folder"]
pytestmark = pytest.mark.django_db(transaction=True)
FOLDER_KEYS = {
    "id", "name", "description", "instructions", "metadata", "embedding", "embedding_config",
    "vector_db_provider", "created_at", "updated_at", "created_by_id", "last_updated_by_id",
}  # fmt: skip
ERAS = ("folders", "sources")


@pytest.fixture
def foreign_folder(stranger):
    return create_folder(stranger, name="theirs")


@pytest.mark.parametrize("era", ERAS)
def test_the_life_of_a_folder(api, era):
    body = {"name": "a/b", "instructions": "Read.", "metadata": {"x": 1}}
    made = api.send("POST", f"/v1/{era}/", body).json()
    assert made.keys() == FOLDER_KEYS and made["id"].startswith("source-")
    assert (made["instructions"], made["metadata"]) == ("Read.", {"x": 1})
    path = f"/v1/{era}/{made['id']}"
    assert api.get(path).json() == made
    changed = api.send("PATCH", path, {"name": "new", "description": None}).json()
    assert (changed["name"], changed["instructions"]) == ("new", "Read.")
    assert api.get(f"/v1/{era}/name/new").json() == made["id"]
    assert [row["id"] for row in api.get(f"/v1/{era}/").json()] == [made["id"]]
    assert api.get(f"/v1/{era}/count").json() == 1
    gone = api.send("DELETE", path)
    assert (gone.status_code, gone.json()) == (200, None)
    assert api.get(path).status_code == api.get(f"/v1/{era}/name/new").status_code == 404


def test_a_name_is_taken_once(api, folder):
    assert api.send("POST", "/v1/sources/", {"name": "docs"}).status_code == 409
    other = api.send("POST", "/v1/folders/", {"name": "other"}).json()
    path = f"/v1/folders/{other['id']}"
    assert api.send("PATCH", path, {"name": "docs"}).status_code == 409
    assert api.send("PATCH", path, {"name": "other"}).status_code == 200
    assert api.send("POST", "/v1/folders/", {"name": " "}).status_code == 400


def test_folders_by_the_page(api):
    ids = [api.send("POST", "/v1/folders/", {"name": n}).json()["id"] for n in "abc"]

    def listed(**query):
        return [row["id"] for row in api.get("/v1/folders/", query).json()]

    assert listed() == ids
    assert listed(order="desc", limit=1) == ids[2:]
    assert listed(after=ids[0], limit=1) == [ids[1]]
    assert listed(after=ids[2]) == []
    assert listed(name="b") == [ids[1]]


def test_an_embedding_model_is_kept(api):
    body = {"name": "x", "embedding": "openai/small", "embedding_chunk_size": 100}
    config = api.send("POST", "/v1/folders/", body).json()["embedding_config"]
    assert (config["handle"], config["embedding_model"]) == ("openai/small", "small")
    assert config["embedding_chunk_size"] == 100
    old = {"embedding_model": "m", "embedding_endpoint_type": "ollama", "embedding_dim": 3}
    made = api.send("POST", "/v1/sources/", {"name": "y", "embedding_config": old}).json()
    assert made["embedding_config"].items() >= old.items()
    path, change = f"/v1/sources/{made['id']}", {"embedding_config": {"handle": "openai/large"}}
    changed = api.send("PATCH", path, change).json()["embedding_config"]
    assert (changed["handle"], changed["embedding_model"]) == ("openai/large", "large")


def test_pieces_are_listed_and_found(api, owner, folder):
    text = "\n\n".join(f"Chapter {n}. " + "Some words about nothing much. " * 60 for n in range(9))
    file = add(api, folder["id"], "book.txt", text + " Rex is a dog.")
    assert file["total_chunks"] > 5
    path = f"/v1/folders/{folder['id']}/passages"
    rows = api.get(path, {"order": "asc"}).json()
    assert [row["text"][:10] for row in rows][:1] == ["Chapter 0."]
    assert len(rows) == file["total_chunks"]
    assert {row["file_name"] for row in rows} == {"docs/book.txt"}
    assert {row["source_id"] for row in rows} == {folder["id"]}
    assert api.get(path, {"after": rows[0]["id"], "order": "asc", "limit": 1}).json() == [rows[1]]
    query = SearchQuery(owner.org_id, [folder["id"]], "file", "rex dog")
    assert [hit.ref_id for hit in search(query)][:1] == [rows[-1]["id"]]


def test_deleting_a_folder_takes_its_files(api, folder, files_dir):
    add(api, folder["id"], "a.txt", "dog")
    assert api.send("DELETE", f"/v1/sources/{folder['id']}").status_code == 200
    assert not originals_on_disk(files_dir)
    assert not FileChunk.objects.exists() and not SearchEntry.objects.filter(kind="file").exists()


def test_metadata(api, folder):
    add(api, folder["id"], "a.txt", "12345")
    add(api, folder["id"], "b.txt", "123")
    api.send("POST", "/v1/folders/", {"name": "empty"})
    said = api.get("/v1/folders/metadata").json()
    assert (said["total_sources"], said["total_files"], said["total_size"]) == (2, 2, 8)
    assert [row["files"] for row in said["sources"]] == [[], []]
    path = "/v1/sources/metadata?include_detailed_per_source_metadata=true"
    first = api.get(path).json()["sources"][0]
    assert (first["source_name"], first["file_count"], first["total_size"]) == ("docs", 2, 8)
    assert [one["file_name"] for one in first["files"]] == ["docs/a.txt", "docs/b.txt"]


def test_a_stranger_sees_nothing(api, foreign_folder, folder):
    file = new_id("file")
    for path in ("", "/files", "/passages", f"/files/{file}", "/agents"):
        theirs = api.get(f"/v1/folders/{foreign_folder.id}{path}")
        assert theirs.status_code == 404, path
    path = f"/v1/folders/{foreign_folder.id}"
    assert api.send("PATCH", path, {"name": "mine"}).status_code == 404
    assert api.send("DELETE", path).status_code == 404
    assert upload(api, foreign_folder.id, "a.txt", "x").status_code == 404
    assert api.get("/v1/folders/name/theirs").status_code == 404
    assert api.get("/v1/folders/count").json() == 1
    assert Folder.objects.count() == 2


def test_the_cost_of_a_list_does_not_grow(api, folder, django_assert_max_num_queries):
    for n in range(5):
        add(api, folder["id"], f"{n}.txt", "x")
    for path in ("files", "passages"):
        for limit in (1, 5):
            with django_assert_max_num_queries(3):
                rows = api.get(f"/v1/folders/{folder['id']}/{path}", {"limit": limit}).json()
            assert len(rows) == limit
