"""The workshop: runs the tools that an agent has."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.conf import settings

from agents.engine.repair import clean_text
from agents.tools.base import Messenger, ToolFailure
from agents.tools.builtin import BUILTIN
from agents.tools.custom import run_custom
from agents.tools.mcp_desk import run_external
from agents.tools.schema import fit_arguments
from agents.types import Json, ToolCall, ToolContext, ToolOutcome, ToolSpec
from letta_site.core.errors import AppError, NotReady
from memory.logic.edits import EditError

# Their results are short pieces already, and cutting the JSON would make it unreadable.
_NEVER_CLIPPED = frozenset(("conversation_search", "archival_memory_search"))


class AgentToolBox:
    """The tools of one run. `specs` are those of the agent; others cannot be called.

    Without a `messenger`, tools that talk to other agents fail.
    """

    def __init__(
        self, org_id: str, specs: Iterable[ToolSpec], messenger: Messenger | None = None
    ) -> None:
        self.org_id = org_id
        self.messenger = messenger
        self.specs = {spec.name: spec for spec in specs}

    async def call(self, call: ToolCall, arguments: Json, context: ToolContext) -> ToolOutcome:
        """Run a tool. A failing tool is an outcome with status error, never an exception."""
        timeout_s = settings.TOOL_TIMEOUT_S
        try:
            spec = self._spec(call.name)
            if spec.tool_type == "custom":  # the sandbox minds the time itself
                outcome = await run_custom(spec, _clean(arguments), context)
            else:
                async with asyncio.timeout(timeout_s):
                    outcome = await self._run(spec, _clean(arguments), context)
        except TimeoutError:
            return _failed(f"{call.name} was stopped after {timeout_s} seconds without a result.")
        except (ToolFailure, EditError, AppError) as failure:
            return _failed(str(failure))
        return clip_return(spec, outcome)

    def _spec(self, name: str) -> ToolSpec:
        if name in self.specs:
            return self.specs[name]
        known = ", ".join(sorted(self.specs)) or "none"
        raise ToolFailure(f"You have no tool {name!r}. Your tools: {known}.")

    async def _run(self, spec: ToolSpec, arguments: Json, context: ToolContext) -> ToolOutcome:
        if spec.tool_type == "external_mcp":
            return await run_external(spec, arguments, context)
        if spec.name not in BUILTIN:
            raise NotReady(
                f"{NotReady.code}: {spec.name} is a tool of type {spec.tool_type}, and this "
                "version of the server does not run those yet."
            )
        tool = BUILTIN[spec.name]
        fitted = fit_arguments(tool.spec.parameters, arguments)
        if tool.run:
            return await tool.run(fitted, context)
        if tool.talk is None or self.messenger is None:
            raise ToolFailure(f"{spec.name} can only be called while an agent is at work.")
        return await tool.talk(fitted, context, self.messenger)


def clip_return(spec: ToolSpec, outcome: ToolOutcome) -> ToolOutcome:
    """Shorten an outcome's text to what the tool may return, and say so in the text."""
    excess = len(outcome.text) - spec.return_limit_chars
    if excess <= 0 or spec.name in _NEVER_CLIPPED:
        return outcome
    note = (
        f"... [NOTE: this was cut after {spec.return_limit_chars} characters; {excess} more were "
        "left out]"
    )
    return replace(outcome, text=outcome.text[: spec.return_limit_chars] + note, value=None)


def _failed(why: str) -> ToolOutcome:
    return ToolOutcome(f"Error: {why}", "error")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(one) for key, one in value.items()}
    return value
