"""Markdown of a finished answer to HTML that is safe to show: no raw HTML, no remote pictures."""

from collections.abc import Sequence
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
    *("li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "pre": {"tabindex"}}
SCHEMES = {"http", "https", "mailto"}
LINK_REL = "noopener noreferrer nofollow"


class _Renderer(RendererHTML):
    """Shows a picture as a link to it, since loading it would tell its server who reads."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        address = nh3.clean_text(str(tokens[idx].attrs.get("src", "")))
        words = self.renderInlineAsText(tokens[idx].children or [], options, env)
        return f'<a href="{address}">{nh3.clean_text(words or address)}</a>'


_markdown = MarkdownIt(
    "commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer
).enable(["table", "strikethrough"])


def to_html(text: str) -> SafeString:
    """Render the markdown of a model."""
    dirty = _markdown.render(text).replace("<pre>", '<pre tabindex="0">')
    rules: dict[str, Any] = {"tags": TAGS, "attributes": ATTRIBUTES, "url_schemes": SCHEMES}
    return mark_safe(nh3.clean(dirty, link_rel=LINK_REL, **rules).strip())  # cleaned just now
