"""The web: looking for pages, and reading one."""

import asyncio
import importlib
import json

from django.conf import settings

from agents.services.agent_secrets import secrets_of
from agents.tools.base import BUILTIN_TYPE, ToolFailure, builtin, integer, string, strings
from agents.tools.searching import NAMES, SearchWish, choose, search
from agents.types import Json, ToolContext, ToolOutcome
from letta_site.core.aio import in_db
from letta_site.core.fetch import Fetched, Limits, fetch
from memory.services.storable import storable_json

_MOST_RESULTS = 20
_HTML = ("text/html", "application/xhtml+xml")
_TEXT = ("application/json", "application/xml", "application/javascript", "application/yaml")


@builtin(
    "web_search",
    BUILTIN_TYPE,
    "Search the web. Returns titles, addresses and what the pages say about it, best first.",
    {
        "query": string("What to look for."),
        "num_results": integer("How many results at most, up to 20.", default=10),
        "category": string("A kind of page, e.g. news, research paper, company."),
        "include_text": {
            "type": "boolean",
            "description": "Whether to return more of each page, not only the part that fits.",
            "default": False,
        },
        "include_domains": strings("Only pages of these sites."),
        "exclude_domains": strings("No pages of these sites."),
        "start_published_date": string("Only pages published from this day on, e.g. 2026-01-31."),
        "end_published_date": string("Only pages published up to this day."),
        "user_location": string("Two letters of a country, for results that fit there."),
    },
    optional=(
        "num_results",
        "category",
        "include_text",
        "include_domains",
        "exclude_domains",
        "start_published_date",
        "end_published_date",
        "user_location",
    ),
)
async def web_search(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Ask the first search service that there is a key or an address for."""
    secrets = await in_db(secrets_of, context.org_id, context.agent_id)
    service = choose(settings.PROVIDER_VARIABLES, secrets)
    if service is None:
        raise ToolFailure(
            f"Web search is not set up. Somebody has to set one of {', '.join(NAMES)}: in the "
            "server's environment, or a key as a secret of this agent."
        )
    limit = min(max(1, arguments["num_results"]), _MOST_RESULTS)
    wish = SearchWish(**{**arguments, "num_results": limit})
    found = await search(service, wish)
    return ToolOutcome(storable_json(json.dumps(found, ensure_ascii=False)))


@builtin(
    "fetch_webpage",
    BUILTIN_TYPE,
    "Read a page of the web. Returns its text as Markdown, without menus and advertisements.",
    {"url": string("The address of the page, with http:// or https://.")},
)
async def fetch_webpage(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Fetch a page through the guard, and make it readable outside of the event loop."""
    limits = Limits(settings.WEB_TIMEOUT_S, settings.MAX_PAGE_BYTES, settings.ALLOW_PRIVATE_WEB)
    if not arguments["url"].startswith(("http://", "https://")):
        raise ToolFailure(f"{arguments['url'][:100]!r} is not an http or https address.")
    page = await fetch(arguments["url"], limits)
    return ToolOutcome(storable_json(await asyncio.to_thread(_readable, page)))


def _readable(page: Fetched) -> str:
    if page.media_type in _HTML:
        # Loaded on first use: the parsers would slow down every start.
        reading = importlib.import_module("agents.tools.reading")
        return str(reading.readable(page.data, page.charset))
    if page.media_type.startswith("text/") or page.media_type in _TEXT:
        return page.data.decode(_known(page.charset), "replace")
    raise ToolFailure(
        f"What is there is {page.media_type or 'of no known type'}, not a page of text."
    )


def _known(charset: str) -> str:
    try:
        "".encode(charset or "utf-8")
    except LookupError:
        return "utf-8"
    return charset or "utf-8"


TOOLS = (web_search, fetch_webpage)
