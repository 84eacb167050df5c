"""Passages: stored, tagged, found, changed, forgotten."""

import pytest

from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Origin, PageQuery
from memory.models import PassageTag, SearchEntry
from memory.services import archives, passages
from memory.services.candidates import SearchQuery
from memory.services.passages import PassageDraft
from memory.services.search import search


@pytest.fixture
def archive(owner):
    return archives.create_archive(owner, name="Notes")


def put(actor, archive, *texts, **fields):
    rows = [PassageDraft(text, **fields) for text in texts]
    return passages.insert_passages(actor, archive_id=archive.id, rows=rows)


def found(actor, archive, query, **fields):
    asked = SearchQuery(actor.org_id, [archive.id], "passage", query, **fields)
    return [hit.text for hit in search(asked)]


def test_what_is_stored_is_found(owner, archive):
    put(owner, archive, "Rex is a dog", "Lisbon is a city")
    assert found(owner, archive, "dogs") == ["Rex is a dog"]


def test_tags_filter_by_any_and_all(owner, archive):
    put(owner, archive, "one", tags=["a", "b"])
    put(owner, archive, "two", tags=["a", "a", " "])
    assert set(found(owner, archive, "", tags=["a"])) == {"one", "two"}
    assert found(owner, archive, "", tags=["a", "b"], tag_match_mode="all") == ["one"]
    assert found(owner, archive, "", tags=["z"]) == []


def test_an_update_is_found_and_the_old_text_is_not(owner, archive):
    (row,) = put(owner, archive, "about dogs", tags=["x"])
    passages.update_passage(owner, row.id, text="about cats", tags=["y"], metadata={"k": 1})
    assert found(owner, archive, "dogs") == []
    assert found(owner, archive, "cats", tags=["y"]) == ["about cats"]
    assert passages.get_passage(owner, row.id).metadata == {"k": 1}


def test_deleting_forgets_all_of_it(owner, archive):
    (row,) = put(owner, archive, "about dogs", tags=["x"])
    passages.delete_passage(owner, row.id)
    assert not PassageTag.objects.exists() and not SearchEntry.objects.exists()
    with pytest.raises(NotFound):
        passages.get_passage(owner, row.id)


def test_deleting_an_archive_forgets_its_passages(owner, archive):
    put(owner, archive, "about dogs")
    archives.delete_archives(owner, [archive.id])
    assert not SearchEntry.objects.exists()


def test_lists_page_and_search(owner, archive):
    rows = put(owner, archive, "one 50%", "two", "three")
    listed = passages.list_passages(
        owner, archive_ids=[archive.id], query=PageQuery(limit=2, order="asc", after=rows[0].id)
    )
    assert len(listed) == 2
    wanted = passages.PassageFilter(text="0%")
    assert passages.list_passages(owner, archive_ids=[archive.id], wanted=wanted) == [rows[0]]


def test_where_a_passage_came_from_is_kept(owner, archive):
    origin = Origin(agent_id="agent-x", run_id="run-x", step_id="step-x", tool_call_id="call-x")
    (row,) = passages.insert_passages(
        owner, archive_id=archive.id, rows=[PassageDraft("x")], origin=origin
    )
    assert (row.agent_id, row.run_id, row.step_id) == ("agent-x", "run-x", "step-x")


def test_limits(owner, archive):
    with pytest.raises(Invalid):
        put(owner, archive, "x" * (passages.MAX_TEXT_BYTES + 1))
    with pytest.raises(Invalid):
        put(owner, archive, "x", tags=["t" * 201])
    assert put(owner, archive, "a\x00b")[0].text == "ab"


def test_a_stranger_sees_no_passage(owner, stranger, archive):
    (row,) = put(owner, archive, "secret")
    for call in (
        lambda: passages.get_passage(stranger, row.id),
        lambda: passages.update_passage(stranger, row.id, text="x"),
        lambda: passages.delete_passage(stranger, row.id),
        lambda: put(stranger, archive, "x"),
    ):
        with pytest.raises(NotFound):
            call()
    assert passages.list_passages(stranger, archive_ids=[archive.id]) == []
    assert found(stranger, archive, "secret") == []
