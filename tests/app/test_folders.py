"""/v1/folders and /v1/sources, as a client sees them."""

from pathlib import Path

import pytest
from django.conf import settings

from letta_site.core.ids import new_id
from memory.models import File, FileChunk, FileText, Folder, SearchEntry
from memory.services import ingest, originals
from memory.services.folders import create_folder
from memory.services.search import SearchQuery, search
from tests.app.uploading import add, read_all, upload

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER_KEYS = {
    "id", "name", "description", "instructions", "metadata", "embedding", "embedding_config",
    "vector_db_provider", "created_at", "updated_at", "created_by_id", "last_updated_by_id",
}  # fmt: skip
FILE_KEYS = {
    "id", "source_id", "folder_id", "file_name", "original_file_name", "file_path", "file_type",
    "file_size", "file_creation_date", "file_last_modified_date", "processing_status",
    "error_message", "total_chunks", "chunks_embedded", "content", "created_at", "updated_at",
    "is_deleted", "organization_id", "sha256",
}  # fmt: skip
ERAS = ("folders", "sources")


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"
    settings.FILES_DIR.mkdir()


@pytest.fixture
def folder(api):
    made = api.send("POST", "/v1/folders/", {"name": "notes", "description": "My notes"})
    assert made.status_code == 200, made.content
    return made.json()


@pytest.fixture
def foreign_folder(stranger):
    return create_folder(stranger, name="theirs")


def originals_on_disk():
    return sorted(path.name for path in Path(settings.FILES_DIR).iterdir())


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
    assert api.send("POST", "/v1/sources/", {"name": "notes"}).status_code == 409
    other = api.send("POST", "/v1/folders/", {"name": "other"}).json()
    path = f"/v1/folders/{other['id']}"
    assert api.send("PATCH", path, {"name": "notes"}).status_code == 409
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


def test_an_upload_is_answered_before_it_is_read(api, folder):
    answer = upload(api, folder["id"], "a.md", "# Title\n\nThe crane is yellow.\n").json()
    assert answer.keys() == FILE_KEYS and answer["id"].startswith("file-")
    assert (answer["file_name"], answer["original_file_name"]) == ("notes/a.md", "a.md")
    assert (answer["processing_status"], answer["file_size"]) == ("parsing", 30)
    assert answer["file_type"] == "text/markdown"
    assert read_all() == 1
    path = f"/v1/folders/{folder['id']}/files/{answer['id']}"
    done = api.get(path).json()
    assert (done["processing_status"], done["content"]) == ("completed", None)
    assert (done["total_chunks"], done["chunks_embedded"]) == (1, 1)
    content = api.get(path, {"include_content": "true"}).json()["content"]
    assert content == "# Title\n\nThe crane is yellow.\n"


def test_pieces_are_listed_and_found(api, owner, folder):
    text = "\n\n".join(f"Chapter {n}. " + "Some words about nothing much. " * 60 for n in range(9))
    file = add(api, folder["id"], "book.txt", text + " Rex is a dog.")
    assert file["total_chunks"] > 5
    path = f"/v1/folders/{folder['id']}/passages"
    rows = api.get(path, {"order": "asc"}).json()
    assert [row["text"][:10] for row in rows][:1] == ["Chapter 0."]
    assert len(rows) == file["total_chunks"]
    assert {row["file_name"] for row in rows} == {"notes/book.txt"}
    assert {row["source_id"] for row in rows} == {folder["id"]}
    assert api.get(path, {"after": rows[0]["id"], "order": "asc", "limit": 1}).json() == [rows[1]]
    query = SearchQuery(owner.org_id, [folder["id"]], "file", "rex dog")
    assert [hit.ref_id for hit in search(query)][:1] == [rows[-1]["id"]]


def test_duplicates(api, folder):
    first = add(api, folder["id"], "a.txt", "one")
    second = add(api, folder["id"], "a.txt", "two")
    assert (second["file_name"], second["original_file_name"]) == ("notes/a_(1).txt", "a.txt")
    assert upload(api, folder["id"], "a.txt", "x", duplicate_handling="error").status_code == 409
    skipped = upload(api, folder["id"], "a.txt", "x", duplicate_handling="skip")
    assert skipped.headers["X-Upload-Result"] == "skipped"
    assert skipped.json()["id"] == first["id"]
    replaced = add(api, folder["id"], "a.txt", "three", duplicate_handling="replace")
    assert (replaced["file_name"], replaced["content"]) == ("notes/a.txt", "three")
    assert api.get(f"/v1/folders/{folder['id']}/files/{first['id']}").status_code == 404
    fresh = upload(api, folder["id"], "b.txt", "x", duplicate_handling="skip")
    assert "X-Upload-Result" not in fresh.headers
    assert upload(api, folder["id"], "a.txt", "x", duplicate_handling="no").status_code == 422
    names = {row["file_name"] for row in api.get(f"/v1/folders/{folder['id']}/files").json()}
    assert names == {"notes/a.txt", "notes/a_(1).txt", "notes/b.txt"}
    assert len(originals_on_disk()) == 3


def test_another_name(api, folder):
    assert add(api, folder["id"], "a.txt", "x", name="b.md")["file_name"] == "notes/b.md"
    assert add(api, folder["id"], "a.txt", "x", name="plan")["file_name"] == "notes/plan.txt"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("/etc/shadow.txt", "shadow.txt"),
        ("..%5c..%5cboot.txt", "..%5c..%5cboot.txt".strip(".")),
        ("..\\..\\boot.txt", "boot.txt"),
        ("a\x00b.txt", "ab.txt"),
        ("..\uff0f\uff0e\uff0e\uff0fx.txt", "x.txt"),
        ("\u202egnp.txt", "gnp.txt"),
        ("n" * 300 + ".txt", "n" * 196 + ".txt"),
    ],
)
def test_names_that_play_tricks_stay_in_their_place(api, folder, given, name, tmp_path):
    file = add(api, folder["id"], given, "hello")
    assert file["original_file_name"] == name
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert there == {"files", f"files/{file['id']}"}


