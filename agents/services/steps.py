"""Steps: finding them, and what was recorded of them."""

from agents.models import Message, Step, ToolCall
from agents.types import Json
from letta_site.core.errors import NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery


def get_step(actor: Actor, step_id: str) -> Step:
    """Return a step. Raises NotFound."""
    step: Step | None = Step.objects.of(actor).filter(pk=step_id).first()
    if step is None:
        raise NotFound(f"Step with id '{step_id}' not found")
    return step


def list_steps(actor: Actor, *, query: PageQuery, filters: Json) -> list[Step]:
    """Return a page of steps. `filters` are field lookups of Step."""
    return page(Step.objects.of(actor).filter(**filters), query)


def messages_of_steps(actor: Actor, steps: list[Step]) -> dict[str, list[Message]]:
    """Return the stored messages of each step by its id, in order: one query."""
    found: dict[str, list[Message]] = {step.id: [] for step in steps}
    for row in Message.objects.of(actor).filter(step_id__in=list(found)).order_by("seq"):
        found[row.step_id or ""].append(row)
    return found


def tools_used(actor: Actor, run_id: str) -> list[str]:
    """Return the names of the tools that a run called, each once, by name."""
    rows = ToolCall.objects.filter(org_id=actor.org_id, run_id=run_id)
    return sorted(set(rows.values_list("name", flat=True)))
