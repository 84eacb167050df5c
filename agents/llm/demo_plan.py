"""What the demo model does next: the calls a message asks for, one a step, then an answer. Pure."""

import json
import re
from dataclasses import dataclass

from agents.llm.demo_answers import answer
from agents.llm.demo_notes import NoteChange, lookup, plan_notes
from agents.llm.demo_rules import Ask, Reading, keywords, read
from agents.llm.demo_view import Turn
from agents.types import Json

MOST_CALLS = 4
FINISH_TOOLS = ("memory_finish_edits", "finish_rethinking_memory")
_LAST_TOOLS = ("send_message", *FINISH_TOOLS)
_TRANSCRIPT = re.compile(r"^\W*(?:user|human)\W*: ?(?P<said>.+)$", re.IGNORECASE | re.MULTILINE)
_JSON_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Move:
    """Call `tool` with `arguments`, or, without a tool, say `text`. `why` is the reasoning."""

    why: str
    text: str = ""
    tool: str = ""
    arguments: Json | None = None


def next_move(turn: Turn, forced_tool: str | None) -> Move:
    """Return the next move. `forced_tool` is a name, "required" for any call, or None."""
    reading = _read(turn)
    move = _next_call(turn, reading) or _last_move(turn, reading)
    if forced_tool is None or move.tool == forced_tool:
        return move
    if forced_tool == "required":
        return move if move.tool else _forced(turn, _any_tool(turn), move)
    return _forced(turn, forced_tool, move)


def _read(turn: Turn) -> Reading:
    if turn.first_tool(*FINISH_TOOLS) and "send_message" not in turn.tools:
        # Such an agent is handed a transcript of others: only what their user said counts.
        lines = [match["said"] for match in _TRANSCRIPT.finditer(turn.said)]
        return Reading(read("\n".join(lines) if lines else turn.said).facts)
    return read(turn.said)


def _next_call(turn: Turn, reading: Reading) -> Move | None:
    if turn.failure() or len(turn.returns) >= MOST_CALLS:
        return None
    # Whether the prompt shows the notes made a moment ago is up to the loop; both ways work.
    calls = _calls(turn, reading)
    return next((one for one in calls if not turn.has_called(one.tool, one.arguments or {})), None)


def _calls(turn: Turn, reading: Reading) -> list[Move]:
    moves = _note_calls(turn, reading)
    for ask in reading.asks:
        move = _call_for(turn, ask)
        if move and move.tool not in {known.tool for known in moves}:
            moves.append(move)
    return moves


def _note_calls(turn: Turn, reading: Reading) -> list[Move]:
    human = turn.human
    if human is None or not reading.facts:
        return []
    moves = [_edit(turn, human.label, change) for change in plan_notes(reading.facts, human.value)]
    return [move for move in moves if move]


def _edit(turn: Turn, label: str, change: NoteChange) -> Move | None:
    if change.old:
        why = f"My notes say {change.old!r}; that is out of date, so I replace it."
        tool = turn.first_tool("memory_replace", "core_memory_replace", "memory")
        shapes: dict[str, Json] = {
            "memory_replace": {"old_string": change.old, "new_string": change.new},
            "core_memory_replace": {"old_content": change.old, "new_content": change.new},
            "memory": {
                "command": "str_replace",
                "old_string": change.old,
                "new_string": change.new,
            },
        }
    else:
        news = change.new.replace("\n", ", ")
        why = f"This is new ({news}), so I add it to my notes."
        tool = turn.first_tool("memory_insert", "core_memory_append", "memory")
        shapes = {
            "memory_insert": {"new_string": change.new},
            "core_memory_append": {"content": change.new},
            "memory": {"command": "insert", "insert_text": change.new},
        }
    if tool is None:
        return None
    place = {"path": f"/memories/{label}"} if tool == "memory" else {"label": label}
    return Move(why, tool=tool, arguments={**place, **shapes[tool]})


def _call_for(turn: Turn, ask: Ask) -> Move | None:
    if ask.kind == "store" and "archival_memory_insert" in turn.tools:
        why = "I am asked to keep this; it goes into the archive."
        return Move(why, tool="archival_memory_insert", arguments={"content": ask.query})
    if ask.kind == "tool" and ask.query in turn.tools:
        given = _given_arguments(turn.said)
        arguments = {**_filled(turn, ask.query), **given}
        return Move(f"I am asked to call {ask.query}.", tool=ask.query, arguments=arguments)
    if ask.kind in ("recall", "find", "question", "topic") and not _in_notes(turn, ask):
        return _search(turn, ask)
    return None


def _in_notes(turn: Turn, ask: Ask) -> bool:
    return ask.kind == "topic" and bool(lookup(ask.query, turn.notes))


def _search(turn: Turn, ask: Ask) -> Move | None:
    order = ["conversation_search", "archival_memory_search"]
    if ask.kind == "find" or (ask.kind == "recall" and "conversation_search" not in turn.tools):
        order.reverse()
    tool = turn.first_tool(*order, "search_memory")
    if tool is None:
        return None
    words = keywords(ask.query)
    query: Json = {"query": words}
    if tool == "search_memory":
        query = {"convo_keyword_queries": [words]}
    return Move(f"My notes do not say it, so I search for {words!r}.", tool=tool, arguments=query)


def _last_move(turn: Turn, reading: Reading) -> Move:
    """Return the move that ends the turn: an answer, in the way the agent speaks."""
    text = answer(turn, reading)
    tool = turn.first_tool(*_LAST_TOOLS)
    if tool == "send_message":
        return Move("", tool=tool, arguments={"message": text})
    if tool and turn.returned(tool) is None:
        return Move("Nothing is left to change.", tool=tool, arguments={})
    return Move("", text=text)


def _any_tool(turn: Turn) -> str:
    preferred = turn.first_tool(*_LAST_TOOLS, "conversation_search", "archival_memory_search")
    return preferred or next(iter(turn.tools), "")


def _forced(turn: Turn, tool: str, move: Move) -> Move:
    if tool not in turn.tools:
        return move
    arguments = {**_filled(turn, tool, move.text), **_given_arguments(turn.said)}
    return Move(f"The rules make me call {tool} now.", tool=tool, arguments=arguments)


def _given_arguments(said: str) -> Json:
    match = _JSON_OBJECT.search(said)
    try:
        parsed = json.loads(match[0]) if match else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _filled(turn: Turn, tool: str, text: str = "") -> Json:
    """Return arguments that fit a tool's schema, made of what there is."""
    schema = turn.tools[tool].parameters
    properties = schema.get("properties") or {}
    return {
        name: _fill(turn, name, properties[name], text)
        for name in schema.get("required") or ()
        if name in properties
    }


def _fill(turn: Turn, name: str, rule: Json, text: str) -> object:
    if rule.get("enum"):
        return rule["enum"][0]
    if name in ("label", "target_block_label"):
        return turn.human.label if turn.human else ""
    if name == "message" and text:
        return text
    empty: dict[object, object] = {"integer": 1, "number": 1, "boolean": False}
    empty |= {"array": [], "object": {}}
    kind = rule.get("type")
    return empty[kind] if isinstance(kind, str) and kind in empty else turn.said
