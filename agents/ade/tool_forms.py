"""Forms of the tool pages: a tool as somebody writes it, and the arguments of a trial."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from agents.ade.forms import split_words
from agents.models import Tool
from agents.models.tool import DEFAULT_RETURN_LIMIT_CHARS
from agents.services.tool_code import NETWORK, SERVER
from agents.services.tool_schema import MAX_SOURCE_CHARS
from agents.services.tools import MAX_RETURN_LIMIT_CHARS
from agents.types import Json

PREFIX = "arg-"
LONG_TEXT_ROWS = 2
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.\[\],-]*?)\s*((?:[=<>!~].*)?)\s*\Z")
SOURCE_TYPES = [("python", "Python"), ("typescript", "TypeScript")]
GRANTS = [
    (NETWORK, _("Network: may connect to other machines")),
    (SERVER, _("Server: gets a client of this server, with a token that ends with the call")),
]
START = '''def roll_dice(sides: int, times: int = 1) -> str:
    """Roll a die and tell what came up.

    Args:
        sides: How many sides the die has.
        times: How often to roll it.
    """
    import random

    rolls = [random.randint(1, sides) for _ in range(times)]
    return ", ".join(map(str, rolls))
'''


class ToolForm(forms.Form):
    """A custom tool: its source, and what it may do."""

    source_code = forms.CharField(
        label=_("Source"),
        strip=False,
        max_length=MAX_SOURCE_CHARS,
        widget=forms.Textarea(
            attrs={"class": "source", "spellcheck": "false", "autocapitalize": "off", "rows": 24}
        ),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    tags = forms.CharField(label=_("Tags"), required=False, help_text=_("Separated by commas."))
    pip_requirements = forms.CharField(
        label=_("Python packages"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "requests==2.32.3"}),
        help_text=_("One a line, with a version if it matters. Installed once, before the call."),
    )
    return_char_limit = forms.IntegerField(
        label=_("Longest result"),
        min_value=1,
        max_value=MAX_RETURN_LIMIT_CHARS,
        help_text=_("Characters. What is longer is cut before the agent reads it."),
    )
    default_requires_approval = forms.BooleanField(
        label=_("Asks first: a person approves each call, for agents that get it from now on"),
        required=False,
    )
    enable_parallel_execution = forms.BooleanField(
        label=_("Parallel: may run beside other calls of the same step"), required=False
    )
    grants = forms.MultipleChoiceField(
        label=_("Grants"),
        choices=GRANTS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    source_type = forms.ChoiceField(
        label=_("Language"),
        choices=SOURCE_TYPES,
        help_text=_("TypeScript is kept and shown to agents, but not run here."),
    )
    json_schema = forms.JSONField(
        label=_("JSON schema of your own"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text=_("Empty: made from the source, as shown above."),
    )

    def clean_source_code(self) -> str:
        """Browsers send line ends of their own."""
        source: str = self.cleaned_data["source_code"]
        return source.replace("\r\n", "\n")

    def clean_json_schema(self) -> Json | None:
        """A schema is an object."""
        schema = self.cleaned_data["json_schema"]
        if schema is not None and not isinstance(schema, dict):
            raise forms.ValidationError(_('A schema is an object: {"name": ..., ...}.'))
        return schema or None

    def clean_pip_requirements(self) -> list[Json]:
        """Split lines like `name==1.0`."""
        lines = self.cleaned_data["pip_requirements"].splitlines()
        return [_requirement(line) for line in lines if line.strip()]

    def fields_of_tool(self) -> Json:
        """Return the columns that need no thought, by name."""
        plain = ("return_char_limit", "default_requires_approval", "enable_parallel_execution")
        kept = {name: self.cleaned_data[name] for name in (*plain, "pip_requirements")}
        return kept | {"tags": split_words(self.cleaned_data["tags"])}


def _requirement(line: str) -> Json:
    found = _REQUIREMENT.match(line)
    if found is None:
        raise forms.ValidationError(now_("%(line)s is not a package.") % {"line": line.strip()})
    name, version = found.groups()
    return {"name": name, "version": version.strip().removeprefix("==") or None}


def requirement_text(rows: Iterable[Json] | None) -> str:
    """Return requirements as lines to edit."""
    return "\n".join(_requirement_line(row) for row in rows or ())


def _requirement_line(row: Json) -> str:
    version = str(row.get("version") or "")
    return f"{row.get('name')}{'==' if version[:1].isalnum() else ''}{version}"


def initial_of(row: Tool | None, *, own_schema: bool, version: int) -> Json:
    """Return what the form of a tool starts with; `own_schema`: it is not made from the source."""
    if row is None:
        limit = DEFAULT_RETURN_LIMIT_CHARS
        return {"source_code": START, "return_char_limit": limit, "source_type": "python"}
    return {
        "source_code": row.source_code or "",
        "source_type": row.source_type or "python",
        "version": version,
        "tags": ", ".join(row.tags),
        "pip_requirements": requirement_text(row.pip_requirements),
        "return_char_limit": row.return_char_limit,
        "default_requires_approval": row.default_requires_approval,
        "enable_parallel_execution": row.enable_parallel_execution,
        "grants": (row.metadata or {}).get("grants") or [],
        "json_schema": row.json_schema if own_schema else None,
    }


class ArgumentsForm(forms.Form):
    """The arguments of a function, a field for each property of its schema."""

    def __init__(self, schema: Json, data: Any = None, given: Mapping[str, Any] | None = None):
        parameters = schema.get("parameters") or {}
        properties: Json = parameters.get("properties") or {}
        required = parameters.get("required") or []
        initial = {PREFIX + name: _typed(value) for name, value in (given or {}).items()}
        super().__init__(data, initial=initial, auto_id="%s")
        for name, rule in properties.items():
            self.fields[PREFIX + name] = _field_of(name, rule, required=name in required)

    def arguments(self) -> Json:
        """Return what was filled in, by the function's own names."""
        return {
            key.removeprefix(PREFIX): value
            for key, value in self.cleaned_data.items()
            if value not in ("", None)
        }


def _typed(value: Any) -> Any:
    if isinstance(value, bool):
        return json.dumps(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _field_of(name: str, rule: Json, *, required: bool) -> forms.Field:
    kind = rule.get("type")
    label = f"{name} · {kind or now_('any')}" + ("" if required else f" · {now_('optional')}")
    common = {"label": label, "required": required, "help_text": rule.get("description") or ""}
    if "enum" in rule:
        return _choice([(str(one), str(one)) for one in rule["enum"]], rule, common)
    if kind == "boolean":
        return _choice([("true", "true"), ("false", "false")], rule, common)
    if kind == "integer":
        return forms.IntegerField(**common)
    if kind == "number":
        return forms.FloatField(**common)
    if kind in ("array", "object"):
        empty = "[]" if kind == "array" else "{}"
        area = forms.Textarea(attrs={"rows": LONG_TEXT_ROWS, "class": "mono", "placeholder": empty})
        return forms.JSONField(widget=area, **common)
    area = forms.Textarea(attrs={"rows": 1, "dir": "auto", "class": "line"})
    return forms.CharField(widget=area, strip=False, **common)


def _choice(choices: list[tuple[str, str]], rule: Json, common: Json) -> forms.Field:
    read = {"boolean": lambda text: text == "true", "integer": int, "number": float}
    return forms.TypedChoiceField(
        choices=[("", "—"), *choices],
        coerce=read.get(str(rule.get("type")), str),
        empty_value=None,
        **common,
    )
