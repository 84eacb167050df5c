"""What the demo model understands of a message: rules, not a language model. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agents.llm.demo_topics import TOPICS, Topic


@dataclass(frozen=True, slots=True)
class Fact:
    """Something the user told. `line` is how it is noted, `said` how it is repeated to them."""

    topic: str
    value: str
    said: str
    single: bool = True
    opposite: str = ""

    @property
    def line(self) -> str:
        """The line in the notes."""
        return f"{self.topic}: {self.value}"


@dataclass(frozen=True, slots=True)
class Ask:
    """Something the user wants. `query` is what it is about, if anything."""

    kind: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message, understood as far as the rules go."""

    facts: tuple[Fact, ...] = ()
    asks: tuple[Ask, ...] = ()


_ARCHIVE = "(?:the |your |my )?(?:archives?|archival memory)"
_OWN = re.compile(
    r"my (?P<t>(?!question|guess|point|problem|bad|pleasure|apologies)[a-z][\w -]{1,30}?)"
    r"(?:'s name)? (?:is|are)(?: called| named)? (?P<v>.+)",
    re.IGNORECASE,
)
_HAVE = re.compile(r"i have an? (?P<t>[\w-]+) (?:called|named) (?P<v>.+)", re.IGNORECASE)
_NOTE = re.compile(
    r"(?:remember|note|keep in mind|don't forget|do not forget)(?: that| this:?|:)? (?P<v>.+)",
    re.IGNORECASE,
)
_STORE = re.compile(
    r"(?:please )?(?:save|archive|store)(?: this| that| the following)?"
    rf"(?: (?:to|in|into) {_ARCHIVE})?\s*[:,]?\s+(?P<q>.+)",
    re.IGNORECASE | re.DOTALL,
)
_STORE_TAIL = re.compile(
    r" (?:to|in|into) (?:the |your |my )?(?:archive|archival memory)\W*$", re.I
)
_TOOL = re.compile(
    r"(?:please )?(?:call|use|run) (?:the )?(?:tool )?[`'\"]?(?P<q>\w+)", re.IGNORECASE
)

