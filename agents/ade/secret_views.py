"""The page of an agent's secrets: names are shown, values go in and never come out."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later
from django.views.decorators.http import require_http_methods, require_POST

from agents.ade.answers import go, is_htmx, refused
from agents.ade.pages import attached_tools, find_agent, tool_line
from agents.models import Agent
from agents.services.secret_edits import drop_secret, set_secret
from letta_site.core.errors import AppError, NotFound
from memory.ade.asking import actor_of, found

MAX_NAME_CHARS = 200
MAX_VALUE_CHARS = 20_000
# The kinds of tools that see secrets, as tool types, and how.
_GETTERS = {
    "custom": later("as environment variables"),
    "external_mcp": later("where its server's settings name them"),
}
_SEARCH = "web_search"


class SecretForm(forms.Form):
    """A secret to set. The value is never put into a page, not even after an error."""

    key = forms.CharField(
        label=later("Name"),
        max_length=MAX_NAME_CHARS,
        validators=[
            RegexValidator(
                r"\A[A-Za-z_][A-Za-z0-9_]*\Z",
                later("Use letters, digits and _, and no digit at the beginning."),
            )
        ],
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=later("Tools read it by this name, for example WEATHER_API_KEY."),
    )
    value = forms.CharField(
        label=later("Value"),
        max_length=MAX_VALUE_CHARS,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=later("Stored encrypted. It is never shown again, here or in the API."),
    )


@require_http_methods(["GET", "POST"])
@found
def secrets(request: HttpRequest, agent_id: str) -> HttpResponse:
    """List the names of an agent's secrets; set one."""
    agent = find_agent(actor_of(request), agent_id)
    data = request.POST if request.method == "POST" else None
    form = SecretForm(data, initial={"key": request.GET.get("name", "")}, auto_id="secret-%s")
    if data is not None and form.is_valid() and _set(request, agent, form):
        return go(request, _home(agent.id))
    name = "agents/secrets.html"
    if data is not None and is_htmx(request):
        name += "#form"
    status = 200 if data is None else 422
    return render(request, name, _context(agent, form), status=status)


def _home(agent_id: str) -> str:
    return reverse("ade:secrets", args=[agent_id])


def _set(request: HttpRequest, agent: Agent, form: SecretForm) -> bool:
    key = form.cleaned_data["key"]
    try:
        is_new = set_secret(actor_of(request), agent.id, key, form.cleaned_data["value"])
    except NotFound:
        raise
    except AppError as error:
        refused(form, error, "key")
        return False
    text = _("%(name)s was set.") if is_new else _("%(name)s was replaced.")
    messages.success(request, text % {"name": key})
    return True


def _context(agent: Agent, form: SecretForm) -> dict[str, Any]:
    rows = agent.secret_rows.only("key", "updated_at", "agent_id")
    return {
        "agent": agent,
        "form": form,
        "secrets": [{"name": row.key, "at": row.updated_at} for row in rows],
        "getters": [
            {"tool": tool_line(row), "how": how}
            for row in attached_tools(agent)
            if (how := _how(row.name, row.tool_type))
        ],
        "part": "secrets",
        "section": "agents",
    }


def _how(name: str, tool_type: str) -> Any:
    if name == _SEARCH and tool_type != "custom":
        return _("a key of a search service, if one is set here")
    return _GETTERS.get(tool_type)


@require_POST
@found
def delete_secret(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Take a secret from the agent."""
    name = request.POST.get("key", "")
    if drop_secret(actor_of(request), agent_id, name):
        messages.success(request, _("%(name)s was deleted.") % {"name": name})
    return go(request, _home(agent_id))
