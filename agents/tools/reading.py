"""A page of HTML as text that can be read. Not imported at start: the parsers are heavy.

`readability` finds the article among menus and advertisements, `markdownify` writes it down.
"""

import re

from lxml import html
from lxml.etree import LxmlError, ParserError
from markdownify import ATX, markdownify
from readability import Document
from readability.readability import Unparseable

from agents.tools.base import ToolFailure

# Below this an "article" is rather a caption: then the whole page is shown.
_LEAST_CHARS = 200
_DROPPED = ("script", "style", "noscript", "template", "svg", "iframe", "form", "nav", "footer")
# More than a tool may return several times over; reading it all took 15 s of the interpreter.
_MOST_BYTES = 600_000
_MOST_CHARS = 150_000
_GAPS = re.compile(r"\n{3,}")


def readable(data: bytes, charset: str) -> str:
    """Return a page as Markdown with its title first. Raises ToolFailure when it has no text."""
    try:
        page = _text_of(data[:_MOST_BYTES], charset)
        title, article = _article(page)
        body = _markdown(article)
        if len(body) < _LEAST_CHARS:
            body = max(body, _markdown(_whole(page)), key=len)
    except (LxmlError, Unparseable, ValueError, RecursionError):
        raise ToolFailure("The page cannot be read: its HTML is broken.") from None
    if not body:
        raise ToolFailure("The page has no text; it may be drawn by scripts, which are not run.")
    return f"# {title}\n\n{body}" if title and not body.startswith("# ") else body


def _text_of(data: bytes, charset: str) -> str:
    """Return the page with its own encoding undone: the header's, else the one it declares."""
    parser = html.HTMLParser(encoding=charset or None) if _is_known(charset) else html.HTMLParser()
    try:
        tree = html.document_fromstring(data, parser=parser)
    except ParserError:
        raise ToolFailure("The page is empty.") from None
    return str(html.tostring(tree, encoding="unicode"))


def _is_known(charset: str) -> bool:
    try:
        "".encode(charset or "utf-8")
    except LookupError:
        return False
    return True


def _article(page: str) -> tuple[str, str]:
    document = Document(page)
    return document.short_title().strip(), document.summary(html_partial=True)


def _whole(page: str) -> str:
    tree = html.document_fromstring(page)
    for element in list(tree.iter(*_DROPPED)):
        element.drop_tree()
    body = tree.find("body")
    return str(html.tostring(tree if body is None else body, encoding="unicode"))


def _markdown(page: str) -> str:
    text = markdownify(page[:_MOST_CHARS], heading_style=ATX, strip=["img"])
    return _GAPS.sub("\n\n", text).strip()
