"""Runs and steps on the wire."""

from agents.models import Run, Step
from agents.types import Json
from agents.wire.moments import stamp

_RUN = (
    "id",
    "status",
    "agent_id",
    "conversation_id",
    "background",
    "stop_reason",
    "callback_url",
    "callback_status_code",
    "callback_error",
    "ttft_ns",
    "total_duration_ns",
    "created_by_id",
    "last_updated_by_id",
)
_STEP = (
    "id",
    "agent_id",
    "run_id",
    "provider_name",
    "provider_category",
    "model",
    "model_handle",
    "model_endpoint",
    "context_window_limit",
    "completion_tokens",
    "prompt_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "stop_reason",
    "tags",
    "feedback",
    "status",
)
# The display options of a request, which the old era has beside the others.
_DISPLAY = (
    "use_assistant_message",
    "assistant_message_tool_name",
    "assistant_message_tool_kwarg",
    "include_return_message_types",
)


def encode_run(run: Run) -> Json:
    """Return a Run, with the keys of both eras."""
    shown = run.request_config or {}
    return {
        **{name: getattr(run, name) for name in _RUN},
        "created_at": stamp(run.created_at),
        "updated_at": stamp(run.updated_at),
        "completed_at": stamp(run.completed_at),
        "callback_sent_at": stamp(run.callback_sent_at),
        "metadata": _metadata(run),
        "request_config": {name: shown.get(name) for name in _DISPLAY} if shown else None,
        "base_template_id": None,
        "job_type": "run",
        **{name: shown.get(name) for name in _DISPLAY},
    }


def _metadata(run: Run) -> Json | None:
    if not run.error:
        return run.metadata
    text = f"{run.error.get('message', '')} {run.error.get('todo', '')}".strip()
    return {**(run.metadata or {}), "error": text}


def encode_run_usage(run: Run) -> Json:
    """Return the tokens of a run in OpenAI's nested form."""
    return {
        "completion_tokens": run.completion_tokens,
        "prompt_tokens": run.prompt_tokens,
        "total_tokens": run.prompt_tokens + run.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": run.cached_input_tokens,
            "cache_read_tokens": run.cached_input_tokens,
            "cache_creation_tokens": None,
        },
        "completion_tokens_details": {"reasoning_tokens": run.reasoning_tokens},
    }


def encode_run_metrics(run: Run, tools_used: list[str]) -> Json:
    """Return how long a run took and what it used."""
    started = run.started_at or run.created_at
    return {
        "id": run.id,
        "agent_id": run.agent_id,
        "project_id": None,
        "run_start_ns": int(started.timestamp() * 1e9),
        "run_ns": run.total_duration_ns,
        "num_steps": run.step_count,
        "tools_used": tools_used or None,
        "template_id": None,
        "base_template_id": None,
    }


def encode_step(step: Step, messages: list[Json]) -> Json:
    """Return a Step, with the keys of both eras."""
    error = step.error or None
    return {
        **{name: getattr(step, name) for name in _STEP},
        "job_id": step.run_id,
        "origin": None,
        "provider_id": None,
        "organization_id": step.org_id,
        "total_tokens": step.prompt_tokens + step.completion_tokens,
        "prompt_tokens_details": _details(cached_tokens=step.cached_input_tokens),
        "completion_tokens_details": _details(reasoning_tokens=step.reasoning_tokens),
        "tid": None,
        "trace_id": None,
        "request_id": None,
        "messages": messages,
        "project_id": None,
        "error_type": error and error.get("kind"),
        "error_data": error,
    }


def _details(**counts: int | None) -> Json | None:
    return counts if any(value is not None for value in counts.values()) else None


def encode_step_metrics(step: Step) -> Json:
    """Return how long the parts of a step took."""
    start = int(step.started_at.timestamp() * 1e9)
    return {
        "id": step.id,
        "organization_id": step.org_id,
        "provider_id": None,
        "job_id": step.run_id,
        "run_id": step.run_id,
        "agent_id": step.agent_id,
        "step_start_ns": start,
        "llm_request_start_ns": start,
        "llm_request_ns": step.llm_ns,
        "tool_execution_ns": step.tool_ns,
        "step_ns": step.total_ns,
        "base_template_id": None,
        "template_id": None,
        "project_id": None,
    }


def encode_trace(step: Step, rebuilt: Json) -> Json:
    """Return what went to the provider and what came back.

    `request_verified`: the request, put together again, has the digest of the one that was sent.
    """
    return {
        "id": step.id.replace("step-", "provider_trace-"),
        "created_at": stamp(step.created_at),
        "updated_at": stamp(step.updated_at),
        "created_by_id": step.created_by_id,
        "last_updated_by_id": step.last_updated_by_id,
        "request_json": rebuilt.get("body", {}),
        "request_verified": rebuilt.get("verified"),
        "response_json": step.response or {},
        "step_id": step.id,
        "agent_id": step.agent_id,
        "agent_tags": None,
        "call_type": "agent_step",
        "run_id": step.run_id,
        "source": None,
        "org_id": step.org_id,
        "organization_id": step.org_id,
        "compaction_settings": None,
        "llm_config": None,
        "billing_context": None,
    }
