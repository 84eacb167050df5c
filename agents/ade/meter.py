"""The context window as a bar: sections with their share of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

BAR_WIDTH = 1000
_LABELS = {
    "system": lazy("System"),
    "tools": lazy("Tools"),
    "memory": lazy("Memory"),
    "summary": lazy("Summary"),
    "messages": lazy("Messages"),
    "files": lazy("Files"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the window. `x` and `width` are in thousandths of the bar."""

    key: str
    label: str
    tokens: int
    x: int
    width: int
    percent: int


@dataclass(frozen=True, slots=True)
class Meter:
    """The whole window."""

    sections: tuple[Section, ...]
    used: int
    window: int

    @property
    def free(self) -> int:
        """Tokens left."""
        return max(0, self.window - self.used)

    @property
    def percent(self) -> int:
        """The share in use, in percent."""
        return min(100, round(100 * self.used / max(1, self.window)))

    @property
    def left_percent(self) -> int:
        """The share left, in percent."""
        return 100 - self.percent

    @property
    def sentence(self) -> str:
        """The bar in words."""
        return _("%(used)s of %(window)s tokens used, %(left)s%% left") % {
            "used": f"{self.used:,}",
            "window": f"{self.window:,}",
            "left": self.left_percent,
        }


def measure(parts: Iterable[tuple[str, int]], window: int) -> Meter:
    """Lay the sections out along the bar, in the order given, leaving out empty ones."""
    sections: list[Section] = []
    used = 0
    scale = BAR_WIDTH / max(1, window)
    for key, tokens in parts:
        if not tokens:
            continue
        x = min(BAR_WIDTH, round(used * scale))
        width = min(BAR_WIDTH - x, max(2, round(tokens * scale)))
        percent = round(100 * tokens / max(1, window))
        sections.append(Section(key, str(_LABELS.get(key, key)), tokens, x, width, percent))
        used += tokens
    return Meter(tuple(sections), used, window)
