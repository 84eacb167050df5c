"""Tools with code of their own: run in the sandbox, their effects taken out of it as data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agents.sandbox.jobs import Done, Job, NoSandbox
from agents.sandbox.packages import CannotInstall, provide
from agents.sandbox.running import run
from agents.services.tool_code import NETWORK, SERVER, ToolCode, load_code, shown_blocks
from agents.services.tool_schema import check_source, function_name
from agents.tools.base import ToolFailure
from agents.tools.errands import errands_for
from agents.tools.schema import fit_arguments
from agents.types import Json, ToolContext, ToolOutcome, ToolSpec
from letta_site.core.aio import in_db
from letta_site.core.errors import AppError
from letta_site.core.types import Actor
from memory.logic.edits import BlockEdit, BlockView, EditError, apply_edit
from memory.services.storable import storable_json


async def run_custom(spec: ToolSpec, arguments: Json, context: ToolContext) -> ToolOutcome:
    """Run an agent's custom tool. Raises ToolFailure, EditError and AppError, all for the model."""
    actor = Actor(context.org_id, context.agent_id, "tool")
    code = await in_db(load_code, actor, spec.tool_id, context.agent_id)
    if "agent_id" in (spec.parameters.get("properties") or {}):
        arguments = {"agent_id": context.agent_id, **arguments}  # the model need not know its own
    return await run_code(actor, code, fit_arguments(spec.parameters, arguments), context.blocks)


MOST_NEW_BLOCKS = 20
_SIGNS_OF_WALLS = ("Operation not permitted", "name resolution", "Permission denied")
_WALLED = (
    "(Tools reach no network unless it is granted to them, see metadata_.grants, start programs "
    "only where the server allows it, and have no files but those in their own folder.)"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """Source that somebody wants to try; nothing of it is stored."""

    source: str
    source_type: str = "python"
    name: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    requirements: tuple[Json, ...] = ()
    grants: tuple[str, ...] = ()


async def try_source(actor: Actor, trial: Trial, arguments: Json) -> ToolOutcome:
    """Run source once, without an agent. Raises Invalid when it cannot be read as Python.

    Whatever fails later is an outcome with status error.
    """
    check_source(trial.source, trial.source_type)
    function = None
    if trial.source_type == "python":
        function = function_name(trial.source, trial.name)
    name = function or trial.name or "this tool"
    code = ToolCode(
        name, trial.source, trial.source_type, function, trial.requirements, trial.grants
    )
    try:
        return await run_code(actor, replace(code, env=trial.env), arguments)
    except (ToolFailure, EditError, AppError) as failure:
        return ToolOutcome(f"Error: {failure}", "error")


async def run_code(
    actor: Actor, code: ToolCode, arguments: Json, blocks: tuple[BlockView, ...] = ()
) -> ToolOutcome:
    """Run code and return what came of it; memory that it changed comes as edits.

    Raises ToolFailure when it was not run, EditError for memory that it may not change.
    """
    if code.function is None:
        raise ToolFailure(f"{code.name} is written in {code.source_type}, which is not run here.")
    agent = {**code.agent, "blocks": shown_blocks(blocks)} if code.agent else None
    try:
        job = Job(
            source=code.source,
            function=code.function,
            args=arguments,
            env=code.env,
            packages=await provide(code.requirements),
            agent=agent,
            network=NETWORK in code.grants,
            ask=errands_for(actor) if SERVER in code.grants else None,
        )
        done = await run(job)
    except (NoSandbox, CannotInstall) as reason:
        raise ToolFailure(f"{reason.what} {reason.todo}".strip()) from None
    return outcome_of(code, done, blocks)


def outcome_of(code: ToolCode, done: Done, blocks: tuple[BlockView, ...]) -> ToolOutcome:
    """Return what the loop makes of a job's end. Raises EditError for memory it may not change."""
    try:
        return _outcome(code, done, blocks)
    except RecursionError:
        raise ToolFailure(f"The result of {code.name} is nested too deeply to be read.") from None


def _outcome(code: ToolCode, done: Done, blocks: tuple[BlockView, ...]) -> ToolOutcome:
    stdout = tuple(storable_json([text for text in (done.stdout,) if text]))
    stderr = tuple(storable_json([text for text in (done.stderr, done.trace) if text]))
    if done.how != "returned":
        why = f"Error executing function {code.name}: {done.why}{_hint(code, done)}"
        return ToolOutcome(storable_json(why), "error", stdout=stdout, stderr=stderr)
    value = storable_json(done.value)
    outcome = ToolOutcome(text_of(value), value=value, stdout=stdout, stderr=stderr)
    return replace(outcome, edits=edits_between(blocks, storable_json(done.memory)))


def _hint(code: ToolCode, done: Done) -> str:
    """Return what a refusal of the kernel's probably means, to whoever wonders."""
    walled = done.how == "raised" and any(sign in done.why for sign in _SIGNS_OF_WALLS)
    return "" if NETWORK in code.grants or not walled else f" {_WALLED}"


def text_of(value: Any) -> str:
    """Return a returned value as the model reads it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def edits_between(blocks: tuple[BlockView, ...], after: Mapping[str, str]) -> tuple[BlockEdit, ...]:
    """Return the edits that lead from blocks to the values a tool left. Raises EditError.

    Each says what it expects to find, so that what somebody else wrote meanwhile is kept or makes
    the edit fail, and is never overwritten.
    """
    known = {view.label: view for view in blocks}
    if len(after) > len(blocks) + MOST_NEW_BLOCKS:
        raise ToolFailure(f"A tool may make {MOST_NEW_BLOCKS} new memory blocks at once, no more.")
    edits = []
    for label, text in after.items():
        view = known.get(label)
        if view is None or view.value != text:
            edit = _edit(view, label, text)
            apply_edit(view or BlockView("", label, ""), edit)
            edits.append(edit)
    return tuple(edits)


def _edit(view: BlockView | None, label: str, text: str) -> BlockEdit:
    if view is None:
        return BlockEdit("create", label, {"value": text})
    if not view.value:
        return BlockEdit("append", label, {"content": text})
    if text.startswith(f"{view.value}\n"):
        return BlockEdit("append", label, {"content": text[len(view.value) + 1 :]})
    return BlockEdit("replace_once", label, {"old": view.value, "new": text})
