"""Cutting texts into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.logic.chunking import CHUNK_CHARS, chunk

KINDS = ("plain", "markdown", "code")
TEXTS = st.text(alphabet="ab .!\n#\té漢", max_size=400)


@given(TEXTS, st.sampled_from(KINDS), st.integers(20, 60))
def test_no_word_is_lost_and_no_piece_is_too_large(text, kind, size):
    chunks = chunk(text, kind, size=size)
    covered = {at for one in chunks for at in range(one.start, one.end)}
    assert all(text[at].isspace() or at in covered for at in range(len(text)))
    assert all(0 < one.end - one.start <= size for one in chunks)
    assert all(text[one.start : one.end].strip() for one in chunks)
    assert [one.start for one in chunks] == sorted({one.start for one in chunks})


@given(TEXTS, st.sampled_from(KINDS))
def test_a_piece_knows_its_line(text, kind):
    for one in chunk(text, kind, size=30):
        assert one.line == text.count("\n", 0, one.start) + 1


def test_a_short_text_is_one_piece():
    assert [(one.start, one.end) for one in chunk("Hello.\n", "plain")] == [(0, 6)]
    assert chunk(" \n\n", "plain") == []


def pieces(text, kind, size):
    return [text[one.start : one.end] for one in chunk(text, kind, size=size)]


def test_markdown_is_cut_at_headings():
    text = "# One\n\naaa bbb\n\n# Two\n\nccc ddd\n"
    assert pieces(text, "markdown", 22) == ["# One\n\naaa bbb", "# Two\n\nccc ddd"]


def test_code_is_cut_between_definitions():
    text = "import x\n\n\ndef one():\n    a = 1\n\n    return a\n\n\ndef two():\n    return 2\n"
    assert pieces(text, "code", 50) == [
        "import x\n\n\ndef one():\n    a = 1\n\n    return a",
        "def two():\n    return 2",
    ]


def test_code_keeps_its_indentation():
    text = "class A:\n" + "".join(f"    x{n} = {n}\n" for n in range(20))
    assert all(piece.startswith("    x") for piece in pieces(text, "code", 40)[1:])


def test_plain_pieces_overlap_at_words():
    text = "The quick brown fox jumps over the lazy dog and runs away again. " * 100
    chunks = chunk(text, "plain")
    assert len(chunks) > 3
    for before, after in zip(chunks, chunks[1:], strict=False):
        assert before.start < after.start < before.end
        assert text[after.start - 1].isspace()


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_without_any_place_to_cut_is_cut_all_the_same(kind):
    chunks = chunk("x" * 10_000, kind)
    assert max(one.end - one.start for one in chunks) <= CHUNK_CHARS
    assert chunks[-1].end == 10_000
