"""What is asked of an MCP server, and what it offers: plain values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agents.types import Json
from letta_site.core.errors import McpFailure

Kind = Literal["stdio", "sse", "streamable_http"]
KINDS: tuple[Kind, ...] = ("stdio", "sse", "streamable_http")

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*(?:\|\s*(.*?)\s*)?\}\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a server, with all templates filled in.

    `who` keeps sessions apart: what one agent left in a session, another one never sees.
    """

    kind: Kind
    url: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    server_id: str = ""
    who: str = ""

    @property
    def place(self) -> str:
        """Where the server is, for sentences."""
        return self.command if self.kind == "stdio" else self.url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as a server describes it."""

    name: str
    description: str
    input_schema: Json
    title: str | None = None
    output_schema: Json | None = None
    annotations: Json | None = None
    meta: Json | None = None


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Return text with `{{ NAME }}` and `{{ NAME | default }}` filled in. Raises McpFailure."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name in variables:
            return variables[name]
        if default is None:
            raise McpFailure(
                f"The settings of the server use {name}, which has no value here.",
                todo=f"Give the agent a secret {name}, or write {{{{ {name} | default }}}}.",
            )
        return default

    return _VARIABLE.sub(value, text)


def has_only_names(text: str) -> bool:
    """Tell whether nothing in text is a value: templates without defaults, after a scheme."""
    found = _VARIABLE.findall(text)
    rest = _VARIABLE.sub("", text).strip()
    return bool(found) and not any(default for _, default in found) and rest in _SCHEMES


_SCHEMES = ("", "Bearer", "Basic", "Token")


def auth_headers(header: str | None, token: str | None) -> dict[str, str]:
    """Return the header for a token. In Authorization it gets a scheme unless it has one."""
    if not token:
        return {}
    name = header or "Authorization"
    bare = name.lower() == "authorization" and " " not in _VARIABLE.sub("", token).strip()
    schemed = token.lower().startswith(("bearer ", "basic ", "token "))
    return {name: f"Bearer {token}" if bare and not schemed else token}
