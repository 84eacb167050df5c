"""Pages of tools: the library, a tool's source beside its schema, trials, agents, versions."""

import time
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.ade import tool_pages as pages
from agents.ade.answers import fragment, go, is_htmx, refused
from agents.ade.tool_forms import ToolForm
from agents.ade.tool_history import version_cards
from agents.models import Tool
from agents.services.agent_changes import attach_tool, detach_tool
from agents.services.tool_versions import restore_version
from agents.services.tools import ToolDraft, delete_tool, get_tool, save_tool, update_tool
from agents.tools.custom import Trial, try_source
from letta_site.core.aio import in_db
from letta_site.core.errors import AppError, Invalid, NotFound
from letta_site.core.types import Actor
from memory.ade.asking import actor_of, found

EDITOR = "tools/editor.html"


@require_GET
@found
def library(request: HttpRequest) -> HttpResponse:
    """List tools by name; filters are in the address."""
    asked = {name: request.GET.get(name, "").replace("\x00", "") for name in ("q", "type", "tag")}
    query = pages.LibraryQuery(
        asked["q"].strip(), asked["type"], asked["tag"], request.GET.get("after", "")
    )
    context = pages.library_context(actor_of(request), query)
    name = "tools/list.html#rows" if query.after and is_htmx(request) else "tools/list.html"
    return render(request, name, context)


@require_http_methods(["GET", "POST"])
@found
def new(request: HttpRequest) -> HttpResponse:
    """Write a new tool."""
    return _edit(request, None)


@require_http_methods(["GET", "POST"])
@found
def tool(request: HttpRequest, tool_id: str) -> HttpResponse:
    """Show a tool, and store what was changed; one that is not custom is only shown."""
    actor = actor_of(request)
    row = get_tool(actor, tool_id)
    if row.tool_type == "custom":
        return _edit(request, row)
    context = pages.side_context(actor, row) | {"section": "tools", "kind": pages.kind_text(row)}
    context["reading"] = pages.Reading(row.json_schema or {}, ())
    return render(request, "tools/builtin.html", context)


def _edit(request: HttpRequest, row: Tool | None) -> HttpResponse:
    actor = actor_of(request)
    data: Any = request.POST if request.method == "POST" else None
    form = pages.tool_form(row, data)
    if data is not None and form.is_valid():
        saved = _store(actor, row, form)
        if saved:
            return _saved(request, row, saved)
    context = _context(request, row, form)
    status = 200 if data is None else 422
    name = f"{EDITOR}#answer" if is_htmx(request) and data is not None else EDITOR
    return render(request, name, context, status=status)


def _context(request: HttpRequest, row: Tool | None, form: ToolForm) -> dict[str, Any]:
    actor, reading = actor_of(request), pages.reading_of(form)
    given = pages.arguments_of_call(actor, row, request.GET.get("call", "")) if row else {}
    arguments = pages.arguments_form(reading, given=given or _typed_in(request))
    return pages.editor_context(actor, row, form, reading=reading, arguments=arguments)


def _typed_in(request: HttpRequest) -> dict[str, str]:
    """Return the arguments that the reader has typed, whether they fit or not."""
    typed = {key: text for key, text in request.POST.items() if key.startswith("arg-")}
    return {key.removeprefix("arg-"): str(text) for key, text in typed.items()}


def _store(actor: Actor, row: Tool | None, form: ToolForm) -> Tool | None:
    """Store a form; None when it is refused, which the form then says."""
    try:
        return _create(actor, form) if row is None else _change(actor, row, form)
    except NotFound:
        raise
    except AppError as error:
        refused(form, error, _field_of(error))
        return None


def _create(actor: Actor, form: ToolForm) -> Tool:
    data = form.cleaned_data
    schema = data["json_schema"] or pages.reading_of(form).schema
    name = schema.get("name")
    if Tool.objects.of(actor).filter(name=name).exists():
        raise Invalid(
            _("There is a tool named %(name)s already.") % {"name": name},
            todo=_("Give the function another name, or change that tool."),
        )
    draft = ToolDraft(
        source_code=data["source_code"],
        source_type=data["source_type"],
        json_schema=data["json_schema"],
        fields=form.fields_of_tool(),
        metadata={"grants": data["grants"]},
    )
    return save_tool(actor, draft)


def _change(actor: Actor, row: Tool, form: ToolForm) -> Tool:
    data = form.cleaned_data
    now_at = form.initial["version"]
    if data["version"] is not None and data["version"] < now_at:
        form.data = form.data.copy()
        form.data["version"] = str(now_at)
        raise Invalid(
            _("Version %(n)s of this tool was saved while you wrote.") % {"n": now_at},
            todo=_("Look at Versions; saving again puts yours on top, and theirs is kept."),
        )
    changes = form.fields_of_tool() | {"metadata": {"grants": data["grants"]}}
    changes |= {name: data[name] for name in ("source_code", "source_type", "json_schema")}
    changed: Tool = update_tool(actor, row.id, changes=changes)
    if not data["json_schema"] and data["source_type"] == "python":
        changed.description = (changed.json_schema or {}).get("description")
        changed.touch(actor, "description")
    return changed


def _field_of(error: AppError) -> str:
    return "return_char_limit" if "return_char_limit" in error.what else "source_code"


