"""Commands of local MCP servers: only what the operator named is started."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings

from letta_site.core.errors import Invalid

ANY = "*"
# Variables that make an allowed program load something else.
_MISLEADING = re.compile(
    r"(PATH|SHELL|ENV|BASH_ENV|LD_.*|DYLD_.*|PYTHON.*|NODE_.*|PERL.*|RUBY.*)\Z"
)


def check_command(command: str, args: Sequence[str], env: Mapping[str, str]) -> None:
    """Raise Invalid unless this may be started: LETTA_MCP_COMMANDS holds a beginning of it."""
    allowed: Sequence[str] = settings.MCP_COMMANDS
    if not allowed:
        raise Invalid(
            "MCP servers of type stdio are switched off: they run commands on this machine.",
            todo="The operator allows a command with LETTA_MCP_COMMANDS.",
        )
    if ANY in allowed:
        return
    words = [command, *args]
    if not any(_begins(words, shlex.split(line)) for line in allowed):
        raise Invalid(
            f"The command {command!r} with these arguments is not among those the operator allows.",
            todo="The operator adds it to LETTA_MCP_COMMANDS.",
        )
    if misleading := sorted(_misleading(env)):
        raise Invalid(
            f"{', '.join(misleading)} cannot be set for a command that is allowed by name."
        )


def _begins(words: Sequence[str], beginning: Sequence[str]) -> bool:
    return bool(beginning) and list(words[: len(beginning)]) == list(beginning)


def _misleading(names: Iterable[str]) -> list[str]:
    return [name for name in names if _MISLEADING.match(name.upper())]
