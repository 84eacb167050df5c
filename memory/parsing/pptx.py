"""Presentations, slide by slide, as Markdown."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from pptx import Presentation
from pptx.exc import PythonPptxError

from memory.parsing.base import Unreadable, joined, table_text
from memory.parsing.packages import check_package


def read(data: bytes) -> str:
    """Return the texts, tables and notes of all slides. Raises Unreadable."""
    check_package(data)
    try:
        slides = Presentation(BytesIO(data)).slides
        return joined([_slide(n, slide) for n, slide in enumerate(slides, 1)])
    except (PythonPptxError, KeyError, ValueError, SyntaxError, AttributeError) as error:
        raise Unreadable(f"It is not a presentation that can be read: {error}") from None


def _slide(number: int, slide: Any) -> str:
    title = slide.shapes.title
    name = title.text_frame.text.strip() if title is not None else ""
    blocks = [f"# Slide {number}{f': {name}' if name else ''}"]
    rest = (shape for shape in slide.shapes if title is None or shape.shape_id != title.shape_id)
    blocks += _texts(rest)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        blocks += [f"Notes: {notes}"] if notes else []
    return joined(blocks)


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            yield table_text([[cell.text for cell in row.cells] for row in shape.table.rows])
