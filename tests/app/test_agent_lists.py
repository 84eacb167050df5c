"""Lists of agents: filters, pages, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from letta_site.core.types import Actor
from tests.app.conftest import Api

pytestmark = pytest.mark.django_db

# The page, blocks, tools, tags, secrets, window, groups, waiting calls, and the cursor.
QUERIES_A_PAGE = 10


@pytest.fixture
def three(owner: Actor) -> list[Agent]:
    drafts = (("One", ("a",)), ("Two", ("a", "b")), ("Three", ("b",)))
    blocks = ({"label": "human", "value": "Bob"},)
    return [
        create_agent(owner, AgentDraft(ModelWish("letta/demo"), name, tags=tags, blocks=blocks))
        for name, tags in drafts
    ]


def names(api: Api, **query: Any) -> list[str]:
    response = api.get("/v1/agents/", query)
    assert response.status_code == 200, response.content
    return [agent["name"] for agent in response.json()]


def test_newest_first_and_the_other_way(api: Api, three: list[Agent]) -> None:
    assert names(api) == ["Three", "Two", "One"]
    assert names(api, order="asc") == ["One", "Two", "Three"]
    assert names(api, ascending="true") == ["One", "Two", "Three"]
    assert names(api, ascending="true", order="desc") == ["Three", "Two", "One"]
    three[0].last_run_completion = three[0].created_at
    three[0].save()
    assert names(api, order_by="last_run_completion")[0] == "One"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "One"}, ["One"]),
        ({"name": "one"}, []),
        ({"query_text": "T"}, ["Three", "Two"]),
        ({"query_text": "%"}, []),
        ({"tags": ["a", "b"]}, ["Three", "Two", "One"]),
        ({"tags": ["a", "b"], "match_all_tags": "true"}, ["Two"]),
        ({"tags": "zzz"}, []),
        ({"identity_id": "identity-x"}, []),
        ({"project_id": "p"}, []),
        ({"last_stop_reason": "end_turn"}, []),
        ({"unknown_param": 1, "limit": 1}, ["Three"]),
        ({"limit": 100000}, ["Three", "Two", "One"]),
    ],
)
def test_filters(api: Api, three: list[Agent], query: dict[str, Any], expected: list[str]) -> None:
    assert names(api, **query) == expected
    counted = {key: value for key, value in query.items() if key != "limit"}
    if "limit" not in query:
        assert api.get("/v1/agents/count", counted).json() == len(expected)


def test_pages_end_with_an_empty_one(api: Api, three: list[Agent]) -> None:
    one, two, three_ = three
    assert names(api, after=three_.id, limit=1) == ["Two"]
    assert names(api, after=one.id) == []
    assert names(api, before=one.id) == ["Three", "Two"]
    assert names(api, after="nonsense") == ["Three", "Two", "One"]


@pytest.mark.parametrize(
    ("query", "status"),
    [({"limit": -1}, 400), ({"limit": "x"}, 422), ({"order": "up"}, 422), ({"order_by": "x"}, 422)],
)
def test_a_bad_page(api: Api, query: dict[str, Any], status: int) -> None:
    assert api.get("/v1/agents/", query).status_code == status


def test_the_cost_of_a_page_does_not_grow(
    api: Api, three: list[Agent], django_assert_max_num_queries: Any
) -> None:
    names(api)
    for limit in (1, 3):
        with django_assert_max_num_queries(QUERIES_A_PAGE):
            found = api.get("/v1/agents/", {"limit": limit}).json()
        assert all(agent["blocks"] and agent["tools"] and agent["message_ids"] for agent in found)


def test_a_stranger_sees_an_empty_list(api: Api, stranger: Actor) -> None:
    create_agent(stranger, AgentDraft(ModelWish("letta/demo")))
    assert names(api) == []
    assert api.get("/v1/agents/count").json() == 0


def test_both_spellings_answer(api: Api, three: list[Agent]) -> None:
    assert api.get("/v1/agents").json() == api.get("/v1/agents/").json()
