"""What went wrong with an MCP server, in one sentence that a person can act on."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agents.mcp.endpoints import Endpoint
from letta_site.core.errors import AppError, McpFailure, McpSignInNeeded, McpTimeout

if TYPE_CHECKING:
    from agents.mcp.wires import Traffic

_SHOWN_CHARS = 500


def explain(error: BaseException, endpoint: Endpoint, traffic: "Traffic") -> McpFailure:
    """Return a failure of the connection or of a call as ours."""
    found = next(_leaves(error))
    if isinstance(found, McpFailure):
        return found
    if isinstance(found, AppError):
        return McpFailure(found.what, todo=found.todo)
    if isinstance(found, TimeoutError | asyncio.TimeoutError):
        return McpTimeout(f"The MCP server at {endpoint.place} did not answer in time.")
    signing_in = type(found).__module__.startswith("mcp.client.auth")
    if signing_in or traffic.status == 401:
        return McpSignInNeeded(
            f"The MCP server at {endpoint.place} asks for a sign-in first.",
            todo="Set its token, or connect to it so that you can sign in.",
        )
    return McpFailure(f"The MCP server at {endpoint.place} {_what(found, traffic)}")


def _what(error: BaseException, traffic: "Traffic") -> str:
    words = str(error).strip()[:_SHOWN_CHARS] or type(error).__name__
    heard = f" It wrote: {traffic.last_words}" if traffic.last_words else ""
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"cannot be started: {error.strerror}."
    if traffic.status:
        return f"answered with status {traffic.status}: {words}"
    if words == "Connection closed":
        return f"closed the connection before it answered; what it had begun may be done.{heard}"
    return f"failed: {words}{heard}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what really happened: task groups wrap it."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error
