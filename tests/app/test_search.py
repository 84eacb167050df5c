"""Search over memory: what is found, in which order, and what must not break it."""

from datetime import UTC, datetime, timedelta

import pytest

from letta_site.core.ids import DEFAULT_ORG_ID
from memory.services.candidates import SearchQuery
from memory.services.search import Entry, drop, drop_scopes, index, search

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def entry(n, text, **fields):
    return Entry(
        **{
            "org_id": DEFAULT_ORG_ID,
            "kind": "message",
            "ref_id": f"message-{n}",
            "scope_id": "agent-a",
            "text": text,
            "created_at": DAY + timedelta(days=n),
            "role": "user",
            "seq": n,
            **fields,
        }
    )


def find(query, **fields):
    given = {"org_id": DEFAULT_ORG_ID, "scope_ids": ["agent-a"], "kind": "message", **fields}
    return [hit.ref_id for hit in search(SearchQuery(query=query, **given))]


@pytest.fixture
def history(owner):
    index(
        [
            entry(1, "My dog Rex loves long walks in the park."),
            entry(2, "I moved to Lisbon last summer.", role="assistant"),
            entry(3, "To be or not to be, that is the question."),
            entry(4, "Caf\u00e9 M\u00fcller serves na\u00efve espresso."),
            entry(5, "\u6211\u4f4f\u5728\u4eac\u90fd\uff0c\u559c\u6b22\u62c9\u9762\u3002"),
            entry(6, "Rex again, in another agent's history", scope_id="agent-b"),
        ]
    )


def test_words_are_ored_and_stemmed(history):
    assert find("walking dogs on the moon") == ["message-1"]


def test_the_better_match_comes_first(history):
    assert find("Lisbon summer dog")[0] == "message-2"


def test_only_the_scopes_asked_for(history):
    assert find("rex") == ["message-1"]
    assert set(find("rex", scope_ids=["agent-a", "agent-b"])) == {"message-1", "message-6"}
    assert find("rex", scope_ids=[]) == []
    assert find("rex", org_id="org-other") == []
    assert find("rex", kind="passage") == []


def test_filters_hold_before_the_limit(history):
    assert find("lisbon dog question", roles=["assistant"], limit=1) == ["message-2"]
    assert find("lisbon dog", end=DAY + timedelta(days=1)) == ["message-1"]
    assert find("lisbon dog", start=DAY + timedelta(days=2)) == ["message-2"]


def test_a_blank_query_gives_the_newest(history):
    assert find("  ", limit=2) == ["message-5", "message-4"]
    assert find("?!") == find("")


def test_stop_words_alone_still_find(history):
    assert find("to be or not to be")[0] == "message-3"


def test_text_without_spaces_is_found(history):
    assert find("\u4eac\u90fd") == ["message-5"]
    assert set(find("\u62c9\u9762 Rex")) == {"message-5", "message-1"}


def test_letters_beyond_ascii(history):
    assert find("Caf\u00e9") == ["message-4"]
    assert find("m\u00fcller") == ["message-4"]


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "'",
        "rex OR",
        "AND NOT",
        "rex*",
        "(rex",
        "text:rex",
        "a-b",
        "\x00",
        "%",
        "\\",
        "^",
        "{}",
        "NEAR(rex dog, 3)",
        "'; DROP TABLE x; --",
        "\U0001f600",
        "x" * 5000,
        "\ud800",
        "& | ! <->",
    ],
)
def test_nothing_in_a_query_breaks_it(history, query):
    assert isinstance(find(query), list)


def test_indexing_again_replaces(history):
    index([entry(1, "Now about cats")])
    assert find("dog") == []
    assert find("cat") == ["message-1"]


def test_dropping(history):
    drop(["message-1"])
    assert find("rex") == []
    drop_scopes(["agent-a"])
    assert find("") == []
    assert find("rex", scope_ids=["agent-b"]) == ["message-6"]
