"""What a callback gets: a run that has ended, with its whole answer."""

from collections.abc import Sequence

from agents.engine.events import RunFinished
from agents.engine.strategies import strategy_of
from agents.models import Run
from agents.types import Json, Message, Usage
from agents.wire.encode import encode_response, is_answer
from agents.wire.messages import View, encode_message
from agents.wire.moments import stamp


def view_of_config(config: Json | None, *, agent_type: str) -> View:
    """Return the view that a run's sender asked for, from what is stored with the run."""
    shown = {key: value for key, value in (config or {}).items() if value is not None}
    types = shown.get("include_return_message_types")
    return View(
        text_is_reply=strategy_of(agent_type).reply == "text",
        use_assistant_message=shown.get("use_assistant_message", True),
        tool_name=shown.get("assistant_message_tool_name", "send_message"),
        tool_kwarg=shown.get("assistant_message_tool_kwarg", "message"),
        types=None if types is None else frozenset(types),
        compaction=bool(shown.get("include_compaction_messages")),
    )


def encode_result(run: Run, messages: Sequence[Message]) -> Json:
    """Return the body of a callback. `run` comes with its agent."""
    view = view_of_config(run.request_config, agent_type=run.agent.agent_type)
    answers = [message for message in messages if is_answer(message, view)]
    frames = [frame for message in answers for frame in encode_message(message, view)]
    usage = Usage(
        run.prompt_tokens,
        run.completion_tokens,
        run.cached_input_tokens,
        None,
        run.reasoning_tokens,
    )
    end = RunFinished(run.stop_reason or "error", usage, run.step_count, run.context_tokens)
    metadata: Json = {**(run.metadata or {}), "result": encode_response(frames, end)}
    if run.error:
        metadata["error"] = run.error.get("message")
    return {
        "run_id": run.id,
        "status": run.status,
        "completed_at": stamp(run.completed_at),
        "metadata": metadata,
    }
