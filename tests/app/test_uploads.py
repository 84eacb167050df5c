"""Uploads: what is taken, under which name, and how it is read, also after a crash."""

import pytest

from memory.models import File, FileChunk, FileText, SearchEntry
from memory.parsing.reading import parse
from memory.services import ingest, originals
from tests.app.uploading import add, files_dir, folder, originals_on_disk, read_all, upload

__all__ = ["files_dir", "folder"]
pytestmark = pytest.mark.django_db(transaction=True)
FILE_KEYS = {
    "id", "source_id", "folder_id", "file_name", "original_file_name", "file_path", "file_type",
    "file_size", "file_creation_date", "file_last_modified_date", "processing_status",
    "error_message", "total_chunks", "chunks_embedded", "content", "created_at", "updated_at",
    "is_deleted", "organization_id", "sha256",
}  # fmt: skip


def test_an_upload_is_answered_before_it_is_read(api, folder):
    answer = upload(api, folder["id"], "a.md", "# Title\n\nThe crane is yellow.\n").json()
    assert answer.keys() == FILE_KEYS and answer["id"].startswith("file-")
    assert (answer["file_name"], answer["original_file_name"]) == ("docs/a.md", "a.md")
    assert (answer["processing_status"], answer["file_size"]) == ("parsing", 30)
    assert answer["file_type"] == "text/markdown"
    assert read_all() == 1
    path = f"/v1/folders/{folder['id']}/files/{answer['id']}"
    done = api.get(path).json()
    assert (done["processing_status"], done["content"]) == ("completed", None)
    assert (done["total_chunks"], done["chunks_embedded"]) == (1, 1)
    content = api.get(path, {"include_content": "true"}).json()["content"]
    assert content == "# Title\n\nThe crane is yellow.\n"


def test_duplicates(api, folder, files_dir):
    first = add(api, folder["id"], "a.txt", "one")
    second = add(api, folder["id"], "a.txt", "two")
    assert (second["file_name"], second["original_file_name"]) == ("docs/a_(1).txt", "a.txt")
    assert upload(api, folder["id"], "a.txt", "x", duplicate_handling="error").status_code == 409
    skipped = upload(api, folder["id"], "a.txt", "x", duplicate_handling="skip")
    assert skipped.headers["X-Upload-Result"] == "skipped"
    assert skipped.json()["id"] == first["id"]
    replaced = add(api, folder["id"], "a.txt", "three", duplicate_handling="replace")
    assert (replaced["file_name"], replaced["content"]) == ("docs/a.txt", "three")
    assert api.get(f"/v1/folders/{folder['id']}/files/{first['id']}").status_code == 404
    fresh = upload(api, folder["id"], "b.txt", "x", duplicate_handling="skip")
    assert "X-Upload-Result" not in fresh.headers
    assert upload(api, folder["id"], "a.txt", "x", duplicate_handling="no").status_code == 422
    names = {row["file_name"] for row in api.get(f"/v1/folders/{folder['id']}/files").json()}
    assert names == {"docs/a.txt", "docs/a_(1).txt", "docs/b.txt"}
    assert len(originals_on_disk(files_dir)) == 3


def test_another_name(api, folder):
    assert add(api, folder["id"], "a.txt", "x", name="b.md")["file_name"] == "docs/b.md"
    assert add(api, folder["id"], "a.txt", "x", name="plan")["file_name"] == "docs/plan.txt"


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


def test_kinds_that_are_not_read_are_refused(api, folder, files_dir):
    answer = upload(api, folder["id"], "a.exe", b"MZ")
    assert answer.status_code == 415
    assert ".pdf" in answer.json()["todo"]
    assert upload(api, folder["id"], "photo.png", b"\x89PNG").status_code == 415
    assert not File.objects.exists() and not originals_on_disk(files_dir)


def test_a_file_has_a_largest_size(api, folder, settings, files_dir):
    settings.MAX_FILE_BYTES = 1000
    assert upload(api, folder["id"], "a.txt", "x" * 1000).status_code == 200
    answer = upload(api, folder["id"], "b.txt", "x" * 1001)
    assert answer.status_code == 413 and "LETTA_MAX_FILE_MB" in answer.json()["todo"]
    assert len(originals_on_disk(files_dir)) == 1


def test_files_may_be_larger_than_other_bodies(api, folder, settings):
    settings.MAX_BODY_BYTES = 1000
    assert upload(api, folder["id"], "a.txt", "x" * 100_000).status_code == 200
    assert api.send("POST", "/v1/folders/", {"name": "x" * 2000}).status_code == 413


def test_an_upload_needs_a_file(api, folder):
    assert api.post(f"/v1/folders/{folder['id']}/upload").status_code == 422
    assert upload(api, "source-1", "a.txt", "x").status_code == 422


def test_deleting_a_file_takes_everything_of_it(api, folder, files_dir):
    kept, gone = add(api, folder["id"], "a.txt", "dog"), add(api, folder["id"], "b.txt", "cat")
    answer = api.send("DELETE", f"/v1/folders/{folder['id']}/{gone['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.send("DELETE", f"/v1/sources/{folder['id']}/{gone['id']}").status_code == 404
    assert originals_on_disk(files_dir) == [kept["id"]]
    assert [row.file_id for row in FileText.objects.all()] == [kept["id"]]
    assert [row.text for row in SearchEntry.objects.filter(kind="file")] == ["dog"]


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


def test_bytes_that_no_row_owns_are_swept_away(api, folder, files_dir):
    file = upload(api, folder["id"], "a.txt", "one").json()
    originals.path_of("file-orphan").write_bytes(b"x")
    assert originals.sweep() == 1
    assert originals_on_disk(files_dir) == [file["id"]]


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
    return parse(text.encode(), "plain", "plain")


def test_contents_of_a_list_are_bounded(api, folder, settings):
    for name in "abc":
        add(api, folder["id"], f"{name}.txt", name * 600)
    settings.MAX_FILE_BYTES = 1300
    path = f"/v1/folders/{folder['id']}/files?include_content=true"
    assert [len(row["content"] or "") for row in api.get(path).json()] == [600, 600, 0]