def _saved(request: HttpRequest, before: Tool | None, saved: Tool) -> HttpResponse:
    address = reverse("ade:tool", args=[saved.id])
    if before is None or not is_htmx(request):
        messages.success(request, _("%(name)s is saved.") % {"name": saved.name})
        return go(request, address)
    context = _context(request, saved, pages.tool_form(saved))
    return fragment(request, f"{EDITOR}#answer", context | {"saved": True})


@require_POST
@found
def check(request: HttpRequest) -> HttpResponse:
    """Show the schema of the source as it is being written, and the form it makes."""
    return fragment(request, f"{EDITOR}#checked", _context(request, None, ToolForm(request.POST)))


@require_POST
async def run(request: HttpRequest, tool_id: str = "") -> HttpResponse:
    """Run the source as it stands in the editor, with the arguments typed; nothing is stored."""
    actor = actor_of(request)
    try:
        row = await in_db(get_tool, actor, tool_id) if tool_id else None
    except NotFound as error:
        raise Http404(error.what) from error
    form = await in_db(pages.tool_form, row, request.POST)
    reading = pages.reading_of(form)
    arguments = pages.arguments_form(reading, request.POST)
    context: dict[str, Any] = {}
    if form.is_valid() and arguments.is_valid() and reading.schema:
        context["trial"] = await _tried(actor, form, arguments.arguments())
    return await sync_to_async(_answer_trial)(request, row, form, reading, arguments, context)


def _answer_trial(
    request: HttpRequest, row: Any, form: Any, reading: Any, arguments: Any, context: Any
) -> HttpResponse:
    context |= {"form": form, "reading": reading, "arguments": arguments, "tool": row}
    status = 200 if "trial" in context else 422
    if is_htmx(request):
        return fragment(request, f"{EDITOR}#run", context, status=status)
    actor = actor_of(request)
    whole = pages.editor_context(actor, row, form, reading=reading, arguments=arguments)
    return render(request, EDITOR, whole | context, status=status)


async def _tried(actor: Actor, form: ToolForm, arguments: dict[str, Any]) -> pages.Trial:
    data = form.cleaned_data
    trial = Trial(
        source=data["source_code"],
        source_type=data["source_type"],
        requirements=tuple(data["pip_requirements"]),
        grants=tuple(data["grants"]),
    )
    start = time.perf_counter_ns()
    outcome = await try_source(actor, trial, arguments)
    return pages.trial_of(outcome, time.perf_counter_ns() - start)


@require_GET
@found
def arguments(request: HttpRequest, tool_id: str) -> HttpResponse:
    """Show the form of a trial filled with what an agent called the tool with."""
    row = get_tool(actor_of(request), tool_id)
    return fragment(request, f"{EDITOR}#run", _context(request, row, pages.tool_form(row)))


@require_POST
@found
def attach(request: HttpRequest, tool_id: str) -> HttpResponse:
    """Give the tool to an agent."""
    attach_tool(actor_of(request), request.POST.get("agent_id", ""), tool_id)
    return _users(request, tool_id)


@require_POST
@found
def detach(request: HttpRequest, tool_id: str, agent_id: str) -> HttpResponse:
    """Take the tool from an agent."""
    detach_tool(actor_of(request), agent_id, tool_id)
    return _users(request, tool_id)


def _users(request: HttpRequest, tool_id: str) -> HttpResponse:
    if not is_htmx(request):
        return redirect(reverse("ade:tool", args=[tool_id]) + "#users")
    actor = actor_of(request)
    context = pages.users_context(actor, get_tool(actor, tool_id))
    return fragment(request, "tools/parts.html#users", context | {"count": True})


@require_GET
@found
def versions(request: HttpRequest, tool_id: str) -> HttpResponse:
    """Show every saved state of a tool, and what each changed."""
    actor = actor_of(request)
    row = get_tool(actor, tool_id)
    context = {"tool": row, "versions": version_cards(actor, tool_id), "section": "tools"}
    name = "tools/versions.html#drawer" if is_htmx(request) else "tools/versions.html"
    return render(request, name, context)


@require_POST
@found
def restore(request: HttpRequest, tool_id: str, number: int) -> HttpResponse:
    """Make an old version the newest one."""
    row = restore_version(actor_of(request), tool_id, number)
    text = _("Version %(n)s of %(name)s is the newest again.")
    messages.success(request, text % {"n": number, "name": row.name})
    return redirect("ade:tool", tool_id)


@require_http_methods(["GET", "POST"])
@found
def delete(request: HttpRequest, tool_id: str) -> HttpResponse:
    """Delete a custom tool, after a question that names the agents which lose it."""
    actor = actor_of(request)
    row = get_tool(actor, tool_id)
    if row.tool_type.startswith("letta_"):
        raise NotFound(f"{row.name} is built in and cannot be deleted.")
    if request.method == "POST":
        delete_tool(actor, tool_id)
        messages.success(request, _("%(name)s was deleted.") % {"name": row.name})
        return go(request, reverse("ade:tools"))
    name = "tools/delete.html#dialog" if is_htmx(request) else "tools/delete.html"
    return render(request, name, pages.users_context(actor, row) | {"section": "tools"})
