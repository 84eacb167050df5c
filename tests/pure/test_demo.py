"""The demo model: what it understands, notes, answers and calls, against tools made of a dict."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.engine.prompt import compile_system, heartbeat_text
from agents.engine.strategies import strategy_of
from agents.llm import demo
from agents.llm.demo import DemoLLM
from agents.llm.demo_notes import lookup, plan_notes
from agents.llm.demo_rules import keywords, read
from agents.llm.demo_view import read_blocks
from agents.types import (
    Message,
    ModelParams,
    TextPart,
    ToolCall,
    ToolReturn,
    ToolSpec,
    Transcript,
)
from memory.logic.edits import BlockEdit, BlockView, EditError, apply_edit

NOW = datetime(2026, 1, 1, 9, tzinfo=UTC)
V3_TOOLS = ("conversation_search", "memory_replace", "memory_insert")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("My name is Ada.", ["Name: Ada"]),
        ("Hi, I'm Ada and I live in Rome.", ["Name: Ada", "Lives in: Rome"]),
        ("I’m Grace Hopper!", ["Name: Grace Hopper"]),
        ("call me Al", ["Name: Al"]),
        ("Call me later", []),
        ("I moved from Rome to Oslo last week", ["Lives in: Oslo"]),
        ("Actually, I live in St. Louis now.", ["Lives in: St. Louis"]),
        ("I work as a teacher", ["Job: teacher"]),
        (
            "I'm a software engineer and I work at ACME.",
            ["Job: software engineer", "Works at: ACME"],
        ),
        ("I'm a bit tired", []),
        ("I'm tired", []),
        ("I love climbing and cheese", ["Likes: climbing and cheese"]),
        ("i don't like olives", ["Dislikes: olives"]),
        ("My birthday is 3 May, my dog's name is Rex", ["Birthday: 3 May", "Dog: Rex"]),
        ("I have a cat named Tom", ["Cat: Tom"]),
        ("Remember that I live in Bern", ["Lives in: Bern"]),
        ("remember that the code is 12", ["Note: the code is 12"]),
        ("My question is simple", []),
        ("She said I live in Rome", []),
        ("Do you think I live in Rome?", []),
        ("", []),
        ("!!! ???", []),
        ("ありがとう", []),
    ],
)
def test_facts_that_are_told(text: str, lines: list[str]) -> None:
    assert [fact.line for fact in read(text).facts] == lines


@pytest.mark.parametrize(
    ("text", "kind", "query"),
    [
        ("What is my name?", "topic", "Name"),
        ("do you remember my name?", "topic", "Name"),
        ("who am I", "topic", "Name"),
        ("where do I live?", "topic", "Lives in"),
        ("what's my dog called?", "topic", "dog"),
        ("what do you know about me", "about_me", ""),
        ("Who are you?", "persona", ""),
        ("What did I say about olives?", "recall", "olives"),
        ("do you remember the door code?", "recall", "the door code"),
        ("save the code is 12 to your archive.", "store", "the code is 12"),
        ("Search your archive for wifi", "find", "wifi"),
        ("hows it going????", "how_are_you", ""),
        ("help", "help", ""),
        ("hello!", "greet", ""),
        ("thanks a lot", "thanks", ""),
        ("Bye", "bye", ""),
        ("use the get_weather tool", "tool", "get_weather"),
        ("Who wrote Faust?", "question", "Who wrote Faust"),
    ],
)
def test_wishes_are_understood(text: str, kind: str, query: str) -> None:
    (ask,) = read(text).asks
    assert (ask.kind, ask.query) == (kind, query)


@pytest.mark.parametrize(
    ("text", "notes", "changes"),
    [
        ("my name is Ada", "", [("", "Name: Ada")]),
        ("my name is Ada", "Name: Chad\nx", [("Name: Chad", "Name: Ada")]),
        ("my name is Ada", "The human's name is Chad.", [("name is Chad", "name is Ada")]),
        ("my name is Ada", "Name: Ada", []),
        ("my name is Ada", "Their name is Ada.", []),
        (
            "I moved to Oslo",
            "Bo lives in Rome and works",
            [("lives in Rome and works", "lives in Oslo")],
        ),
        ("I hate olives", "Likes: olives", [("Likes: olives", "Dislikes: olives")]),
        ("I like tea", "Likes: olives", [("", "Likes: tea")]),
        ("I like tea", "Likes: tea", []),
        ("remember that x is y", "Note: x is y", []),
        (
            "I'm Bo and I live in Rome",
            "Lives in: Bern",
            [("Lives in: Bern", "Lives in: Rome"), ("", "Name: Bo")],
        ),
        (
            "my favorite color is red",
            "Favourite colour: blue",
            [("Favourite colour: blue", "Favorite color: red")],
        ),
        ("my name is Ada", "name is X\nname is X", [("name is X", "name is Ada")]),
    ],
)
def test_notes_are_replaced_rather_than_doubled(
    text: str, notes: str, changes: list[tuple[str, str]]
) -> None:
    assert [(one.old, one.new) for one in plan_notes(read(text).facts, notes)] == changes


def test_lookup_reads_lines_and_free_text() -> None:
    assert lookup("Name", ["Name: Ada"]) == ["Ada"]
    assert lookup("Name", ["The user is called Bo."]) == ["Bo"]
    assert lookup("shoe size", ["Shoe size: 42"]) == ["42"]
    assert lookup("shoe size", ["nothing"]) == []
    assert keywords("what is the of") == "what is the of"


@pytest.mark.parametrize("numbers", [True, False])
def test_blocks_are_read_back_from_the_prompt(numbers: bool) -> None:
    blocks = [
        BlockView("b1", "human", "Name: Ada\n\n1. One", description="About <them>."),
        BlockView("b2", "persona", "", read_only=True),
    ]
    seen = read_blocks(system_of(blocks, "letta_v1_agent", numbers))
    assert [(one.label, one.value, one.read_only) for one in seen] == [
        ("human", "Name: Ada\n\n1. One", False),
        ("persona", "", True),
    ]
    assert read_blocks("no blocks here") == []


def system_of(blocks: list[BlockView], agent_type: str, numbers: bool = True) -> str:
    return compile_system(
        system="Be kind.",
        blocks=blocks,
        strategy=strategy_of(agent_type),
        tool_rules=[],
        agent_id="agent-1",
        conversation_id="conv-1",
        recompiled_at=NOW,
        previous_messages=0,
        archival_count=0,
        timezone="UTC",
        line_numbers=numbers,
    )


def tool(name: str, heartbeat: bool, thinking: bool) -> ToolSpec:
    extra: dict[str, Any] = {"thinking": {"type": "string"}} if thinking else {}
    if heartbeat and name != "send_message":
        extra["request_heartbeat"] = {"type": "boolean"}
    return ToolSpec(name, name, {"type": "object", "properties": extra, "required": list(extra)})


class Room:
    """A demo agent with its blocks, tools, history and archive, driven as the loop would."""

    def __init__(
        self, *tools: str, human: str = "", agent_type: str = "letta_v1_agent", **block: Any
    ) -> None:
        self.agent_type = agent_type
        self.heartbeats = strategy_of(agent_type).heartbeats
        self.tools = tuple(tool(name, self.heartbeats, self.heartbeats) for name in tools)
        self.block = BlockView("b1", "human", human, **block)
        self.messages: list[Message] = []
        self.archive: list[str] = []
        self.steps: list[Reply] = []
        self.recompiles = False
        self.system = ""

    @property
    def called(self) -> list[str]:
        return [call.name for step in self.steps for call in step.tool_calls]

    def say(self, text: str, **options: Any) -> str:
        """Run one turn and return what the agent said."""
        self.steps = []
        self.add("user", text)
        self.system = system_of([self.block], self.agent_type)
        while len(self.steps) < 6:
            reply = self.ask(**options)
            self.steps.append(reply)
            if not reply.tool_calls:
                self.add("assistant", reply.text)
                return reply.text
            (call,) = reply.tool_calls
            arguments = json.loads(call.arguments)
            self.add("assistant", "", tool_calls=(call,))
            self.add("tool", "", tool_returns=(self.run(call, arguments),))
            if call.name == "send_message":
                return str(arguments["message"])
            if call.name == "memory_finish_edits":
                return "(finished)"
            if self.heartbeats:
                self.add("user", heartbeat_text("go on", NOW, "UTC"))
        raise AssertionError(f"still calling after {self.called}")

    def add(self, role: Any, text: str, **fields: Any) -> None:
        parts = (TextPart(text),) if text else ()
        self.messages.append(Message(f"m{len(self.messages)}", role, NOW, parts, **fields))

    def ask(self, **options: Any) -> Reply:
        if self.recompiles or not self.system:
            self.system = system_of([self.block], self.agent_type)
        transcript = Transcript(self.system, tuple(self.messages))
        request = ChatRequest(ModelParams("letta/demo"), transcript, self.tools, **options)

        async def last() -> Reply:
            pieces = [piece async for piece in DemoLLM().ask(request)]
            assert isinstance(pieces[-1], Reply)
            return pieces[-1]

        return asyncio.run(last())

    def run(self, call: ToolCall, arguments: dict[str, Any]) -> ToolReturn:
        try:
            return ToolReturn(call.id, call.name, self.effect(call.name, arguments))
        except EditError as error:
            return ToolReturn(call.id, call.name, f"Error: {error}", status="error")

    def effect(self, name: str, given: dict[str, Any]) -> str:
        edits: dict[str, Any] = {
            "memory_insert": ("insert_line", {"text": given.get("new_string"), "line": -1}),
            "core_memory_append": ("append", {"content": given.get("content")}),
            "memory_replace": (
                "replace_once",
                {"old": given.get("old_string"), "new": given.get("new_string")},
            ),
            "core_memory_replace": (
                "replace_all",
                {"old": given.get("old_content"), "new": given.get("new_content")},
            ),
        }
        if name in edits:
            value = apply_edit(self.block, BlockEdit(edits[name][0], "human", edits[name][1]))
            self.block = replace(self.block, value=value)
            return value
        if name == "archival_memory_insert":
            self.archive.append(given["content"])
            return "None"
        if name == "archival_memory_search":
            words = given["query"].lower().split()
            rows = [{"content": one} for one in self.archive if any(w in one for w in words)]
            return json.dumps(rows)
        if name == "conversation_search":
            words = given["query"].lower().split()
            rows = [
                {"content": one.text, "role": one.role, "time_ago": "2 days ago"}
                for one in self.messages
                if one.role == "user" and any(word in one.text.lower() for word in words)
            ]
            return json.dumps({"message": "", "results": rows})
        return "20 degrees" if name == "get_weather" else "None"


def test_a_name_is_noted_and_answered() -> None:
    room = Room(*V3_TOOLS)
    assert room.say("Hi! My name is Ada and I live in Rome.") == (
        "Hello! Noted: your name is Ada and you live in Rome."
    )
    assert room.called == ["memory_insert"]
    assert room.block.value == "Name: Ada\nLives in: Rome"
    assert room.say("What is my name?") == "Your name is Ada."
    assert room.called == []
    assert room.say("hello").startswith("Hello, Ada!")


def test_a_move_replaces_the_old_city() -> None:
    room = Room(*V3_TOOLS, human="Name: Ada\nLives in: Rome")
    assert room.say("I moved to Oslo") == "Noted: you live in Oslo."
    assert room.called == ["memory_replace"]
    assert room.block.value == "Name: Ada\nLives in: Oslo"
    assert room.say("I live in Oslo") == "I know: you live in Oslo."
    assert room.called == []


@pytest.mark.parametrize("recompiles", [False, True])
def test_many_corrections_at_once(recompiles: bool) -> None:
    room = Room(*V3_TOOLS, human="Name: A\nLives in: B\nJob: C")
    room.recompiles = recompiles
    said = room.say("My name is X, I live in Y, I work as a Z, my dog is Rex")
    assert said.startswith("Noted: your name is X")
    assert room.called == ["memory_replace"] * 3 + ["memory_insert"]
    assert room.block.value == "Name: X\nLives in: Y\nJob: Z\nDog: Rex"


def test_what_does_not_fit_into_a_turn_is_admitted() -> None:
    room = Room(*V3_TOOLS, human="Name: A\nLives in: B\nJob: C\nDog: D")
    said = room.say("My name is X, I live in Y, I work as a Z, my dog is Rex, my cat is Tom")
    assert said.endswith("I see that your cat is Tom, but that is too much for one turn.")
    assert "Cat" not in room.block.value


@pytest.mark.parametrize(
    ("human", "told"),
    [({"limit": 12}, "12 characters"), ({"read_only": True}, "read-only")],
)
def test_refusal_of_a_tool_is_told_in_words(human: dict[str, Any], told: str) -> None:
    room = Room(*V3_TOOLS, human="Name: A", **human)
    said = room.say("My dog is called Bartholomew")
    assert said.startswith("That did not work.") and told in said
    assert room.called == ["memory_insert"]


def test_what_was_said_is_searched_for() -> None:
    room = Room(*V3_TOOLS)
    room.say("The blue folder holds the contract.")
    said = room.say("What did I say about the folder?")
    assert room.called == ["conversation_search"]
    assert "“The blue folder holds the contract.” (2 days ago)" in said
    assert "found nothing about 'unicorns'" in room.say("did I mention unicorns?")


def test_archive_is_written_and_searched() -> None:
    room = Room("archival_memory_insert", "archival_memory_search")
    assert "Saved" in room.say("save the wifi code is hunter2 to your archive")
    assert room.archive == ["the wifi code is hunter2"]
    assert "hunter2" in room.say("search your archive for wifi")
    assert "no archival memory tool" in Room(*V3_TOOLS).say("save this: x")


def test_heartbeat_agent_speaks_through_its_tool() -> None:
    room = Room(
        "send_message", "core_memory_append", "core_memory_replace", agent_type="memgpt_agent"
    )
    assert room.say("My name is Ada") == "Noted: your name is Ada."
    assert room.called == ["core_memory_append", "send_message"]
    first, last = (json.loads(step.tool_calls[0].arguments) for step in room.steps)
    assert first["request_heartbeat"] is True and "request_heartbeat" not in last
    assert first["thinking"] and not room.steps[0].reasoning


def test_agent_with_only_the_memory_tool() -> None:
    room = Room("memory", human="Name: B")
    room.say("My name is Ada and my dog is Rex")
    sent = [json.loads(step.tool_calls[0].arguments) for step in room.steps[:2]]
    assert [one["command"] for one in sent] == ["str_replace", "insert"]
    assert sent[0]["path"] == "/memories/human"


def test_sleeptime_agent_reads_a_transcript_and_finishes() -> None:
    tools = ("memory_replace", "memory_insert", "memory_rethink", "memory_finish_edits")
    room = Room(*tools, agent_type="sleeptime_agent")
    assert room.say("user: My name is Ada\nassistant: I live in a server") == "(finished)"
    assert room.called == ["memory_insert", "memory_finish_edits"]
    assert room.block.value == "Name: Ada"


def test_agents_without_tools_or_blocks_answer_anyway() -> None:
    bare = Room()
    assert "no tool to note it with" in bare.say("My name is Ada")
    assert "demo model" in bare.say("What is love?")
    react = Room(agent_type="react_agent")
    assert "no memory block" in react.say("My name is Ada")


def test_named_tool_is_called_and_its_return_told() -> None:
    room = Room("get_weather")
    assert room.say('call get_weather with {"city": "Rome"}') == "get_weather returned: 20 degrees"
    assert json.loads(room.steps[0].tool_calls[0].arguments) == {"city": "Rome"}


def test_forced_tool_is_called_with_fitting_arguments() -> None:
    room = Room(*V3_TOOLS, "pick")
    schema = {
        "type": "object",
        "properties": {
            "label": {"type": "string"},
            "size": {"type": "integer"},
            "way": {"type": "string", "enum": ["up", "down"]},
            "note": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["label", "size", "way", "note"],
    }
    room.tools = (*room.tools[:-1], ToolSpec("pick", "", schema))
    room.add("user", "hello")
    (call,) = room.ask(forced_tool="pick").tool_calls
    assert json.loads(call.arguments) == {
        "label": "human",
        "size": 1,
        "way": "up",
        "note": "hello",
    }
    (call,) = room.ask(forced_tool="required").tool_calls
    assert call.name in V3_TOOLS
    assert room.ask(forced_tool="absent").tool_calls == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("help", "my name is Ada"),
        ("who are you", "rules, not a language model"),
        ("what do you know about me?", "- Name: Bo"),
        ("how are you?", "demo model"),
        ("thanks", "welcome"),
        ("bye", "Goodbye"),
        ("asdf", "did not understand"),
        ("What is the capital of France?", "did not understand"),
        ("where do I live?", "found nothing"),
        ("What is the secret?", "Secret: 42"),
        ('{"type": "user_message", "message": "what is my name?"}', "Bo"),
        ("", "did not understand"),
    ],
)
def test_answers(text: str, told: str) -> None:
    assert told in Room(*V3_TOOLS, human="Name: Bo\nSecret: 42").say(text)


def test_empty_notes_are_admitted() -> None:
    assert "nothing about you" in Room(*V3_TOOLS).say("what do you know about me?")


def test_stream_adds_up_to_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_WORD_DELAY_S", 0)
    room = Room(*V3_TOOLS)
    room.add("user", "My name is Ada")
    request = ChatRequest(
        ModelParams("letta/demo"),
        Transcript(system_of([room.block], "letta_v1_agent"), tuple(room.messages)),
        room.tools,
        stream=True,
    )

    async def collect() -> list[ReplyDelta | Reply]:
        return [piece async for piece in DemoLLM().ask(request)]

    *pieces, reply = asyncio.run(collect())
    assert isinstance(reply, Reply)
    deltas = [piece for piece in pieces if isinstance(piece, ReplyDelta)]
    assert len(deltas) > 5
    assert "".join(piece.reasoning for piece in deltas) == reply.reasoning
    assert "".join(piece.arguments for piece in deltas) == reply.tool_calls[0].arguments
    assert [piece.name for piece in deltas if piece.name] == ["memory_insert"]
    assert reply.usage.prompt_tokens > 50 and reply.usage.completion_tokens > 5
    assert reply.sent["system"].startswith("Be kind.")
