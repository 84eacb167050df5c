"""MCP servers: adding, changing, removing, and how to reach them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import IntegrityError

from agents.mcp.commands import check_command
from agents.mcp.endpoints import KINDS, Endpoint, auth_headers, fill, has_only_names
from agents.models import McpServer, McpSignIn, Tool
from agents.services.agent_secrets import secrets_of
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, Invalid, NotFound
from letta_site.core.fetch import check_url
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery

# What is shown instead of a secret, and means "as it was" when it comes back.
MASK = "********"
_NOTED_EVERY = timedelta(minutes=1)
_NAMED_SECRETS = ("custom_headers", "env")


@dataclass(frozen=True, slots=True)
class ServerDraft:
    """A server as somebody describes it. `secrets` as in McpServer."""

    name: str
    kind: str
    url: str = ""
    command: str = ""
    args: tuple[str, ...] = ()
    secrets: Json = field(default_factory=dict)


def create_server(actor: Actor, draft: ServerDraft) -> McpServer:
    """Store a server. Raises Invalid, Conflict for a name that is taken."""
    check_draft(draft)
    row = McpServer(org_id=actor.org_id, created_by_id=actor.id, last_updated_by_id=actor.id)
    _fill_in(row, draft)
    with write():
        _check_free(actor, draft.name)
        row.save(force_insert=True)
    return row


def check_draft(draft: ServerDraft) -> None:
    """Raise Invalid when this cannot be a server here."""
    if draft.kind not in KINDS:
        raise Invalid(f"Unknown type of MCP server: {draft.kind!r}; the types are {list(KINDS)}.")
    if not draft.name.strip():
        raise Invalid("The MCP server needs a name.")
    if draft.kind != "stdio":
        check_url(draft.url)
    elif not draft.command:
        raise Invalid("An MCP server of type stdio needs a command.")
    else:
        check_command(draft.command, draft.args, draft.secrets.get("env") or {})


def _check_free(actor: Actor, name: str) -> None:
    if McpServer.objects.of(actor).filter(name=name).exists():
        raise Conflict(f"There is an MCP server named {name!r} already.")


def _fill_in(row: McpServer, draft: ServerDraft) -> None:
    row.name, row.kind = draft.name, draft.kind
    row.url, row.command, row.args = draft.url, draft.command, list(draft.args)
    row.secrets = {key: value for key, value in draft.secrets.items() if value}


def get_server(actor: Actor, server_id: str) -> McpServer:
    """Return a server. Raises NotFound."""
    row: McpServer | None = McpServer.objects.of(actor).filter(pk=server_id).first()
    if row is None:
        raise NotFound(f"MCP server with id {server_id} not found.")
    return row


def get_by_name(actor: Actor, name: str) -> McpServer:
    """Return the server of this name. Raises NotFound."""
    row: McpServer | None = McpServer.objects.of(actor).filter(name=name).first()
    if row is None:
        raise NotFound(f"MCP server {name} not found")
    return row


def list_servers(actor: Actor, *, query: PageQuery) -> list[McpServer]:
    """Return a page of servers."""
    return page(McpServer.objects.of(actor), query)


def update_server(actor: Actor, server_id: str, *, changes: Json) -> McpServer:
    """Change a server: `changes` are fields of ServerDraft and of its secrets, by name.

    A secret that is the mask stays as it was. Raises NotFound, Invalid, Conflict.
    """
    with write():
        row = get_server(actor, server_id)
        draft = changed(row, changes)
        check_draft(draft)
        if draft.name != row.name:
            _check_free(actor, draft.name)
            _retag(row, draft.name)
        _fill_in(row, draft)
        row.last_updated_by_id, row.updated_at = actor.id, now()
        row.last_error, row.refused = "", []
        row.save()
    return row


def changed(row: McpServer, changes: Json) -> ServerDraft:
    """Return a server as it would be with these changes."""
    plain = {key: changes[key] for key in ("name", "kind", "url", "command") if changes.get(key)}
    old = {"name": row.name, "kind": row.kind, "url": row.url, "command": row.command}
    args = row.args if changes.get("args") is None else changes["args"]
    before, secrets = row.secrets, dict(row.secrets)
    for key in ("auth_header", "auth_token"):
        if changes.get(key) not in (None, MASK):
            secrets[key] = changes[key]
    for key in _NAMED_SECRETS:
        if changes.get(key) is not None:
            secrets[key] = _unmasked(changes[key], before.get(key) or {})
    return ServerDraft(**{**old, **plain}, args=tuple(args), secrets=secrets)


def _unmasked(given: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    return {
        name: before.get(name, value) if value == MASK else value for name, value in given.items()
    }


def _retag(row: McpServer, name: str) -> None:
    for tool in Tool.objects.filter(mcp_server=row):
        tool.tags = [tag_of(name) if tag == tag_of(row.name) else tag for tag in tool.tags]
        tool.save(update_fields=["tags"])


def tag_of(name: str) -> str:
    """Return the tag that the tools of a server carry."""
    return f"mcp:{name}"


def delete_server(actor: Actor, server_id: str) -> None:
    """Remove a server with its tools, from all agents too. Raises NotFound."""
    with write():
        get_server(actor, server_id).delete()


def masked(secrets: Json) -> Json:
    """Return secrets as they may be shown: names, and templates that hold no value."""
    shown = dict(secrets)
    if token := secrets.get("auth_token"):
        shown["auth_token"] = _masked(token)
    for key in _NAMED_SECRETS:
        if secrets.get(key):
            shown[key] = {name: _masked(value) for name, value in secrets[key].items()}
    return shown


def _masked(value: str) -> str:
    return value if has_only_names(value) else MASK


def endpoint_of(
    draft: ServerDraft, variables: Mapping[str, str], *, server_id: str = "", who: str = ""
) -> Endpoint:
    """Return how to reach a server. Raises McpFailure for a variable without a value."""
    secrets = draft.secrets
    headers = auth_headers(secrets.get("auth_header"), secrets.get("auth_token"))
    headers |= secrets.get("custom_headers") or {}
    env = secrets.get("env") or {}
    return Endpoint(
        kind=draft.kind,  # type: ignore[arg-type]  # checked when it was stored
        url=draft.url,
        headers=tuple((name, fill(value, variables)) for name, value in headers.items()),
        command=draft.command,
        args=tuple(fill(word, variables) for word in draft.args),
        env=tuple((name, fill(value, variables)) for name, value in env.items()),
        server_id=server_id,
        who=who,
    )


def way_to(actor: Actor, row: McpServer, agent_id: str | None) -> Endpoint:
    """Return how to reach a stored server, with the secrets of an agent. Raises McpFailure."""
    variables = secrets_of(actor.org_id, agent_id) if agent_id else {}
    return endpoint_of(changed(row, {}), variables, server_id=row.id, who=agent_id or "")


def note_failure(server_id: str, why: str) -> None:
    """Keep what went wrong with a server, for whoever looks at it."""
    with write():
        McpServer.objects.filter(pk=server_id).update(last_error=why, last_error_at=now())


def note_success(row: McpServer) -> None:
    """Keep that a server answers; not more often than once a minute."""
    moment = now()
    if not row.last_error and row.last_success_at and moment - row.last_success_at < _NOTED_EVERY:
        return
    with write():
        McpServer.objects.filter(pk=row.pk).update(last_success_at=moment, last_error="")


def find_sign_in(org_id: str, url: str) -> Json | None:
    """Return what a sign-in at this address gave, or None."""
    row = McpSignIn.objects.filter(org_id=org_id, url=url).first()
    return row.content if row else None


def keep_sign_in(org_id: str, url: str, content: Json) -> None:
    """Store what a sign-in gave, in place of what was there."""
    row = McpSignIn(org_id=org_id, url=url)
    row.content = json.loads(json.dumps(content))
    with write():
        try:
            McpSignIn.objects.update_or_create(
                org_id=org_id, url=url, defaults={"sealed": row.sealed, "updated_at": now()}
            )
        except IntegrityError:  # the organisation is gone: so is the sign-in
            return
