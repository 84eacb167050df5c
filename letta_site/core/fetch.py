"""The one door through which this server itself reaches addresses that a caller named.

A name is resolved first, every address it has is judged, and the connection goes to the judged
address, so that the name cannot mean something else a moment later.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from letta_site.core.errors import Invalid

MAX_REDIRECTS = 3
MAX_URL_CHARS = 2083
_PORTS = {"http": 80, "https": 443}
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?:;[^;,]*?)*?(?P<b64>;base64)?,(?P<data>.*)\Z", re.S)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# How far in a request may go: the open internet, also this machine itself, or anywhere.
Reach = Literal["public", "loopback", "private"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a request may go. `private`: addresses that are not public are allowed."""

    timeout_s: float
    max_bytes: int = 0
    private: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave."""

    media_type: str
    data: bytes
    charset: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered, whatever its status."""

    status: int
    data: bytes


async def fetch(url: str, limits: Limits) -> Fetched:
    """Return what is at an http, https or data URL. Raises Invalid, with the reason."""
    if url.startswith("data:"):
        return _inline(url, limits)
    try:
        async with asyncio.timeout(limits.timeout_s):
            for _ in range(MAX_REDIRECTS + 1):
                found = await _get(url, limits)
                if isinstance(found, Fetched):
                    return found
                url = urljoin(url, found)
    except TimeoutError:
        raise Invalid(f"{_shown(url)} did not answer within {limits.timeout_s:g} s.") from None
    raise Invalid(f"{_shown(url)} redirects more than {MAX_REDIRECTS} times.")


async def post_json(url: str, body: bytes, limits: Limits) -> int:
    """Post JSON and return the status; a redirect is not followed. Raises Invalid."""
    try:
        async with asyncio.timeout(limits.timeout_s):
            target = await _Target.of(url, limits)
            async with target.request("POST", body) as response:
                return int(response.status_code)
    except TimeoutError:
        raise Invalid(f"{_shown(url)} did not answer within {limits.timeout_s:g} s.") from None


async def ask(
    method: str,
    url: str,
    limits: Limits,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send a request and return the whole answer; a redirect is not followed. Raises Invalid."""
    try:
        async with asyncio.timeout(limits.timeout_s):
            target = await _Target.of(url, limits)
            async with target.request(method, body, headers) as response:
                return Answer(int(response.status_code), await _read_body(response, limits))
    except TimeoutError:
        raise Invalid(f"{_shown(url)} did not answer within {limits.timeout_s:g} s.") from None


def check_url(url: str) -> None:
    """Raise Invalid unless this is an http or https address with a host and no credentials."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise Invalid(f"{_shown(url)} is not an address.") from None
    if len(url) > MAX_URL_CHARS or parts.scheme not in _PORTS or not host:
        raise Invalid(f"{_shown(url)} is not an http or https address.")
    if parts.username is not None or parts.password is not None:
        raise Invalid("An address with a user name or password in it is not used.")


async def judged_address(url: str, reach: Reach) -> str:
    """Return the IP address to connect to for a URL. Raises Invalid when it is out of reach.

    All addresses of the name are judged: a name that leads both in and out is refused.
    """
    check_url(url)
    parts = urlsplit(url)
    addresses = await _resolve(str(parts.hostname), parts.port or _PORTS[parts.scheme])
    if not all(is_within(address, reach) for address in addresses):
        raise Invalid(
            f"{_shown(url)} leads into a private network, which this server does not enter.",
            todo="Use a public address.",
        )
    return addresses[0]


def is_within(address: str, reach: Reach) -> bool:
    """Tell whether an IP address may be connected to."""
    if reach == "private" or is_public(address):
        return True
    meanings = _read(address)
    return reach == "loopback" and bool(meanings) and all(one.is_loopback for one in meanings)


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the open internet, in whatever form it hides."""
    meanings = _read(address)
    return bool(meanings) and all(one.is_global and not one.is_multicast for one in meanings)


def _read(address: str) -> list[Address]:
    """Return the addresses that this text stands for; none if it is not an IP address."""
    try:
        return _meanings(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return []


def _meanings(address: Address) -> list[Address]:
    """Return an address with the IPv4 ones that it stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    hidden = [one for one in inner if one is not None]
    return list(hidden) if address.ipv4_mapped or address in _NAT64 else [address, *hidden]


def _inline(url: str, limits: Limits) -> Fetched:
    match = _DATA_URL.match(url)
    if match is None:
        raise Invalid("The data: URL has no comma, or is broken otherwise.")
    raw = unquote_to_bytes(match["data"])
    try:
        data = base64.b64decode(raw, validate=True) if match["b64"] else raw
    except binascii.Error:
        raise Invalid("The data: URL is not valid base64.") from None
    if len(data) > limits.max_bytes:
        raise _too_large(limits)
    return Fetched(match["type"] or "text/plain", data)


async def _get(url: str, limits: Limits) -> Fetched | str:
    """Return what an address gave, or where it points to instead."""
    target = await _Target.of(url, limits)
    async with target.request("GET") as response:
        if response.is_redirect:
            return str(response.headers["location"])
        if response.status_code != 200:
            raise Invalid(f"{_shown(url)} answered with status {response.status_code}.")
        data = await _read_body(response, limits)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(media_type, data, response.charset_encoding or "")


async def _read_body(response: Any, limits: Limits) -> bytes:
    """Return a body as it is when unpacked. Raises Invalid when that is too long."""
    data = bytearray()
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > limits.max_bytes:
            raise _too_large(limits)
    return bytes(data)


@dataclass(frozen=True, slots=True)
class _Target:
    """An address whose name was resolved and judged."""

    url: str
    host: str
    address: str
    timeout_s: float

    @classmethod
    async def of(cls, url: str, limits: Limits) -> _Target:
        address = await judged_address(url, "private" if limits.private else "public")
        return cls(url, urlsplit(url).netloc, address, limits.timeout_s)

    def request(
        self, method: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> _Call:
        return _Call(self, method, body, headers or {})


class _Call:
    """One request to the judged address, as an async context manager that gives the response."""

    def __init__(
        self, target: _Target, method: str, body: bytes | None, headers: dict[str, str]
    ) -> None:
        self._headers = headers
        self._target = target
        self._method = method
        self._body = body
        self._client: Any = None
        self._response: Any = None

    async def __aenter__(self) -> Any:
        # Loaded on first use, like the SDK that brings it: it would slow down every start.
        httpx = importlib.import_module("httpx2")
        target = self._target
        self._client = httpx.AsyncClient(trust_env=False, timeout=target.timeout_s)
        headers = {"User-Agent": "letta-site", **self._headers, "Host": target.host}
        if self._body is not None:
            headers["Content-Type"] = "application/json"
        request = self._client.build_request(
            self._method,
            httpx.URL(target.url).copy_with(host=target.address),
            content=self._body,
            headers=headers,
            extensions={"sni_hostname": str(urlsplit(target.url).hostname)},
        )
        try:
            self._response = await self._client.send(request, stream=True)
        except (httpx.HTTPError, OSError) as error:
            await self._client.aclose()
            raise Invalid(f"{_shown(target.url)} cannot be reached: {error}") from None
        return self._response

    async def __aexit__(self, *_: object) -> None:
        await self._response.aclose()
        await self._client.aclose()


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Invalid(f"The host {host!r} is not known.") from None
    return [str(row[4][0]) for row in rows]


def _shown(url: str) -> str:
    return repr(url if len(url) <= 100 else f"{url[:100]}...")


def _too_large(limits: Limits) -> Invalid:
    return Invalid(f"What is there is larger than {limits.max_bytes // 1024} kB.")
