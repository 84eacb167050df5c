"""What the demo model says, put together from notes and from what tools returned. Pure."""

from collections.abc import Callable

from agents.llm.demo_notes import lookup, plan_notes
from agents.llm.demo_rules import Ask, Reading, keywords, topic_named
from agents.llm.demo_view import Turn, found
from agents.types import Json

LABEL = "I am the built-in demo model: rules, not a language model."
HELP = (
    f"{LABEL} Tell me about yourself (“my name is Ada”, “I moved to Oslo”, “I love climbing”, "
    "“remember that …”) and I note it in my memory. Ask “where do I live?” or “what do you know "
    "about me?” and I answer from it. “What did I say about …?” searches our conversation, and "
    "“save …” and “search your archive for …” use archival memory. For real conversation, choose "
    "a model of a provider in the settings."
)
_MEMORY_TOOLS = (
    "memory_insert",
    "memory_replace",
    "core_memory_append",
    "core_memory_replace",
    "memory",
)
_SEARCH_TOOLS = ("conversation_search", "archival_memory_search", "search_memory")
_SHOWN_CHARS = 240
_SHOWN_RESULTS = 3


def answer(turn: Turn, reading: Reading) -> str:
    """Return the words that end a turn."""
    if failure := turn.failure():
        return f"That did not work. The tool said: {_short(failure.removeprefix('Error: '))}"
    greeted = any(ask.kind == "greet" for ask in reading.asks)
    said = [_greeting(turn)] if greeted else []
    if reading.facts:
        said.append(_noted(turn, reading))
    said += [_ANSWERS[ask.kind](turn, ask) for ask in reading.asks if ask.kind != "greet"]
    if not said:
        return _unknown(turn)
    if said == [_greeting(turn)]:
        said.append(f"{LABEL} Tell me something about yourself, or say “help”.")
    return " ".join(dict.fromkeys(said))


def _greeting(turn: Turn) -> str:
    names = lookup("Name", turn.notes)
    return f"Hello, {names[-1]}!" if names else "Hello!"


def _noted(turn: Turn, reading: Reading) -> str:
    """Tell apart what was noted, what was known and what could not be noted."""
    passed = turn.passed_to(_MEMORY_TOOLS)
    noted = [fact.said for fact in reading.facts if fact.value in passed]
    others = [fact for fact in reading.facts if fact.value not in passed]
    known = [
        fact.said for fact in others if turn.human and not plan_notes([fact], turn.human.value)
    ]
    left = [fact.said for fact in others if fact.said not in known]
    said = [f"Noted: {_join(noted)}."] if noted else []
    said += [f"I know: {_join(known)}."] if known else []
    if left:
        lack = "memory block" if turn.human is None else "tool"
        why = "that is too much for one turn" if noted else f"I have no {lack} to note it with"
        said.append(f"I see that {_join(left)}, but {why}.")
    return " ".join(said)


def _topic(turn: Turn, ask: Ask) -> str:
    values = lookup(ask.query, turn.notes)
    row = topic_named(ask.query)
    if values and row and row.single:
        return _sentence(row.said.format(values[-1]))
    if values and row:
        return _sentence(row.said.format(_join(values)))
    if values:
        return f"Your {ask.query} is {_join(values)}."
    if turn.returned(*_SEARCH_TOOLS) is not None:
        return _results(turn, ask)
    return "I do not know that yet. Tell me and I will note it."


def _about_me(turn: Turn, _ask: Ask) -> str:
    if not turn.notes:
        return "I know nothing about you yet. Tell me your name, for a start."
    return "This is what my notes say about you:\n" + "\n".join(f"- {note}" for note in turn.notes)


def _persona(turn: Turn, _ask: Ask) -> str:
    if not turn.persona:
        return f"{LABEL} I keep notes about you and search our conversations."
    return f"{LABEL} My persona block says: “{_short(turn.persona)}”"


def _results(turn: Turn, ask: Ask) -> str:
    """Answer from notes and from a search, leaving out the question itself."""
    question = turn.said.strip()
    rows = [
        row
        for row in found(turn.returned(*_SEARCH_TOOLS))
        if row.get("content")
        and row["content"].strip() != question
        and row.get("role") != "assistant"
    ]
    lines = [f"- {line}" for line in matching(turn, ask.query)]
    lines += [_result(row) for row in rows[:_SHOWN_RESULTS]]
    if lines:
        return "This is what I found:\n" + "\n".join(lines)
    if ask.kind == "question":
        return _unknown(turn)
    return f"I searched, and found nothing about {keywords(ask.query)!r}."


def _result(row: Json) -> str:
    when = row.get("time_ago") or str(row.get("timestamp", ""))[:10]
    return f"- “{_short(row['content'])}”" + (f" ({when})" if when else "")


def matching(turn: Turn, query: str) -> list[str]:
    """Return the lines of the blocks that share a word with a query."""
    words = {word for word in keywords(query).lower().split() if len(word) > 2}
    lines = [*turn.notes, *turn.other_notes]
    return [line for line in lines if words & set(keywords(line).lower().split())]


def _stored(turn: Turn, ask: Ask) -> str:
    if turn.returned("archival_memory_insert") is not None:
        return f"Saved to archival memory: “{_short(ask.query)}”"
    return (
        "I have no archival memory tool, so I could not save that. Attach archival_memory_insert."
    )


def _called(turn: Turn, ask: Ask) -> str:
    returned = turn.returned(ask.query)
    if returned is not None:
        return f"{ask.query} returned: {_short(returned)}"
    return _unknown(turn)


def _unknown(turn: Turn) -> str:
    if turn.returns and turn.returns[-1].name not in (*_SEARCH_TOOLS, *_MEMORY_TOOLS):
        return f"{turn.returns[-1].name} returned: {_short(turn.returns[-1].text)}"
    return (
        f"{LABEL} I did not understand that. I can note what you tell me about yourself and find "
        "it again; say “help” to see how."
    )


_ANSWERS: dict[str, Callable[[Turn, Ask], str]] = {
    "help": lambda _turn, _ask: HELP,
    "persona": _persona,
    "about_me": _about_me,
    "topic": _topic,
    "find": _results,
    "recall": _results,
    "question": _results,
    "store": _stored,
    "tool": _called,
    "how_are_you": lambda _turn, _ask: f"All rules are in order. {LABEL} What about you?",
    "thanks": lambda _turn, _ask: "You are welcome.",
    "bye": lambda _turn, _ask: "Goodbye. I keep my notes until you are back.",
}


def _join(values: list[str]) -> str:
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_CHARS else flat[:_SHOWN_CHARS] + "…"
