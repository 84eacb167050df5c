"""Opening and closing files for an agent; the least recently opened ones make room."""

from collections.abc import Iterable, Sequence

from django.db.models import F
from django.db.models.functions import Substr

from agents.models import Agent, AgentFile
from agents.services.file_views import max_files_open, view_limit_chars
from agents.types import OpenedFile
from letta_site.core.clock import now
from memory.logic.views import view_lines
from memory.models import File, FileText


def readable_files(agent_id: str) -> "Sequence[File]":
    """Return the files of an agent's folders that can be read, with their folders, by name."""
    rows = File.objects.filter(folder__agent_links__agent_id=agent_id, status="completed")
    return list(rows.select_related("folder").order_by("folder__name", "name", "id"))


def view_of(agent: Agent, file: File, *, start: int = 1, length: int | None = None) -> OpenedFile:
    """Return a stretch of a file as the agent would see it, from line `start` on."""
    limit = view_limit_chars(agent)
    rows = FileText.objects.filter(file=file)
    # A view from the top needs no more of a large file than its beginning.
    wanted = Substr("text", 1, limit + 1) if start <= 1 else F("text")
    text: str = rows.values_list(wanted, flat=True).first() or ""
    view = view_lines(text, total=file.line_count, limit=limit, start=start, length=length)
    return OpenedFile(file.id, view.text, view.start, view.end)


def show(agent_id: str, opened: Sequence[OpenedFile], *, close_others: bool = False) -> list[str]:
    """Put views into the agent's prompt; return the ids of the files that were closed for them.

    Call it inside `aio.write()`.
    """
    agent = Agent.objects.select_for_update().get(pk=agent_id)
    for one in opened:
        fields = {"start_line": one.start, "end_line": one.end, "view": one.view}
        AgentFile.objects.update_or_create(
            agent=agent,
            file_id=one.file_id,
            defaults={**fields, "is_open": True, "accessed_at": now()},
        )
    kept = [one.file_id for one in opened]
    closed = to_close(agent, kept, close_others=close_others)
    close(agent_id, closed)
    return closed


def to_close(agent: Agent, opening: Sequence[str], *, close_others: bool = False) -> list[str]:
    """Return which files have to be closed when these are opened, longest unseen first."""
    others = AgentFile.objects.filter(agent=agent, is_open=True).exclude(file_id__in=opening)
    ids = list(others.order_by("accessed_at", "id").values_list("file_id", flat=True))
    room = 0 if close_others else max(0, max_files_open(agent) - len(opening))
    return ids[: max(0, len(ids) - room)]


def close(agent_id: str, file_ids: Iterable[str] | None = None) -> list[str]:
    """Close files, all of them unless some are named; return the ids of those that were open.

    Call it inside `aio.write()`.
    """
    rows = AgentFile.objects.filter(agent_id=agent_id, is_open=True)
    if file_ids is not None:
        rows = rows.filter(file_id__in=list(file_ids))
    closed = list(rows.values_list("file_id", flat=True))
    AgentFile.objects.filter(agent_id=agent_id, file_id__in=closed).update(is_open=False, view="")
    raise_version([agent_id])
    return closed


def refit(agent: Agent) -> None:
    """Make what is open fit the agent's limits, when those have become smaller.

    Call it inside `aio.write()`.
    """
    close(agent.id, to_close(agent, ()))
    limit = view_limit_chars(agent)
    for row in AgentFile.objects.filter(agent=agent, is_open=True).select_related("file"):
        if len(row.view) > limit:
            fitted = view_of(agent, row.file, start=row.start_line)
            row.view, row.end_line = fitted.view, fitted.end
            row.save(update_fields=["view", "end_line"])
    agent.refresh_from_db(fields=["files_version"])


def raise_version(agent_ids: Iterable[str]) -> None:
    """Note that what agents see of their files has changed."""
    rows = Agent.objects.filter(pk__in=list(agent_ids))
    rows.update(files_version=F("files_version") + 1)


def open_first(agent: Agent, files: Sequence[File]) -> None:
    """Open files while there is room; nothing that is open is closed for them."""
    taken = AgentFile.objects.filter(agent=agent, is_open=True).count()
    room = max(0, max_files_open(agent) - taken)
    known = set(
        AgentFile.objects.filter(agent=agent, file__in=files).values_list("file", flat=True)
    )
    fresh = [file for file in files if file.id not in known][:room]
    if fresh:
        show(agent.id, [view_of(agent, file) for file in fresh])


def names_of(file_ids: Sequence[str]) -> list[str]:
    """Return the names by which agents know files, in this order."""
    rows = File.objects.filter(pk__in=file_ids).select_related("folder")
    found = {row.id: row.full_name for row in rows}
    return [found[one] for one in file_ids if one in found]
