"""Talks of groups that a stop of the server cut: they go on where they were."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from agents.models import Group, GroupMember, Run, Talk
from agents.runtime import boot, groups
from agents.services import open_talks
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from tests.app.company import settle, texts
from tests.app.conftest import Api
from tests.app.posting import play, post
from tests.app.test_groups import CHOOSE, crew, form, led, make  # noqa: F401
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

ASK = {"messages": [{"role": "user", "content": "Count off."}]}


def cut(group: Any, when: Callable[[], bool]) -> None:
    """Begin a talk and let the server die at that moment."""

    async def scenario() -> None:
        path = f"/v1/groups/{group['id']}/messages"
        task = asyncio.create_task(post(path, ASK))
        while not when():
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        task.cancel()

    play(scenario)  # its loop ends with all tasks in the middle of what they do, as a kill would
    groups._locks.clear()


def revive() -> None:
    async def scenario() -> None:
        await boot.start()
        while await in_db(Talk.objects.exists):
            await asyncio.sleep(0.02)
        await settle()

    play(scenario)


def heard(fake: FakeOpenAI, name: str) -> list[str]:
    """Return what the model was told, as this agent, when it was asked last."""
    own = [chat for chat in fake.chats if f"You are {name}." in texts(chat)[0]]
    return [text for text in texts(own[-1])[1:]]


def test_a_round_goes_on_with_the_turn_that_was_cut(
    api: Api,
    crew: list[Any],  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    group = form(api, crew)
    openai.push("I am first.", Reply("never", delay_s=30), "I am second.", "I am third.")
    cut(group, lambda: len(openai.chats) == 2)
    assert Talk.objects.count() == 1
    revive()
    assert Counter(Run.objects.values_list("agent_id", flat=True)) == {one["id"]: 1 for one in crew}
    assert set(Run.objects.values_list("status", flat=True)) == {"completed"}
    last = heard(openai, "Cy")
    for words in ("Count off.", "I am first.", "I am second."):
        assert sum(words in text for text in last) == 1
    assert Group.objects.get().turns_counter == 3
    unheard = [[row["content"][0]["text"] for row in link.unheard] for link in members()]
    assert unheard == [["Bea: I am second.", "Cy: I am third."], ["Cy: I am third."], []]


def members() -> list[GroupMember]:
    return list(GroupMember.objects.order_by("id"))


def test_a_turn_that_ended_unheard_is_passed_on(
    api: Api,
    crew: list[Any],  # noqa: F811
    openai: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = form(api, crew)
    openai.push("I am first.", "I am second.", "I am third.")

    reached = threading.Event()

    def hang(*_: Any) -> None:
        reached.set()
        time.sleep(0.5)

    with monkeypatch.context() as patch:
        patch.setattr(open_talks, "settle_turn", hang)
        cut(group, reached.is_set)
    revive()
    assert Run.objects.count() == 3
    assert any("Ann: I am first." in text for text in heard(openai, "Bea"))


def test_a_led_talk_keeps_what_was_chosen(
    api: Api,
    crew: list[Any],  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    boss = make(api, name="Boss", system="You are Boss.")
    group = led(api, boss, crew, "dynamic")
    choice = Call(CHOOSE, {"next_speaker_agent_id": crew[2]["id"]})
    openai.push(Reply(calls=(choice,)), Reply("never", delay_s=30), "Cy here.", "DONE!")
    cut(group, lambda: len(openai.chats) == 2)
    revive()
    took = list(Run.objects.order_by("created_at").values_list("agent_id", flat=True))
    assert took == [boss["id"], crew[2]["id"], boss["id"]]
    assert any("Cy: Cy here." in text for text in heard(openai, "Boss"))


def test_a_talk_that_cannot_be_read_does_not_keep_the_server_from_starting(
    api: Api,
    owner: Actor,
    crew: list[Any],  # noqa: F811
) -> None:
    group = form(api, crew)
    Talk.objects.create(org_id=owner.org_id, group_id=group["id"], given={"of": "another time"})
    revive()
    assert not Talk.objects.exists()
