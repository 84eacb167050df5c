"""What counts as nearly the same text."""

from __future__ import annotations

import pytest

from memory.logic.resemblance import ALIKE, fingerprint, resemblance


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("The door code is 4711.", "the door-code is 4711", True),
        ("The door code is 4711.", "The door code of the house is 4711.", False),
        ("Ada likes green tea in the morning.", "Ada likes green tea in the mornings.", True),
        ("Ada likes green tea.", "Ada moved to Oslo last year.", False),
        ("猫が好きです。寿司も好きです。", "猫が好きです、寿司も好きです", True),
        ("猫が好きです", "犬を散歩に連れて行く", False),
        ("ＡＢＣ　１２３", "abc 123", True),
        ("", "x", False),
    ],
)
def test_texts_are_compared_by_their_words_and_order(one: str, other: str, alike: bool) -> None:
    degree = resemblance(fingerprint(one), fingerprint(other))
    assert degree == resemblance(fingerprint(other), fingerprint(one))
    assert 0 <= degree <= 1
    assert (degree >= ALIKE) is alike, degree
