"""What an agent sees of its folders: files, and the stretches of them that are open."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from agents.engine.window import estimate_tokens
from agents.models import Agent, AgentFile, AgentFolder
from agents.services.agent_models import file_columns
from agents.types import Json
from memory.logic.directories import Directory, ListedFile, render_directories
from memory.models import File, Folder

FILES_SHARE = 0.4  # of the window, for all open files together
TOKENS_A_LISTED_FILE = 400  # of the window, for each file that is listed by name
LEAST_LISTED = 5


def max_files_open(agent: Agent) -> int:
    """Return how many files the agent may have open at once."""
    default: int = file_columns(agent.context_window_limit)["max_files_open"]
    return default if agent.max_files_open is None else agent.max_files_open


def view_limit_chars(agent: Agent) -> int:
    """Return how many characters the agent sees of one file."""
    default: int = file_columns(agent.context_window_limit)["per_file_view_window_char_limit"]
    wanted = agent.per_file_view_window_char_limit
    return default if wanted is None else max(wanted, 1)


def files_state(agent: Agent) -> Json:
    """Return what changes whenever the agent's view of its folders does: one query."""
    links = AgentFolder.objects.filter(agent=agent)
    return {"views": agent.files_version, **dict(links.values_list("folder", "folder__version"))}


def directories_text(agent: Agent) -> str:
    """Return the section of the prompt about folders; costs nothing if the agent never had any."""
    if not agent.files_version:
        return ""
    return render_directories(
        _directories(agent),
        max_open=max_files_open(agent),
        budget=int(agent.context_window_limit * FILES_SHARE),
        measure=estimate_tokens,
    )


def _directories(agent: Agent) -> list[Directory]:
    ready = Count("files", filter=Q(files__status="completed"))
    folders = Folder.objects.filter(agent_links__agent=agent).annotate(ready=ready)
    rows = list(folders.order_by("agent_links__id"))
    views = {view.file_id: view for view in _open_views(agent)}
    files = _listed(agent, rows, views)
    return [_directory(folder, files[folder.id], views) for folder in rows]


def _open_views(agent: Agent) -> Iterable[AgentFile]:
    return AgentFile.objects.filter(agent=agent, is_open=True)


def _listed(agent: Agent, folders: list[Folder], open_ids: Iterable[str]) -> dict[str, list[File]]:
    """Return the files to be named: open ones, and of each folder the first by their names."""
    most = agent.context_window_limit // TOKENS_A_LISTED_FILE // max(len(folders), 1)
    place = Window(RowNumber(), partition_by="folder", order_by=F("name").asc())
    rows = File.objects.filter(folder__in=folders, status="completed").annotate(place=place)
    rows = rows.filter(Q(place__lte=max(most, LEAST_LISTED)) | Q(pk__in=list(open_ids)))
    found: dict[str, list[File]] = defaultdict(list)
    for row in rows.select_related("folder").order_by("name", "id"):
        found[row.folder_id].append(row)
    return found


def _directory(folder: Folder, files: list[File], views: dict[str, AgentFile]) -> Directory:
    count: int = getattr(folder, "ready", 0)
    return Directory(
        folder.name,
        tuple(_listed_file(file, views.get(file.id)) for file in files),
        folder.description,
        folder.instructions,
        more=count - len(files),
    )


def _listed_file(file: File, view: AgentFile | None) -> ListedFile:
    if view is None:
        return ListedFile(file.full_name)
    return ListedFile(file.full_name, True, view.view, view.accessed_at.timestamp())