# In this order; the first that matches a clause counts. Group `q` is what it is about.
_ASKS: tuple[tuple[str, str], ...] = (
    ("help", r"(?:help\b|what can you do|what are you able to|how do (?:you work|i use you))"),
    ("persona", r"(?:who|what) are you|what(?:'s| is) your name|tell me about yourself"),
    (
        "about_me",
        r"(?:what|tell me what)(?: else)? (?:do you|you) (?:know|remember|have noted) about me"
        r"|tell me about me\b|do you (?:know|remember) me\b",
    ),
    (
        "find",
        rf"(?:search|look|find)(?: up| in| through)* {_ARCHIVE}(?: (?:for|about))? (?P<q>.+)"
        rf"|what(?:'s| is) in {_ARCHIVE}(?: (?:on|about))?(?P<q2>.*)"
        r"|look up (?P<q3>.+)",
    ),
    (
        "recall",
        r"do you (?:still )?remember (?!my )(?:what i (?:said|told you) about |that )?(?P<q>.+)"
        r"|what did (?:i|we|you) (?:say|tell you|talk|discuss|mention)(?: about)? ?(?P<q2>.*)"
        r"|(?:did|have) (?:i|we) (?:ever )?(?:mention|mentioned|say|said|tell you|talk|talked)"
        r"(?: about| that)? ?(?P<q3>.*)"
        r"|search (?:our|the|this) (?:conversations?|history|messages)(?: for)? (?P<q4>.+)",
    ),
    ("how_are_you", r"how are you|how(?:'s| is) it going|hows it going|what's up"),
    ("thanks", r"(?:thanks|thank you|thx)\b"),
    ("bye", r"(?:bye|goodbye|good night|see you)\b"),
)
_ASK_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _ASKS]
_GREETING = re.compile(
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings)\b", re.IGNORECASE
)
_MINE = re.compile(
    r"(?:what|when|who|which|where|how)(?:'s| is| are)? (?:was )?my (?P<q>.+?)"
    r"(?:'s name| called| named)?$|do you (?:know|remember) my (?P<q2>.+)",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"(?:what|when|who|whom|whose|which|where|why|how|do|does|did|is|are|can|could|will|would)\b",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:(?:hi|hello|hey|so|well|yes|no|actually|also|and|but|oh|now|btw|by the way|please|ok|okay|"
    r"you know|fyi|there|then)\b[,:!\s]*)+(?=\S)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"(?:\b(?:St|Dr|Mr|Mrs|Ms|Prof)\.|[^.!?;\n]|[.!?](?=\S))+[.!?;\n]?")
_JOINT = re.compile(
    r",?\s+(?:and|but)\s+(?=(?:now )?(?:i|my|call me)\b)|[,:]\s*(?=(?:i|my)\b)", re.IGNORECASE
)
_TAIL = re.compile(
    r"[\s,]+(?:now|these days|recently|today|yesterday|(?:last|this) (?:week|month|year)|too|"
    r"though|(?:a|one|two|\d+) (?:days?|weeks?|months?|years?) ago|as well|by the way|btw|please)$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_][\w'-]*")
_STOP = frozenset(
    "a about an and any are at be did do does for from had has have how i in is it know me my of "
    "on or our said say tell that the there this to told was we were what when where which who why "
    "will with would you your remember mention talk ever still something anything".split()
)


def read(text: str) -> Reading:
    """Return what the rules make of a message; nothing in it when they make nothing of it."""
    text = text.replace("\u2019", "'").strip()
    if stored := _STORE.match(text):
        return Reading(asks=(Ask("store", _STORE_TAIL.sub("", stored["q"]).strip()),))
    facts: list[Fact] = []
    asks: list[Ask] = []
    for clause, is_question in clauses(text):
        if fact := None if is_question else fact_of(clause):
            facts.append(fact)
        elif ask := ask_of(clause, is_question):
            asks.append(ask)
    return Reading(tuple(facts), tuple(asks))


def clauses(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the clauses of a text, each with whether it ends in a question mark."""
    for match in _CLAUSE.finditer(text):
        sentence = match[0].strip()
        for part in _JOINT.split(sentence.rstrip(".!?; ")):
            if part and part.strip():
                yield part.strip(), sentence.endswith("?")


def fact_of(clause: str) -> Fact | None:
    """Return what a clause tells about the user."""
    bare = _FILLER.sub("", clause, count=1) if _FILLER.match(clause) else clause
    for topic in TOPICS:
        for pattern in topic.told:
            if match := re.match(pattern, bare, re.IGNORECASE):
                value = _value(match["v"])
                said = topic.said.format(value)
                return Fact(topic.name, value, said, topic.single, topic.opposite)
    if match := _OWN.match(bare) or _HAVE.match(bare):
        return _own_fact(match["t"].strip(), _value(match["v"]))
    if match := _NOTE.match(bare):
        inner = _value(match["v"])
        return fact_of(inner) or Fact("Note", inner, f"you want me to remember: {inner}", False)
    return None


def ask_of(clause: str, is_question: bool) -> Ask | None:
    """Return what a clause asks for; a mere statement gives None."""
    bare = _FILLER.sub("", clause, count=1) if _FILLER.match(clause) else clause
    for topic in TOPICS:
        if any(re.match(pattern, bare, re.IGNORECASE) for pattern in topic.asked):
            return Ask("topic", topic.name)
    for kind, pattern in _ASK_PATTERNS:
        if match := pattern.match(bare):
            return Ask(kind, _about(match))
    if match := _MINE.match(bare):
        return Ask("topic", (match["q"] or match["q2"]).strip())
    if match := _TOOL.match(bare):
        return Ask("tool", match["q"])
    if _GREETING.match(clause):
        return Ask("greet")
    return Ask("question", bare) if is_question or _QUESTION.match(bare) else None


def keywords(text: str) -> str:
    """Return the words of a text that are worth searching for, or the text when none are."""
    words = [word for word in _WORD.findall(text) if word.lower() not in _STOP]
    return " ".join(words) or text.strip()


def same_topic(one: str, other: str) -> bool:
    """Tell whether two names of topics mean the same: case and spelling of favo(u)rite aside."""
    return _plain(one) == _plain(other)


def topic_named(name: str) -> Topic | None:
    """Return the topic of this name that the rules know more about."""
    return next((topic for topic in TOPICS if same_topic(topic.name, name)), None)


def _plain(name: str) -> str:
    return " ".join(
        name.lower().replace("favourite", "favorite").replace("colour", "color").split()
    )


def _own_fact(topic: str, value: str) -> Fact:
    verb = "are" if topic.endswith("s") and not topic.endswith("ss") else "is"
    return Fact(topic[0].upper() + topic[1:], value, f"your {topic} {verb} {value}")


def _value(text: str) -> str:
    value = text.strip().rstrip(".!,; ")
    return _TAIL.sub("", value).strip() or value


def _about(match: re.Match[str]) -> str:
    return next((text.strip() for text in match.groups() if text and text.strip()), "")
