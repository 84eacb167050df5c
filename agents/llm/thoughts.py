"""Thinking that a model writes into its text, in tags at the head. Pure."""

from dataclasses import dataclass
from typing import Literal

OPENING, CLOSING = "<think>", "</think>"


@dataclass
class Thoughts:
    """Tells thoughts from words while a text arrives in pieces."""

    place: Literal["head", "inside", "behind", "words"] = "head"
    held: str = ""

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next piece; return the thoughts and the words that are certain now."""
        self.held += text
        if self.place == "head" and not self._opens():
            return "", ""
        thought = self._inside() if self.place == "inside" else ""
        if self.place == "behind":
            self.held = self.held.lstrip()
            self.place = "words" if self.held else "behind"
        return thought, self._take(len(self.held)) if self.place == "words" else ""

    def rest(self) -> tuple[str, str]:
        """Return what was kept back until the end."""
        held = self._take(len(self.held))
        return (held, "") if self.place == "inside" else ("", held)

    def _opens(self) -> bool:
        """Tell whether it is clear by now how the text begins."""
        head = self.held.lstrip()
        if OPENING.startswith(head) and head != OPENING:
            return False
        if head.startswith(OPENING):
            self.place, self.held = "inside", head[len(OPENING) :]
        else:
            self.place = "words"
        return True

    def _inside(self) -> str:
        at = self.held.find(CLOSING)
        if at < 0:
            kept = next(n for n in range(len(CLOSING), -1, -1) if self.held.endswith(CLOSING[:n]))
            return self._take(len(self.held) - kept)
        thought = self._take(at)
        self.held, self.place = self.held[len(CLOSING) :], "behind"
        return thought

    def _take(self, length: int) -> str:
        taken, self.held = self.held[:length], self.held[length:]
        return taken
