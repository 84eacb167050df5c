"""PDF, page by page."""

import unicodedata
from io import BytesIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from memory.parsing.base import Unreadable, joined

# Typesetting joins letters into one sign; nobody searches for that.
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}


def read(data: bytes) -> str:
    """Return a document's text, a line before each page. Raises Unreadable.

    Only the text layer is read: pictures are not decoded and scripts never run.
    """
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("It is protected by a password. Upload it without one.")
        pages = [page.extract_text().translate(_LIGATURES) for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Unreadable(f"It is not a PDF that can be read: {error}") from None
    if not any(page.strip() for page in pages):
        raise Unreadable("It holds no text, only pictures. Run text recognition on it first.")
    return joined([f"[Page {n}]\n{text}" for n, text in enumerate(pages, 1)])
