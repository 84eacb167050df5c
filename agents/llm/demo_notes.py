"""How the demo model keeps its notes in a block: one line a fact, the newest in its place. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agents.llm.demo_rules import Fact, same_topic, topic_named


@dataclass(frozen=True, slots=True)
class NoteChange:
    """A change of the notes: `old` gives way to `new`; without `old` it is added at the end."""

    new: str
    old: str = ""


def plan_notes(facts: Iterable[Fact], value: str) -> list[NoteChange]:
    """Return the changes that bring notes up to date, replacements first.

    What is new goes into one change of several lines; what is known already makes none.
    """
    replaced: list[NoteChange] = []
    added: list[str] = []
    for fact in facts:
        old, new = _place(fact, value)
        if old and old != new:
            replaced.append(NoteChange(new, old))
            value = value.replace(old, new, 1)
        elif not old and not _knows(fact, [*added, *value.split("\n")]):
            added.append(fact.line)
    return [*replaced, NoteChange("\n".join(added))] if added else replaced


def lookup(topic: str, lines: Iterable[str]) -> list[str]:
    """Return the values that notes hold on a topic, from lines `Topic: value` or from free text."""
    kept = list(lines)
    values = [value for name, value in map(_split, kept) if name and same_topic(name, topic)]
    row = topic_named(topic)
    if values or row is None:
        return values
    return [
        match["v"].strip()
        for line in kept
        for pattern in row.seen
        if (match := re.search(pattern, line, re.IGNORECASE))
    ]


def _split(line: str) -> tuple[str, str]:
    name, colon, value = line.strip(" -*").partition(": ")
    return (name, value.strip()) if colon else ("", "")


def _knows(fact: Fact, lines: list[str]) -> bool:
    wanted = fact.value.casefold()
    values = (value.casefold() for value in lookup(fact.topic, lines))
    return any(value.rstrip(".") == wanted for value in values)


def _place(fact: Fact, value: str) -> tuple[str, str]:
    """Return the text that a fact makes outdated, and what takes its place; "" for none."""
    lines = value.split("\n")
    if fact.opposite:
        contrary = Fact(fact.opposite, fact.value, "")
        return (contrary.line, fact.line) if contrary.line in lines else ("", "")
    if not fact.single or _knows(fact, lines):
        return "", ""
    for line in lines:
        name, _ = _split(line)
        if name and same_topic(name, fact.topic):
            return line, fact.line
    return _in_words(fact, lines, value)


def _in_words(fact: Fact, lines: list[str], value: str) -> tuple[str, str]:
    """Return the place in free text, e.g. `lives in Rome`, widened until it occurs only once."""
    row = topic_named(fact.topic)
    for line in lines if row else ():
        for pattern in row.seen if row else ():
            if match := re.search(pattern, line, re.IGNORECASE):
                changed = line[: match.start("v")] + fact.value + line[match.end("v") :]
                old = match[0]
                if value.count(old) > 1:
                    return line, changed
                return old, old[: match.start("v") - match.start()] + fact.value
    return "", ""
