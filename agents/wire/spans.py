"""A run as spans of time, in the manner of OpenTelemetry: the run, its steps, their tool calls."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from agents.models import Run, Step, ToolCall
from agents.types import Json

_CODES = {"success": "Ok", "completed": "Ok", "failed": "Error", "error": "Error"}


def encode_spans(run: Run, steps: Sequence[Step], calls: Iterable[ToolCall]) -> list[Json]:
    """Return the spans of a run, parents before children. Times are nanoseconds since 1970."""
    began = run.started_at or run.created_at
    spans = [_span(run, run.id, "run", None, _ns(began), run.total_duration_ns, run.status)]
    for step in steps:
        name = f"step {step.n}: {step.model_handle}"
        start = _ns(step.started_at)
        spans.append(_span(run, step.id, name, run.id, start, step.total_ns, step.status))
    ends = {step.id: _ns(step.started_at) + (step.llm_ns or 0) for step in steps}
    for call in calls:
        # Calls follow the model's answer; those of one step are shown one after the other.
        start = ends.get(call.step_id, 0)
        ends[call.step_id] = start + (call.duration_ns or 0)
        key, name = f"{call.step_id}:{call.tool_call_id}", f"tool {call.name}"
        spans.append(_span(run, key, name, call.step_id, start, call.duration_ns, call.status))
    return spans


def _span(
    run: Run, key: str, name: str, parent: str | None, start: int, length: int | None, status: str
) -> Json:
    return {
        "trace_id": _digest(run.id, 32),
        "span_id": _digest(key, 16),
        "parent_span_id": _digest(parent, 16) if parent else "",
        "span_name": name,
        "timestamp_ns": start,
        "duration_ns": length or 0,
        "status_code": _CODES.get(status, "Unset"),
        "attributes": {"run_id": run.id, "agent_id": run.agent_id, "id": key, "status": status},
    }


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)


def _digest(key: str, length: int) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:length]
