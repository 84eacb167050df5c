"""Broken histories, five hundred of them, are sent in a shape that no provider refuses."""

from __future__ import annotations

from typing import Any

from agents.engine.ports import ChatRequest
from agents.engine.repair import EMPTY, clean_name, clean_text, mend
from agents.llm.to_openai import build_body, encode
from agents.types import Message, ModelParams, Transcript
from tests.fakes.openai_history import check_chat_request
from tests.pure.broken import broken_history
from tests.pure.histories import user


def body_of(history: list[Message]) -> dict[str, Any]:
    transcript = Transcript("Be kind.", mend(history))
    return build_body(ChatRequest(ModelParams("test/gpt-4o-mini"), transcript, ()), "gpt-4o-mini")


def test_broken_histories_are_accepted_and_no_word_of_the_user_is_lost() -> None:
    for number in range(500):
        history = broken_history(number)
        body = body_of(history)
        check_chat_request(body)
        encode(body)
        once = {message.id: message for message in history}.values()
        said = [clean_text(one.text) for one in once if one.role == "user"]
        sent = [row["content"] for row in body["messages"] if row["role"] == "user"]
        assert sent == [text if text.strip() else EMPTY for text in said], number
        assert "\0" not in str(body["messages"]), number


def test_a_message_that_is_there_twice_is_sent_once() -> None:
    question = user("Who goes there?")
    assert mend([question, question]) == (question,)


def test_an_empty_user_message_says_so() -> None:
    assert [message.text for message in mend([user(""), user("hi")])] == [EMPTY, "hi"]


def test_names_that_providers_refuse_are_made_fit() -> None:
    names = [clean_name(name) for name in ("probe", "my tool!", "", "x" * 90)]
    assert names == ["probe", "my_tool_", "unnamed", "x" * 64]