def test_kinds_that_are_not_read_are_refused(api, folder):
    answer = upload(api, folder["id"], "a.exe", b"MZ")
    assert answer.status_code == 415
    assert ".pdf" in answer.json()["todo"]
    assert upload(api, folder["id"], "photo.png", b"\x89PNG").status_code == 415
    assert not File.objects.exists() and not originals_on_disk()


def test_a_file_has_a_largest_size(api, folder, settings):
    settings.MAX_FILE_BYTES = 1000
    assert upload(api, folder["id"], "a.txt", "x" * 1000).status_code == 200
    answer = upload(api, folder["id"], "b.txt", "x" * 1001)
    assert answer.status_code == 413 and "LETTA_MAX_FILE_MB" in answer.json()["todo"]
    assert len(originals_on_disk()) == 1


def test_files_may_be_larger_than_other_bodies(api, folder, settings):
    settings.MAX_BODY_BYTES = 1000
    assert upload(api, folder["id"], "a.txt", "x" * 100_000).status_code == 200
    assert api.send("POST", "/v1/folders/", {"name": "x" * 2000}).status_code == 413


def test_an_upload_needs_a_file(api, folder):
    assert api.post(f"/v1/folders/{folder['id']}/upload").status_code == 422
    assert upload(api, "source-1", "a.txt", "x").status_code == 422


def test_deleting_a_file_takes_everything_of_it(api, folder):
    kept, gone = add(api, folder["id"], "a.txt", "dog"), add(api, folder["id"], "b.txt", "cat")
    answer = api.send("DELETE", f"/v1/folders/{folder['id']}/{gone['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.send("DELETE", f"/v1/sources/{folder['id']}/{gone['id']}").status_code == 404
    assert originals_on_disk() == [kept["id"]]
    assert [row.file_id for row in FileText.objects.all()] == [kept["id"]]
    assert [row.text for row in SearchEntry.objects.filter(kind="file")] == ["dog"]


def test_deleting_a_folder_takes_its_files(api, folder):
    add(api, folder["id"], "a.txt", "dog")
    assert api.send("DELETE", f"/v1/sources/{folder['id']}").status_code == 200
    assert not originals_on_disk()
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
    assert (first["source_name"], first["file_count"], first["total_size"]) == ("notes", 2, 8)
    assert [one["file_name"] for one in first["files"]] == ["notes/a.txt", "notes/b.txt"]


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


def test_what_was_left_unread_is_read_after_a_restart(api, folder):
    upload(api, folder["id"], "a.txt", "one")
    job = ingest.take_next(set())
    ingest.store_text(job.file_id, _parsed("half"))
    # The process ends here, with the text stored and the rest not.
    assert read_all() == 1
    (file,) = api.get(f"/v1/folders/{folder['id']}/files", {"include_content": "true"}).json()
    assert (file["processing_status"], file["content"]) == ("completed", "one")
    assert FileChunk.objects.count() == 1


def test_a_file_that_brings_the_server_down_is_given_up(api, folder):
    file_id = upload(api, folder["id"], "a.txt", "one").json()["id"]
    for _ in range(ingest.MOST_ATTEMPTS):
        assert ingest.take_next(set()).file_id == file_id
    assert ingest.take_next(set()) is None
    row = File.objects.get()
    assert row.status == "error" and "3 times" in row.error


def test_a_file_that_is_deleted_while_it_is_read_leaves_nothing(api, folder):
    upload(api, folder["id"], "a.txt", "one")
    job = ingest.take_next(set())
    api.send("DELETE", f"/v1/folders/{folder['id']}/{job.file_id}")
    assert not ingest.store_text(job.file_id, _parsed("one"))
    assert not ingest.store_chunks(job.file_id, "one", _parsed("one").chunks, before=0)
    ingest.complete(job.file_id)
    assert not FileText.objects.exists() and not FileChunk.objects.exists()


def test_bytes_that_no_row_owns_are_swept_away(api, folder):
    file = upload(api, folder["id"], "a.txt", "one").json()
    originals.path_of("file-orphan").write_bytes(b"x")
    assert originals.sweep() == 1
    assert originals_on_disk() == [file["id"]]


def test_bytes_that_are_gone_are_an_error_of_that_file(api, folder):
    gone = upload(api, folder["id"], "a.txt", "one").json()
    upload(api, folder["id"], "b.txt", "two")
    originals.path_of(gone["id"]).unlink()
    assert read_all() == 2
    states = {row.name: row.status for row in File.objects.all()}
    assert states == {"a.txt": "error", "b.txt": "completed"}


def test_progress_is_told_while_pieces_are_stored(api):
    body = {"name": "x", "embedding": "openai/small"}
    folder = api.send("POST", "/v1/folders/", body).json()
    upload(api, folder["id"], "a.txt", "word " * 2000)
    job, parsed = ingest.take_next(set()), _parsed("word " * 2000)
    ingest.store_text(job.file_id, parsed)
    ingest.store_chunks(job.file_id, parsed.text, parsed.chunks[:2], before=0)
    (file,) = api.get(f"/v1/folders/{folder['id']}/files").json()
    assert file["processing_status"] == "embedding"
    assert (file["chunks_embedded"], file["total_chunks"]) == (2, len(parsed.chunks))


def _parsed(text):
    from memory.parsing.reading import parse

    return parse(text.encode(), "plain", "plain")
