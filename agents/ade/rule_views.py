"""The page of an agent's tool rules: the rules, their forms, and the checker."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.ade.answers import fragment, go, is_htmx, refused
from agents.ade.pages import attached_tools, find_agent
from agents.ade.rule_check import MAX_CALLS, MAX_RETURN_CHARS, as_json, check
from agents.ade.rule_forms import RuleForm
from agents.ade.rule_graph import draw
from agents.ade.rule_words import KINDS, sentence
from agents.engine.strategies import strategy_of
from agents.engine.tool_rules import parse_rules
from agents.models import Agent
from agents.services.rule_edits import add_rule, key_of, remove_rule, replace_rule
from agents.types import Json
from letta_site.core.errors import AppError, Conflict, NotFound
from memory.ade.asking import actor_of, found


@require_GET
@found
def rules(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Show the rules of an agent, and what they make of the calls in the address."""
    agent = find_agent(actor_of(request), agent_id)
    context = _page_context(request, agent)
    if request.headers.get("HX-Target") == "checker":
        return fragment(request, "agents/rules.html#checker", context)
    return render(request, "agents/rules.html", context)


def _page_context(request: HttpRequest, agent: Agent) -> dict[str, Any]:
    names = [row.name for row in attached_tools(agent)]
    parsed = parse_rules(agent.tool_rules)
    calls = _calls(request, names)
    checked = check(parsed, names, calls, strategy_of(agent.agent_type))
    return {
        "agent": agent,
        "rules": [_line(row, names) for row in agent.tool_rules],
        "kinds": KINDS,
        "check": checked,
        "graph": draw(parsed, checked),
        "back_url": _address(agent, checked.calls[:-1]),
        "full": len(calls) >= MAX_CALLS,
        "part": "rules",
        "section": "agents",
    }


def _line(row: Json, names: list[str]) -> dict[str, Any]:
    rule = parse_rules([row])[0]
    named = dict.fromkeys([rule.tool_name, *rule.children, *(name for _, name in rule.outputs)])
    return {
        "key": key_of(row),
        "kind": KINDS[rule.type],
        "type": rule.type,
        "says": sentence(rule),
        "tool": rule.tool_name,
        "prefill": [(name, as_json(args)) for name, args in rule.prefill.items()],
        "absent": [name for name in named if name not in names],
    }


def _calls(request: HttpRequest, names: list[str]) -> list[tuple[str, str]]:
    """Return the calls in the address: pairs of `call` and `returned`, in order."""
    called, returned = request.GET.getlist("call"), request.GET.getlist("returned")
    texts = [*returned, *[""] * len(called)]
    pairs = zip(called[:MAX_CALLS], texts, strict=False)
    return [(name, text[:MAX_RETURN_CHARS]) for name, text in pairs if name in names]


def _address(agent: Agent, calls: Sequence[tuple[str, str]]) -> str:
    pairs = [pair for name, text in calls for pair in (("call", name), ("returned", text))]
    return f"{_home(agent.id)}?{urlencode(pairs)}"


def _home(agent_id: str) -> str:
    return reverse("ade:rules", args=[agent_id])


@require_http_methods(["GET", "POST"])
@found
def new_rule(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Add a rule of the type in the address."""
    kind = request.GET.get("type", "")
    if kind not in KINDS:
        raise NotFound(f"There is no type of rule named {kind!r}.")
    agent = find_agent(actor_of(request), agent_id)
    form = _form(request, agent, kind)
    if request.method == "POST" and form.is_valid() and _stored(request, agent, form, None):
        return go(request, _home(agent.id))
    return _form_page(request, agent, form, None)


@require_http_methods(["GET", "POST"])
@found
def rule(request: HttpRequest, agent_id: str, key: str) -> HttpResponse:
    """Change a rule."""
    agent = find_agent(actor_of(request), agent_id)
    stored = next((row for row in agent.tool_rules if key_of(row) == key), None)
    if stored is None:
        raise NotFound("This rule was changed or removed.")
    form = _form(request, agent, stored["type"], stored)
    if request.method == "POST" and form.is_valid() and _stored(request, agent, form, key):
        return go(request, _home(agent.id))
    return _form_page(request, agent, form, key)


def _form(request: HttpRequest, agent: Agent, kind: str, stored: Json | None = None) -> RuleForm:
    data = request.POST if request.method == "POST" else None
    names = [row.name for row in attached_tools(agent)]
    if stored:
        line = parse_rules([stored])[0]
        named = [line.tool_name, *line.children, *(name for _, name in line.outputs)]
        names = list(dict.fromkeys([*names, *named, *filter(None, [line.default_child])]))
    return RuleForm(data, kind=kind, names=names, stored=stored)


def _stored(request: HttpRequest, agent: Agent, form: RuleForm, key: str | None) -> bool:
    actor = actor_of(request)
    try:
        if key is None:
            add_rule(actor, agent.id, form.rule())
        else:
            replace_rule(actor, agent.id, key, form.rule())
    except NotFound:
        raise
    except AppError as error:
        refused(form, error)
        return False
    messages.success(request, _("Rule saved"))
    return True


def _form_page(request: HttpRequest, agent: Agent, form: RuleForm, key: str | None) -> HttpResponse:
    """Show a form: in a dialog, on a page of its own, or again with its errors."""
    home = reverse("ade:rule_new", args=[agent.id]) + f"?type={form.kind}"
    context: dict[str, Any] = {
        "agent": agent,
        "form": form,
        "kind": KINDS[form.kind],
        "key": key,
        "address": reverse("ade:rule", args=[agent.id, key]) if key else home,
        "part": "rules",
        "section": "agents",
    }
    name, posted = "agents/rule.html", request.method == "POST"
    if is_htmx(request):
        name += "#form" if posted else "#dialog"
    return render(request, name, context, status=422 if posted else 200)


@require_POST
@found
def delete_rule(request: HttpRequest, agent_id: str, key: str) -> HttpResponse:
    """Take a rule from the agent; one that is gone already is not missed."""
    try:
        remove_rule(actor_of(request), agent_id, key)
    except Conflict:
        messages.info(request, _("This rule was changed or removed meanwhile."))
    else:
        messages.success(request, _("Rule deleted"))
    return go(request, _home(agent_id))
