"""Tool rules in words, for people: what each type is for, and what a single rule says."""

from collections.abc import Callable
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later
from django.utils.translation import ngettext

from agents.engine.tool_rules import Rule


class Kind(NamedTuple):
    """A type of rule as the page offers it."""

    title: str | Promise
    help: str | Promise


KINDS: dict[str, Kind] = {
    "run_first": Kind(
        later("Start with"),
        later("Every turn begins with this tool. Of several such rules, any one will do."),
    ),
    "constrain_child_tools": Kind(
        later("What may follow"),
        later("Right after this tool only the tools you list may be called."),
    ),
    "conditional": Kind(
        later("Go by the result"),
        later("What this tool returned decides which tool is called next."),
    ),
    "parent_last_tool": Kind(
        later("Only right after"),
        later("The tools you list may be called right after this one and at no other time."),
    ),
    "max_count_per_step": Kind(
        later("At most so often"), later("How often this tool may be called in one turn.")
    ),
    "required_before_exit": Kind(
        later("Before the end"), later("The turn does not end until this tool was called.")
    ),
    "continue_loop": Kind(
        later("Go on after"), later("After this tool the agent takes another step.")
    ),
    "exit_loop": Kind(later("End with"), later("The turn ends when this tool was called.")),
    "requires_approval": Kind(
        later("Ask first"), later("A call of this tool waits until a person allows it.")
    ),
}


def sentence(rule: Rule) -> SafeString:
    """Return what a rule says, with the names of tools as code."""
    return _SENTENCES[rule.type](rule)


def reason(rule: Rule) -> SafeString:
    """Return why a rule is against a call, now that it is: shorter where the rule is long."""
    if rule.type != "conditional":
        return sentence(rule)
    text = _("What {tool} returned does not lead here.")
    return format_html(text, tool=_code(rule.tool_name))


def _code(name: str) -> SafeString:
    return format_html("<code>{}</code>", name)


def _listed(names: tuple[str, ...]) -> SafeString:
    return format_html_join(", ", "<code>{}</code>", ((name,) for name in names))


def _about(text: str | Promise) -> Callable[[Rule], SafeString]:
    return lambda rule: format_html(str(text), tool=_code(rule.tool_name))


def _with_children(text: str | Promise) -> Callable[[Rule], SafeString]:
    def say(rule: Rule) -> SafeString:
        return format_html(str(text), tool=_code(rule.tool_name), children=_listed(rule.children))

    return say


def _conditional(rule: Rule) -> SafeString:
    case = _("“{output}” leads to {child}")
    said = [format_html(case, output=text, child=_code(name)) for text, name in rule.outputs]
    if rule.default_child:
        said.append(format_html(_("anything else to {child}"), child=_code(rule.default_child)))
    elif rule.must_match:
        said.append(format_html("{}", _("anything else to no tool")))
    cases = format_html_join("; ", "{}", ((one,) for one in said))
    return format_html(
        _("What {tool} returns decides: {cases}."), tool=_code(rule.tool_name), cases=cases
    )


def _limit(rule: Rule) -> SafeString:
    text = ngettext(
        "{tool} may be called once in a turn.",
        "{tool} may be called {limit} times in a turn.",
        rule.limit,
    )
    return format_html(text, tool=_code(rule.tool_name), limit=rule.limit)


_SENTENCES: dict[str, Callable[[Rule], SafeString]] = {
    "run_first": _about(later("A turn starts with {tool}.")),
    "exit_loop": _about(later("The turn ends with {tool}.")),
    "continue_loop": _about(later("After {tool} the agent goes on.")),
    "constrain_child_tools": _with_children(
        later("Right after {tool} only {children} may follow.")
    ),
    "parent_last_tool": _with_children(later("{children} may be called only right after {tool}.")),
    "conditional": _conditional,
    "max_count_per_step": _limit,
    "required_before_exit": _about(later("The turn does not end before {tool} was called.")),
    "requires_approval": _about(later("Calls of {tool} wait for a person.")),
}
