"""Web pages, as Markdown."""

from bs4 import BeautifulSoup
from markdownify import ATX, MarkdownConverter

from memory.parsing import plain

_UNSEEN = ("script", "style", "noscript", "template", "svg", "head", "iframe", "object")


def read(data: bytes) -> str:
    """Return what a page says: headings, lists, tables and links; no scripts, no pictures."""
    page = BeautifulSoup(plain.read(data), "lxml")
    title = page.title.get_text(" ", strip=True) if page.title else ""
    for part in page(_UNSEEN):
        part.decompose()
    try:
        body = MarkdownConverter(heading_style=ATX, strip=["img"]).convert_soup(page)
    except RecursionError:  # nested by the thousand: words without shape are better than nothing
        body = page.get_text("\n", strip=True)
    lines = [line.rstrip() for line in body.strip().splitlines()]
    text = "\n".join(line for n, line in enumerate(lines) if line or lines[n - 1])
    return f"# {title}\n\n{text}" if title and not text.startswith("# ") else text
