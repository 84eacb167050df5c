"""Services that search the web: a table of them, and one way to ask any."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from agents.tools.base import ToolFailure
from agents.types import Json
from letta_site.core.fetch import Limits, ask

_MAX_BYTES = 4 * 1024 * 1024
_MAX_TEXT_CHARS = 4000


@dataclass(frozen=True, slots=True)
class SearchWish:
    """What is looked for, in the words of the tool."""

    query: str
    num_results: int = 10
    category: str | None = None
    include_text: bool = False
    include_domains: list[str] | None = None
    exclude_domains: list[str] | None = None
    start_published_date: str | None = None
    end_published_date: str | None = None
    user_location: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a service: `query` of the address, or a JSON `body`."""

    path: str
    headers: dict[str, str]
    query: Json | None = None
    body: Json | None = None


Ask = Callable[[SearchWish, str], Request]
Read = Callable[[Any], list[Json]]


@dataclass(frozen=True, slots=True)
class Service:
    """A row of the table. `key` names the variable with the key; without one only `base` counts.

    `lacks` are wishes that it does not know; they are named in the answer.
    """

    name: str
    base: str
    address: str
    ask: Ask
    read: Read
    key: str = ""
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A service with the key and the address to use."""

    service: Service
    key: str
    address: str
    private: bool


def choose(environment: Mapping[str, str], secrets: Mapping[str, str]) -> Chosen | None:
    """Return the first service that can be asked; an agent's own key wins over the server's.

    An address comes from the environment only: whoever runs the server decides where it goes.
    """
    for service in SERVICES:
        address = environment.get(service.base, "")
        key = secrets.get(service.key) or environment.get(service.key, "")
        if key or (address and not service.key):
            return Chosen(service, key, (address or service.address).rstrip("/"), bool(address))
    return None


async def search(chosen: Chosen, wish: SearchWish) -> Json:
    """Return what a service finds. Raises ToolFailure, Invalid, with text for the model."""
    service, request = chosen.service, chosen.service.ask(wish, chosen.key)
    url = f"{chosen.address}{request.path}"
    url += f"?{urlencode(request.query)}" if request.query else ""
    body = json.dumps(request.body).encode() if request.body is not None else None
    limits = Limits(settings.WEB_TIMEOUT_S, _MAX_BYTES, chosen.private)
    method = "GET" if body is None else "POST"
    answer = await ask(method, url, limits, body=body, headers=request.headers)
    if answer.status != 200:
        raise ToolFailure(_refusal(service, answer.status))
    try:
        rows = service.read(json.loads(answer.data))
    except (ValueError, TypeError, AttributeError, KeyError):
        raise ToolFailure(f"{service.name} answered with something that is not a result.") from None
    found = [_shown(row) for row in rows if _admitted(str(row.get("url") or ""), wish)]
    ignored = [name for name in service.lacks if getattr(wish, name)]
    whole = {"query": wish.query, "service": service.name, "results": found[: wish.num_results]}
    return {**whole, "ignored": ignored} if ignored else whole


def _refusal(service: Service, status: int) -> str:
    if status in (401, 403):
        return f"{service.name} refuses the key. Somebody has to set a valid {service.key}."
    if status in (402, 429):
        return f"{service.name} has had too many requests with this key. Try again later."
    return f"{service.name} answered with status {status}."


def _shown(row: Json) -> Json:
    found = {key: row[key] for key in ("title", "url", "published") if row.get(key)}
    return {**found, "text": str(row.get("text") or "")[:_MAX_TEXT_CHARS]}


def _admitted(url: str, wish: SearchWish) -> bool:
    host = urlsplit(url).hostname or ""

    def among(domains: list[str] | None) -> bool:
        return any(host == one or host.endswith(f".{one}") for one in domains or ())

    wanted = not wish.include_domains or among(wish.include_domains)
    return wanted and not among(wish.exclude_domains)


def _with_sites(wish: SearchWish) -> str:
    """Return the query with the sites in it, as search engines without a field take them."""
    only = " OR ".join(f"site:{domain}" for domain in wish.include_domains or ())
    none = " ".join(f"-site:{domain}" for domain in wish.exclude_domains or ())
    return " ".join(part for part in (wish.query, only, none) if part)


def _said(values: Json) -> Json:
    return {key: value for key, value in values.items() if value}


# --- Exa: docs.exa.ai, "Search" ----------------------------------------------------------------


def _ask_exa(wish: SearchWish, key: str) -> Request:
    contents: Json = (
        {"text": {"maxCharacters": _MAX_TEXT_CHARS}} if wish.include_text else {"highlights": True}
    )
    body = {"query": wish.query, "numResults": wish.num_results, "contents": contents}
    body |= _said(
        {
            "category": wish.category,
            "includeDomains": wish.include_domains,
            "excludeDomains": wish.exclude_domains,
            "startPublishedDate": wish.start_published_date,
            "endPublishedDate": wish.end_published_date,
            "userLocation": wish.user_location,
        }
    )
    return Request("/search", {"x-api-key": key}, body=body)


def _read_exa(answer: Any) -> list[Json]:
    return [
        {
            "title": row.get("title"),
            "url": row.get("url"),
            "published": row.get("publishedDate"),
            "text": row.get("text") or " ... ".join(row.get("highlights") or ()),
        }
        for row in answer["results"]
    ]


# --- Tavily: docs.tavily.com, "Tavily Search" --------------------------------------------------


def _ask_tavily(wish: SearchWish, key: str) -> Request:
    body = {"query": wish.query, "max_results": wish.num_results}
    body |= _said(
        {
            "topic": "news" if wish.category == "news" else None,
            "include_raw_content": wish.include_text,
            "include_domains": wish.include_domains,
            "exclude_domains": wish.exclude_domains,
            "start_date": wish.start_published_date,
            "end_date": wish.end_published_date,
        }
    )
    return Request("/search", {"Authorization": f"Bearer {key}"}, body=body)


def _read_tavily(answer: Any) -> list[Json]:
    return [
        {
            "title": row.get("title"),
            "url": row.get("url"),
            "published": row.get("published_date"),
            "text": row.get("raw_content") or row.get("content"),
        }
        for row in answer["results"]
    ]


# --- Brave: api-dashboard.search.brave.com, "Web search" ---------------------------------------


def _ask_brave(wish: SearchWish, key: str) -> Request:
    start, end = wish.start_published_date, wish.end_published_date
    fresh = f"{start or '1990-01-01'}to{end or '2100-01-01'}" if start or end else None
    query = {"q": _with_sites(wish), "count": wish.num_results}
    query |= _said({"country": wish.user_location, "freshness": fresh})
    headers = {"X-Subscription-Token": key, "Accept": "application/json"}
    return Request("/res/v1/web/search", headers, query=query)


def _read_brave(answer: Any) -> list[Json]:
    return [
        {
            "title": row.get("title"),
            "url": row.get("url"),
            "published": row.get("page_age"),
            "text": " ".join([row.get("description") or "", *(row.get("extra_snippets") or ())]),
        }
        for row in (answer.get("web") or {}).get("results", ())
    ]


# --- SearXNG: docs.searxng.org, "Search API" ---------------------------------------------------


def _ask_searxng(wish: SearchWish, _key: str) -> Request:
    query = {"q": _with_sites(wish), "format": "json"}
    query |= _said({"categories": "news" if wish.category == "news" else None})
    return Request("/search", {"Accept": "application/json"}, query=query)


def _read_searxng(answer: Any) -> list[Json]:
    return [
        {
            "title": row.get("title"),
            "url": row.get("url"),
            "published": row.get("publishedDate"),
            "text": row.get("content"),
        }
        for row in answer["results"]
    ]


_DATES = ("start_published_date", "end_published_date")
SERVICES = (
    Service("Exa", "EXA_BASE_URL", "https://api.exa.ai", _ask_exa, _read_exa, "EXA_API_KEY"),
    Service(
        "Tavily",
        "TAVILY_BASE_URL",
        "https://api.tavily.com",
        _ask_tavily,
        _read_tavily,
        "TAVILY_API_KEY",
        ("user_location",),
    ),
    Service(
        "Brave",
        "BRAVE_BASE_URL",
        "https://api.search.brave.com",
        _ask_brave,
        _read_brave,
        "BRAVE_API_KEY",
        ("category", "include_text"),
    ),
    Service(
        "SearXNG",
        "SEARXNG_BASE_URL",
        "",
        _ask_searxng,
        _read_searxng,
        lacks=("include_text", "user_location", *_DATES),
    ),
)
# What somebody may set so that there is a service.
NAMES = tuple(service.key or service.base for service in SERVICES)
