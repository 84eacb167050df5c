"""Calls that are not quite what the protocol asks for: mended where the meaning is one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.engine.arguments import MAX_ARGUMENT_CHARS, read_arguments, unreadable_steps
from agents.llm.thoughts import Thoughts
from agents.llm.tolerant import known_name, read_object, tidy_call
from agents.llm.tool_text import Holdback, calls_in_text
from agents.types import ToolCall
from tests.pure.in_memory import spec_of, user

TOOLS = ("look", "web_search")
KEYS = st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
OBJECTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", {}),
        ("{}", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1}{"a": 1}', {"a": 1}),
        ('{}{"a": 1}', {"a": 1}),
        ('{"a": 1}{"a": 2}', None),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": 1}</tool_call>', {"a": 1}),
        ('{"a": 1} and more', None),
        ('{"a": "b"', {"a": "b"}),
        ('{"a": {"b": [true', {"a": {"b": [True]}}),
        ('{"a": "b', None),
        ('{"a": 12', None),
        ('{"a":', None),
        ('{"a": "b",', None),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('{"a": "x,}",}', {"a": "x,}"}),
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ("{'a': open('x')}", None),
        ('{"a": NaN}', None),
        ("[1]", None),
        ("7", None),
        ("hello", None),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ("{" * 5000, None),
    ],
)
def test_what_arguments_stand_for(text: str, meant: object) -> None:
    assert read_object(text) == meant


@given(OBJECTS)
def test_good_arguments_are_left_alone(values: dict[str, object]) -> None:
    text = json.dumps(values)
    assert read_object(text) == values


@given(OBJECTS)
def test_doubled_and_fenced_and_wrapped_arguments_keep_their_meaning(
    values: dict[str, object],
) -> None:
    text = json.dumps(values)
    for spoilt in (text + text, f"{text}\n{text}", f"```json\n{text}\n```", json.dumps(text)):
        assert read_object(spoilt) == values


@given(OBJECTS, st.data())
def test_a_cut_is_mended_without_inventing_or_losing_a_word(
    values: dict[str, object], data: st.DataObject
) -> None:
    text = json.dumps(values)
    cut = data.draw(st.integers(1, len(text) - 1))
    found = read_object(text[:cut])
    if found is None:
        return
    # What was read is a beginning of what was meant: every text and number in it is whole.
    assert set(leaves(found)) <= set(leaves(values))


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in [repr(key), *leaves(one)]]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    return [repr(value)]


@given(st.text())
@settings(max_examples=300)
def test_no_text_breaks_the_reader(text: str) -> None:
    for whole in (True, False):
        call = tidy_call(ToolCall("1", text, text), TOOLS, whole=whole)
        assert len(call.name) <= 64
        call.arguments.encode()
    assert isinstance(calls_in_text(text, TOOLS)[0], str)


@given(
    st.text(alphabet='{}[]",:\\ \nab1<>/`'),
    st.sampled_from(['{"', "[{", "```json\n", "<tool_call>{"]),
)
@settings(max_examples=300)
def test_no_broken_json_breaks_the_reader(text: str, start: str) -> None:
    read_object(start + text)
    calls_in_text(start + text, TOOLS)


def test_a_cut_answer_is_not_guessed_at() -> None:
    assert read_object('{"a": "b"', whole=False) is None
    assert read_object('{"a": "b"}', whole=False) == {"a": "b"}


def test_arguments_too_long_are_kept_short_and_refused() -> None:
    text = json.dumps({"a": "x" * (MAX_ARGUMENT_CHARS + 1)})
    call = tidy_call(ToolCall("1", "look", text), TOOLS, whole=True)
    assert len(call.arguments) < 1000
    assert f"{len(text):,} characters" in read_arguments(call.arguments).error


def test_odd_characters_inside_of_arguments_are_replaced() -> None:
    call = tidy_call(ToolCall("1", "look", '{"a": "x\\ud800\\u0000"}'), TOOLS, whole=True)
    assert json.loads(call.arguments) == {"a": "x\ufffd\ufffd"}


def test_a_reply_of_a_prescribed_shape_becomes_words() -> None:
    call = tidy_call(ToolCall("1", "send_message", '{"message": {"a": 1}}'), (), whole=True)
    assert json.loads(call.arguments) == {"message": '{"a": 1}'}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("look", "look"),
        (" look ", "look"),
        ("functions.look", "look"),
        ("Look", "look"),
        ("launch rocket!", "launch_rocket_"),
        ("", "unknown_tool"),
        ("x" * 200, "x" * 64),
    ],
)
def test_names(name: str, meant: str) -> None:
    assert known_name(name, TOOLS) == meant


CALL = '{"name": "look", "arguments": {"at": "sky"}}'


@pytest.mark.parametrize(
    ("text", "rest", "made"),
    [
        ("Just words.", "Just words.", []),
        (f"<tool_call>{CALL}</tool_call>", "", [{"at": "sky"}]),
        (f"Hm. <tool_call>\n{CALL}\n</tool_call>", "Hm. ", [{"at": "sky"}]),
        (f"<tool_call>{CALL}</tool_call><tool_call>{CALL}", "", [{"at": "sky"}] * 2),
        (f"```json\n{CALL}\n```", "", [{"at": "sky"}]),
        (f"[TOOL_CALLS] [{CALL}, {CALL}]", "", [{"at": "sky"}] * 2),
        ('<function=look>{"at": "sky"}</function>', "", [{"at": "sky"}]),
        ('{"name": "look", "parameters": {"at": "sky"}}', "", [{"at": "sky"}]),
        ('{"type": "function", "function": {"name": "look", "arguments": {}}}', "", [{}]),
        ('{"name": "Bob", "parameters": {}}', '{"name": "Bob", "parameters": {}}', []),
        ('```json\n{"name": "look"}\n```', '```json\n{"name": "look"}\n```', []),
        (f"Write {CALL} to look.", f"Write {CALL} to look.", []),
    ],
)
def test_calls_written_into_the_text(text: str, rest: str, made: list[object]) -> None:
    left, calls = calls_in_text(text, TOOLS)
    assert left == rest
    assert [json.loads(call.arguments) for call in calls] == made
    assert {call.name for call in calls} <= {"look"}


@given(st.lists(st.sampled_from(["a", " ", "<", "<tool_call>", "`", "```json", "{", "x\n", "["])))
def test_what_is_kept_back_comes_in_the_end_and_nothing_twice(pieces: list[str]) -> None:
    holdback = Holdback()
    shown = "".join(holdback.feed(piece) for piece in pieces)
    whole = "".join(pieces)
    assert shown + holdback.rest(whole) == whole
    assert "<tool_call>" not in shown


@pytest.mark.parametrize(
    ("text", "thought", "words"),
    [
        ("Hello.", "", "Hello."),
        ("<think>Hm, x < y.</think>\n\nHello.", "Hm, x < y.", "Hello."),
        ("\n<think>Hm.", "Hm.", ""),
        ("<think></think>Hello.", "", "Hello."),
        ("<thinking is hard>", "", "<thinking is hard>"),
        ("I <think> so.", "", "I <think> so."),
        ("<th", "", "<th"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_thoughts_in_tags(text: str, thought: str, words: str, size: int) -> None:
    reader = Thoughts()
    pairs = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
    pairs.append(reader.rest())
    assert "".join(pair[0] for pair in pairs) == thought
    assert "".join(pair[1] for pair in pairs) == words


def test_steps_without_a_readable_call_are_counted() -> None:
    broken, good = ToolCall("1", "look", "{"), ToolCall("2", "look", "{}")
    run_id = spec_of().run_id

    def step(*calls: ToolCall) -> object:
        return user("").__class__(
            "message-1", "assistant", user("").created_at, tool_calls=calls, run_id=run_id
        )

    history = [step(good), step(broken), user("x"), step(broken, broken)]
    assert unreadable_steps(history, run_id, [broken]) == 3  # type: ignore[arg-type]
    assert unreadable_steps(history, run_id, [broken, good]) == 0  # type: ignore[arg-type]
    assert unreadable_steps(history, "run-other", [broken]) == 1  # type: ignore[arg-type]
    assert unreadable_steps(history, run_id, []) == 0  # type: ignore[arg-type]
