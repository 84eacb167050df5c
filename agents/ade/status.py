"""The state of an agent in a word, and its last run in a line."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.ade.toolcards import duration_text
from agents.models import Run
from agents.services.runs import status_of


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
    if failed or (stop_reason and status_of(stop_reason) == "failed"):
        return Status(_("failed"), "err")
    if stop_reason == "cancelled":
        return Status(_("stopped"), "warn")
    if stop_reason == "max_steps":
        return Status(_("stopped at its step limit"), "warn")
    if stop_reason == "requires_approval":
        return Status(_("waiting for you"), "warn")
    return Status(_("idle"), "ok")


def ended(stop_reason: str | None) -> Status:
    """Say how a run ended, in a list of agents."""
    found = after(stop_reason)
    return Status(_("finished"), "ok") if found.tone == "ok" else found


def stuck() -> Status:
    """A run has not ended, and nobody carries it out."""
    return Status(_("stuck"), "err")


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
