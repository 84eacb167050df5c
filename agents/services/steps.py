"""Steps: finding them, and what was recorded of them."""

from collections.abc import Sequence

from django.db.models import Q

from agents.models import Message, Step, ToolCall
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.json_lists import has_item
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery


def get_step(actor: Actor, step_id: str) -> Step:
    """Return a step. Raises NotFound."""
    step: Step | None = Step.objects.of(actor).filter(pk=step_id).first()
    if step is None:
        raise NotFound(f"Step with id '{step_id}' not found")
    return step


def list_steps(
    actor: Actor, *, query: PageQuery, filters: Json, tags: Sequence[str] = ()
) -> list[Step]:
    """Return a page of steps, with `tags` those that have any of them.

    `filters` are field lookups of Step.
    """
    rows = Step.objects.of(actor).filter(**filters)
    if tags:
        rows = rows.filter(Q(*(has_item(Step, "tags", tag) for tag in tags), _connector=Q.OR))
    return page(rows, query)


def messages_of_steps(actor: Actor, steps: list[Step]) -> dict[str, list[Message]]:
    """Return the stored messages of each step by its id, in order: one query."""
    found: dict[str, list[Message]] = {step.id: [] for step in steps}
    for row in Message.objects.of(actor).filter(step_id__in=list(found)).order_by("seq"):
        found[row.step_id or ""].append(row)
    return found


def set_feedback(
    actor: Actor, step_id: str, *, feedback: str | None, tags: list[str] | None = None
) -> Step:
    """Note what a person thinks of a step, None taking it back. Raises NotFound."""
    with write():
        step = get_step(actor, step_id)
        step.feedback = feedback
        step.tags = step.tags if tags is None else tags
        step.touch(actor, "feedback", "tags")
    return step


def work_of_run(actor: Actor, run_id: str) -> tuple[list[Step], list[ToolCall]]:
    """Return the steps and tool calls of a run, in order."""
    made = Step.objects.of(actor).filter(run_id=run_id).order_by("n")
    called = ToolCall.objects.filter(org_id=actor.org_id, run_id=run_id).order_by("id")
    return list(made), list(called)


def tools_used(actor: Actor, run_id: str) -> list[str]:
    """Return the names of the tools that a run called, each once, by name."""
    rows = ToolCall.objects.filter(org_id=actor.org_id, run_id=run_id)
    return sorted(set(rows.values_list("name", flat=True)))
