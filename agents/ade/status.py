"""The state of an agent in a word, and its last run in a line."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.ade.toolcards import duration_text
from agents.models import Run

GOOD_ENDS = ("end_turn", "tool_rule")


@dataclass(frozen=True, slots=True)
class Status:
    """A chip: what it says, in which tone, and whether the agent is at work."""

    text: str
    tone: str = ""
    busy: bool = False


def thinking() -> Status:
    """The model is being asked."""
    return Status(_("thinking"), "acc", busy=True)


def using(tool: str) -> Status:
    """A tool is running."""
    return Status(_("using %(tool)s") % {"tool": tool}, "acc", busy=True)


def after(stop_reason: str | None, *, failed: bool = False) -> Status:
    """A run has ended."""
    if failed or stop_reason == "error":
        return Status(_("failed"), "err")
    if stop_reason == "cancelled":
        return Status(_("stopped"), "warn")
    if stop_reason == "max_steps":
        return Status(_("stopped at its step limit"), "warn")
    if stop_reason == "requires_approval":
        return Status(_("waiting for you"), "warn")
    return Status(_("idle"), "ok") if stop_reason in (None, *GOOD_ENDS) else _odd(stop_reason)


def _odd(stop_reason: str) -> Status:
    return Status(stop_reason.replace("_", " "), "warn")


def of_run(run: Run | None) -> Status:
    """Return the state that an agent's last run says it is in."""
    if run is None:
        return Status(_("idle"), "ok")
    if run.status == "running":
        return thinking()
    if run.status == "created":
        return Status(_("queued"), "acc", busy=True)
    return after(run.stop_reason, failed=run.status == "failed")


def run_line(run: Run | None) -> str:
    """Return the figures of a run."""
    if run is None or not run.step_count:
        return ""
    steps = ngettext("%(n)s step", "%(n)s steps", run.step_count) % {"n": run.step_count}
    tokens = _("%(in)s in / %(out)s out") % {
        "in": f"{run.prompt_tokens:,}",
        "out": f"{run.completion_tokens:,}",
    }
    parts = [steps, duration_text(run.total_duration_ns), tokens]
    return " · ".join(part for part in parts if part)
