"""What one can tell the demo model about oneself: a table of patterns. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """Something one can say about oneself. Patterns are matched from the start of a clause.

    `told` and `asked` are what people say, with the value in group `v`; `seen` finds the value in
    notes that were written by others. `said` puts it into words. `opposite` is the topic that a
    same value cannot be in as well.
    """

    name: str
    said: str
    told: tuple[str, ...]
    asked: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    single: bool = True
    opposite: str = ""


_I_AM = r"i(?:'m| am)"
_REST = r"(?P<v>.+)"
_NO_NAMES = "sorry|fine|good|great|ok|okay|tired|happy|sad|back|here|not|just|sure|so|very|ready"
_NO_JOBS = "bit|little|lot|fan|huge|big|person|member|user|new|happy|long|good|bad|great|beginner"

TOPICS = (
    Topic(
        "Name",
        "your name is {}",
        (
            rf"(?:my name is|my name's|{_I_AM} called|{_I_AM} named|(?:you can )?call me)"
            r" (?!later|back|tomorrow|when|if|at\b)"
            r"(?P<v>[^\W\d_][\w'.-]*(?: [^\W\d_][\w'.-]*){0,3})",
            rf"{_I_AM} (?!(?:{_NO_NAMES})\b)(?P<v>(?-i:[A-Z])[\w'-]+(?: (?-i:[A-Z])[\w'-]+)?)$",
        ),
        (r"(?:what(?:'s| is)|do you (?:know|remember)|tell me|say) my (?:full )?name", "who am i"),
        (r"\bname(?: is|'s|:) (?P<v>[^.,;\n]+)", r"\bcalled (?P<v>[^.,;\n]+)"),
    ),
    Topic(
        "Lives in",
        "you live in {}",
        (
            rf"(?:i (?:now |currently )?live|{_I_AM} (?:now )?(?:living|based)) in {_REST}",
            rf"i(?:'ve| have)?(?: just| now| recently)? moved(?: from .+?)? to {_REST}",
        ),
        ("where (?:do i|am i) (?:live|living|based)", "(?:what|which) (?:city|town|place) do i"),
        (r"\b(?:lives?|living|based|moved) (?:in|to) (?P<v>[^.,;\n]+)",),
    ),
    Topic(
        "Comes from",
        "you come from {}",
        (rf"(?:i come|{_I_AM}(?: originally)?) from {_REST}",),
        ("where (?:do i come|am i) from",),
    ),
    Topic(
        "Works at",
        "you work at {}",
        (rf"i (?:now )?work (?:at|for) {_REST}",),
        ("where do i work", "who do i work for"),
        (r"\bworks (?:at|for) (?P<v>[^.,;\n]+)",),
    ),
    Topic(
        "Job",
        "your job is {}",
        (
            rf"i (?:now )?work as (?:an? )?{_REST}",
            rf"{_I_AM} (?:now )?an? (?!(?:{_NO_JOBS})\b){_REST}",
        ),
        ("what do i do for (?:a living|work)", r"what do i (?:work|do)\b"),
        (r"\bworks as (?:an? )?(?P<v>[^.,;\n]+)",),
    ),
    Topic(
        "Age",
        "you are {}",
        (rf"{_I_AM} (?P<v>\d{{1,3}} years? old)",),
        ("how old am i",),
    ),
    Topic(
        "Likes",
        "you like {}",
        (rf"i (?:really |also )?(?:like|love|enjoy|adore) {_REST}",),
        ("what (?:do|things do) i (?:like|love|enjoy)", "what are my (?:hobbies|interests)"),
        (r"\b(?:likes|loves|enjoys) (?P<v>[^.;\n]+)",),
        single=False,
        opposite="Dislikes",
    ),
    Topic(
        "Dislikes",
        "you do not like {}",
        (rf"i (?:really )?(?:hate|dislike|(?:don't|do not) (?:really )?like|can't stand) {_REST}",),
        ("what (?:do|don't) i (?:not like|hate|dislike|like least)", "what don't i like"),
        (r"\b(?:hates|dislikes) (?P<v>[^.;\n]+)",),
        single=False,
        opposite="Likes",
    ),
    Topic(
        "Prefers",
        "you prefer {}",
        (rf"i(?:'d| would)? prefer {_REST}",),
        ("what do i prefer",),
        single=False,
    ),
)
