"""Word documents, as Markdown."""

import re
from io import BytesIO
from typing import Any

from docx import Document
from docx.opc.exceptions import OpcError
from docx.table import Table

from memory.parsing.base import Unreadable, joined, table_text
from memory.parsing.packages import check_package

_HEADING = re.compile(r"(?:Heading|Title)\s*(\d?)", re.IGNORECASE)


def read(data: bytes) -> str:
    """Return a document's paragraphs and tables in order. Raises Unreadable."""
    check_package(data)
    try:
        document = Document(BytesIO(data))
        blocks = [_block(one) for one in document.iter_inner_content()]
    except (OpcError, KeyError, ValueError, SyntaxError) as error:
        raise Unreadable(f"It is not a Word document that can be read: {error}") from None
    return joined(blocks)


def _block(one: Any) -> str:
    if isinstance(one, Table):
        return table_text([[cell.text for cell in row.cells] for row in one.rows])
    style = one.style.name if one.style is not None else ""
    text = one.text
    if not text.strip():
        return ""
    if heading := _HEADING.match(style or ""):
        return f"{'#' * int(heading[1] or 1)} {text}"
    return f"- {text}" if (style or "").startswith("List") else text
