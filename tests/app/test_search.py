"""Search over memory: what is found, in which order, and what must not break it."""

from datetime import UTC, datetime, timedelta

import pytest

from letta_site.core.errors import Invalid
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


def talk(*texts, **fields):
    """Index a conversation, one text a minute, the user beginning."""
    index(
        [
            entry(
                n,
                text,
                role="assistant" if n % 2 else "user",
                thread_id="conv-1",
                created_at=DAY + timedelta(minutes=n),
                **fields,
            )
            for n, text in enumerate(texts)
        ]
    )


def hits(query, **fields):
    given = {"org_id": DEFAULT_ORG_ID, "scope_ids": ["agent-a"], "kind": "message", **fields}
    return search(SearchQuery(query=query, **given))


QUESTION = "Which instrument did you learn as a child?"


def test_an_answer_is_found_by_the_words_of_its_question(owner):
    talk("Hello", "Hi there", QUESTION, "The oboe.", "Lovely.", "Thanks!")
    found = hits("instrument learned in childhood", limit=2)
    assert [hit.ref_id for hit in found] == ["message-2", "message-3"]
    assert found[1].why.own == 0 and found[1].why.context > 0


def test_a_role_is_found_by_what_another_role_asked(owner):
    talk("Hello", "Hi there", QUESTION, "The oboe.", "Lovely.", "Thanks!")
    assert find("instrument learned", roles=["assistant"], limit=1) == ["message-3"]


def test_one_word_finds_only_texts_that_have_it(owner):
    talk("Hello", "Hi there", QUESTION, "The oboe.", "Lovely.", "Thanks!")
    assert find("oboe", limit=10) == ["message-3"]


def test_who_said_it_and_when_can_be_asked_for(owner):
    index([entry(1, "Fine.", speaker="Jos\u00e9"), entry(40, "Fine.", speaker="Ann")])
    assert find("What did Jose say?") == ["message-1"]
    assert find("What was said in February?") == ["message-40"]
    assert hits("fine Ann")[0].why.speaker > 0


@pytest.mark.parametrize(
    "query", ['"Caf\u00e9 M\u00fcller"', "'espresso'\n\nand\nnaive", "caf\u00e9\tmuller\r\n"]
)
def test_quotes_lines_and_accents_do_not_matter(history, query):
    assert find(query)[0] == "message-4"


def test_texts_can_be_left_out(history):
    assert find("dog lisbon", without=["message-1"]) == ["message-2"]


def test_a_conversation_with_what_it_shares_of_its_parent(owner):
    index(
        [
            entry(1, "oboe one", thread_id="conv-parent"),
            entry(2, "oboe two", thread_id="conv-parent"),
            entry(3, "oboe three", thread_id="conv-child"),
        ]
    )
    assert set(find("oboe", threads=[("conv-child", None), ("conv-parent", 1)])) == {
        "message-1",
        "message-3",
    }
    assert find("oboe", threads=[]) == []
    assert len(find("oboe", scope_ids=None)) == 3
    assert find("oboe", scope_ids=None, org_id="org-other") == []


def test_many_scopes_at_once(owner):
    scopes = [f"agent-{n}" for n in range(64)]
    index([entry(n, f"oboe {n}", scope_id=scope) for n, scope in enumerate(scopes)])
    assert len(find("oboe", scope_ids=scopes, limit=100)) == 64
    assert find("oboe", scope_ids=scopes[7:8]) == ["message-7"]


def test_a_word_that_everything_has_still_finds(owner, monkeypatch):
    monkeypatch.setattr("memory.services.lookup.COMMON", 20)
    index([entry(n, f"oboe number{n}") for n in range(50)])
    assert find("oboe number3", limit=1) == ["message-3"]
    assert find("oboe", limit=5) == [f"message-{n}" for n in range(49, 44, -1)]


def test_meaning_alone_needs_a_vector(history):
    with pytest.raises(Invalid):
        find("dog", mode="vector")


@pytest.mark.parametrize("roles", [(), ("user",)])
def test_a_search_costs_few_statements_whatever_it_finds(
    owner, roles, django_assert_max_num_queries
):
    talk(*[f"oboe concert {n}" for n in range(200)])
    with django_assert_max_num_queries(4 if roles else 3):
        assert len(find("an oboe in the concert with many other words", roles=roles)) == 5
