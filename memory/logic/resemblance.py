"""How much two texts are alike, by the words and their order. PURE."""

import re
import unicodedata
from dataclasses import dataclass

SHINGLE_CHARS = 3
ALIKE = 0.8  # from here on two texts are reported as saying nearly the same
_GAP = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A text as it is compared: without case, marks and spacing."""

    text: str
    shingles: frozenset[str]


def fingerprint(text: str) -> Fingerprint:
    """Return what is compared of a text: its overlapping pieces of three characters.

    Characters, not words, so that scripts without spaces are compared as well.
    """
    plain = _GAP.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    last = max(1, len(plain) - SHINGLE_CHARS + 1)
    return Fingerprint(
        plain, frozenset(plain[at : at + SHINGLE_CHARS] for at in range(last) if plain)
    )


def resemblance(one: Fingerprint, other: Fingerprint) -> float:
    """Return from 0 to 1 how much of both texts is common: 1 when they are the same.

    The Jaccard coefficient of their shingles (Broder, "On the resemblance and containment of
    documents", 1997).
    """
    if one.text == other.text:
        return 1.0
    common = len(one.shingles & other.shingles)
    return common / (len(one.shingles) + len(other.shingles) - common)
