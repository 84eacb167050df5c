"""Running a tool's source: its module, its function, its arguments, what it returned.

All of this happens inside of the walls. The tool shares this process and could change anything
here, so the server trusts nothing that comes out of it beyond its being JSON.
"""

import dataclasses
import datetime
import inspect
import io
import linecache
import socket
import sys
import traceback
import types
import typing
from typing import Any

from agents.sandbox.inside.memory import AgentState
from agents.sandbox.inside.reaching import client_over

FILE = "tool.py"


def run(job: dict[str, Any], line: socket.socket | None) -> dict[str, Any]:
    """Run the source and, if one is named, its function.

    Returns {"value"} or {"error": {"type", "text", "trace"}}, and "memory" where an agent's was
    lent: {label: its value now}.
    """
    state = AgentState(job["agent"]) if job["agent"] else None
    answer: dict[str, Any] = {}
    try:
        answer["value"] = _run(job, state, line)
    except BaseException as error:  # noqa: BLE001 - also SystemExit: it is the tool's, not ours
        answer["error"] = _described(error)
    if state is not None:
        answer["memory"] = state.memory.as_texts()
    return answer


def _run(job: dict[str, Any], state: AgentState | None, line: socket.socket | None) -> Any:
    source, name = job["source"], job["function"]
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    module = types.ModuleType("tool" if name else "__main__")
    module.__file__ = FILE
    sys.modules[module.__name__] = module
    module.__dict__.update(_lent(job, state, line))
    exec(compile(source, FILE, "exec", dont_inherit=True), module.__dict__)
    if not name:
        return None
    function = module.__dict__.get(name)
    if not callable(function):
        raise NameError(f"the source defines no function {name!r}")
    result = function(**_arguments(function, job, state))
    return _finished(result) if inspect.isawaitable(result) else result


def _finished(result: Any) -> Any:
    import asyncio  # only here: few tools need it, and every fork would carry it

    async def awaited() -> Any:
        return await result

    return asyncio.run(awaited())


def _lent(
    job: dict[str, Any], state: AgentState | None, line: socket.socket | None
) -> dict[str, Any]:
    lent: dict[str, Any] = {}
    if state is not None:
        lent |= {"agent_state": state, "agent_id": state.id}
    if job["client"] and line and (client := client_over(line)) is not None:
        lent["client"] = client
    return lent


def _arguments(function: Any, job: dict[str, Any], state: AgentState | None) -> dict[str, Any]:
    """Return the arguments, made into what the annotations name, and what is lent beside them."""
    try:
        wanted = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return dict(job["args"])
    hints = _hints(function)
    given = {key: _fitted(hints.get(key), value) for key, value in job["args"].items()}
    if "agent_state" in wanted:
        given["agent_state"] = state
    if "agent_id" in wanted and state is not None:
        given.setdefault("agent_id", state.id)
    return given


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}  # an annotation that names nothing: the arguments stay as they came


def _fitted(hint: Any, value: Any) -> Any:
    """Return a value as pydantic would make it, where its annotation has to do with models."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and _names_a_model(hint, pydantic.BaseModel):
        return pydantic.TypeAdapter(hint).validate_python(value)
    kind = _moment_of(hint)
    return kind.fromisoformat(value) if kind and isinstance(value, str) else value


def _names_a_model(hint: Any, base: type) -> bool:
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        return issubclass(hint, base)
    return any(_names_a_model(one, base) for one in typing.get_args(hint))


def _moment_of(hint: Any) -> Any:
    kinds = [one for one in typing.get_args(hint) if one is not type(None)] or [hint]
    moments = (datetime.datetime, datetime.date, datetime.time)
    return kinds[0] if len(kinds) == 1 and kinds[0] in moments else None


def _described(error: BaseException) -> dict[str, str]:
    # The frames of this file are of no use to whoever wrote the tool.
    inner = error.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename != FILE:
        inner = inner.tb_next
    told = io.StringIO()
    try:
        traceback.print_exception(type(error), error, inner, limit=30, file=told)
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception may be unable to say what it is
        text = "it cannot be shown"
    return {"type": type(error).__name__, "text": text, "trace": told.getvalue()}


def plain(value: Any) -> Any:
    """Return what stands for a value that JSON does not know."""
    if callable(dump := getattr(value, "model_dump", None)):
        return dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
