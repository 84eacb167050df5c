"""The same request twice is one run; many requests at once are one after the other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from agents.models import Message, Run
from letta_site.core.clock import now
from tests.app.conftest import Api
from tests.app.posting import play, post, read, send
from tests.app.test_messages import HELLO, agent, history, make, types  # noqa: F401
from tests.fakes.openai_replies import Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

OURS = {"messages": [{"role": "user", "content": "hello", "otid": "mine"}]}


def together(agent_id: str, *requests: tuple[Any, dict[str, str]]) -> list[Any]:
    path = f"/v1/agents/{agent_id}/messages"

    async def scenario() -> list[Any]:
        return await asyncio.gather(*(post(path, body, **headers) for body, headers in requests))

    found: list[Any] = play(scenario)
    return found


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (HELLO, {"X_Stainless_Retry_Count": "1"}),
        (OURS, {}),
        (HELLO, {"Idempotency_Key": "k-1"}),
    ],
)
def test_many_resends_at_once_are_one_run(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    body: Any,
    headers: dict[str, str],
) -> None:
    openai.push(Reply("Once.", delay_s=0.3))
    answers = together(agent["id"], *[(body, headers)] * 8)
    assert [one.status_code for one in answers] == [200] * 8
    assert len({str(one.json()["messages"]) for one in answers}) == 1
    assert answers[0].json()["messages"][0]["content"] == "Once."
    assert Run.objects.count() == 1
    assert Message.objects.filter(role="user").count() == 1
    late = send(agent["id"], body, **headers)
    assert late.json()["messages"] == answers[0].json()["messages"]
    assert late.json()["stop_reason"] == answers[0].json()["stop_reason"]
    assert len(openai.chats) == 1


def test_a_key_belongs_to_one_request(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    send(agent["id"], HELLO, Idempotency_Key="k")
    Run.objects.update(created_at=now() - timedelta(hours=30))
    assert send(agent["id"], HELLO, Idempotency_Key="k").status_code == 200
    other = send(agent["id"], {"input": "something else"}, Idempotency_Key="k")
    assert other.status_code == 409
    assert other["x-should-retry"] == "false"
    assert other.json()["run_id"] == Run.objects.get().id
    assert send(agent["id"], HELLO, Idempotency_Key="l").status_code == 200
    assert Run.objects.count() == 2


def test_a_key_is_one_agents(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    other = make(api)
    for one in (agent, other):
        assert send(one["id"], HELLO, Idempotency_Key="k").status_code == 200
    assert Run.objects.count() == 2


def test_one_otid_for_different_messages_is_no_resend(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    send(agent["id"], OURS)
    other = {"messages": [{"role": "user", "content": "something else", "otid": "mine"}]}
    send(agent["id"], other)
    assert Run.objects.count() == 2
    send(agent["id"], other)
    assert Run.objects.count() == 2
    Run.objects.update(created_at=now() - timedelta(hours=25))
    send(agent["id"], other)
    assert Run.objects.count() == 3


def test_no_words_are_lost_to_an_otid_that_is_used_again(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    openai.answer_with(lambda _: Reply("Slow.", delay_s=0.3))
    said = [{"role": "user", "content": text, "otid": "mine"} for text in ("one", "two")]
    one, two = ({"messages": [message]} for message in said)
    again = {"max_steps": 9, **one}
    assert len(together(agent["id"], (one, {}), (two, {}), (again, {}))) == 3
    assert Run.objects.count() == 2


def test_the_same_words_again_are_a_new_message(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    together(agent["id"], (HELLO, {}), (HELLO, {}))
    assert Run.objects.count() == 2


def test_a_resend_of_a_failed_run_gets_its_failure(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(Failure(500, error_body("broken")))
    first = send(agent["id"], HELLO, Idempotency_Key="k")
    again = send(agent["id"], HELLO, Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (500, 500)
    assert first.json()["error"] == again.json()["error"]
    assert len(openai.chats) == 1


def test_a_resent_stream_and_a_resent_background_send(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push("Once.", "Twice.")
    path = f"/v1/agents/{agent['id']}/messages"

    async def scenario(body: Any) -> list[Any]:
        both = [await post(path, body, Idempotency_Key=str(len(body))) for _ in range(2)]
        return [await read(one) for one in both]

    streaming = {"streaming": True, **HELLO}
    for body in (streaming, {"background": True, "stream_tokens": True, **streaming}):
        first, second = play(lambda body=body: scenario(body))
        assert "".join(one["content"] for one in first.of_type("assistant_message")) == "".join(
            one["content"] for one in second.of_type("assistant_message")
        )
        assert first.types[-2:] == second.types[-2:] == ["stop_reason", "usage_statistics"]
    assert Run.objects.count() == 2


def test_an_async_send_joins_too(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    path = f"/v1/agents/{agent['id']}/messages/async"

    async def scenario() -> list[Any]:
        both = [await post(path, HELLO, Idempotency_Key="k") for _ in range(2)]
        return [one.json()["id"] for one in both]

    one, two = play(scenario)
    assert one == two


def test_64_sends_at_once_are_serial_and_in_order(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    openai.answer_with(lambda request: Reply(f"re {request['messages'][-1]['content']}"))
    answers = together(agent["id"], *[({"input": f"m{n}"}, {}) for n in range(64)])
    assert {one.status_code for one in answers} == {200}
    for n, one in enumerate(answers):
        assert one.json()["messages"][0]["content"] == f"re m{n}"
    accepted = [run.input[0]["content"][0]["text"] for run in Run.objects.order_by("seq")]
    assert len(accepted) == 64
    told = [one["content"] for one in history(api, agent, limit=500)[1:]]
    assert told == [text for said in accepted for text in (said, f"re {said}")]
