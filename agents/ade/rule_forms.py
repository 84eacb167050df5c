"""Forms of tool rules: one for each type, between what is typed and a rule as it is stored."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.types import Json

MAX_CALLS = 1_000
MAX_OUTPUT_CHARS = 2_000
MAX_ARGUMENTS_CHARS = 20_000
SPARE_ROWS = 2
MAX_ROWS = 100
_ROWS_OF = {"constrain_child_tools": "children", "conditional": "outputs"}
_FIELDS_OF = {
    "run_first": ("args",),
    "parent_last_tool": ("children",),
    "conditional": ("default_child", "require_output_mapping"),
    "max_count_per_step": ("max_count_limit",),
}
_OPTIONAL = ("args", "default_child", "require_output_mapping")


def _refuse(word: str) -> None:
    """NaN and Infinity are not JSON, though Python reads them."""
    raise ValueError(word)


class ArgumentsField(forms.CharField):
    """Arguments of a call, typed as a JSON object; empty is none."""

    def __init__(self, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={"rows": 1, "class": "mono", "spellcheck": "false"})
        super().__init__(
            required=False,
            max_length=MAX_ARGUMENTS_CHARS,
            widget=kwargs.pop("widget", area),
            **kwargs,
        )

    def to_python(self, value: Any) -> Any:
        """Return the object that the text stands for."""
        text = super().to_python(value)
        if not text:
            return {}
        self.run_validators(text)
        try:
            found = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise forms.ValidationError(_('This is not JSON; write {"name": "value"}.')) from None
        if not isinstance(found, dict):
            raise forms.ValidationError(_('Write the arguments as an object: {"name": "value"}.'))
        return found

    def run_validators(self, value: Any) -> None:
        """Judge the text only: by now, later on, it is an object."""
        if isinstance(value, str):
            super().run_validators(value)


class ChildRow(forms.Form):
    """A tool that may follow, and the arguments it is then called with."""

    tool = forms.ChoiceField(label=_("Tool"), required=False)
    args = ArgumentsField(label=_("Arguments laid down (JSON, optional)"))

    def __init__(self, *args: Any, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tool"].choices = _or_none(names)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Arguments are those of a tool."""
        cleaned = super().clean() or {}
        if cleaned.get("args") and not cleaned.get("tool"):
            self.add_error("tool", _("Say whose arguments these are."))
        return cleaned


class OutputRow(forms.Form):
    """What a tool may return, and the tool that is called then."""

    output = forms.CharField(
        label=_("When it returns"), required=False, max_length=MAX_OUTPUT_CHARS
    )
    tool = forms.ChoiceField(label=_("Then call"), required=False)

    def __init__(self, *args: Any, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tool"].choices = _or_none(names)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A result leads to a tool, and a tool needs a result."""
        cleaned = super().clean() or {}
        output, tool = cleaned.get("output"), cleaned.get("tool")
        if output and not tool and "tool" not in self.errors:
            self.add_error("tool", _("Say which tool is called then."))
        if tool and not output and "output" not in self.errors:
            self.add_error("output", _("Say what it returns then."))
        return cleaned


class RuleForm(forms.Form):
    """A rule of one type, with its rows if it has any; `names` are the tools to choose from."""

    tool_name = forms.ChoiceField(label=_("Tool"))
    args = ArgumentsField(
        label=_("Arguments laid down (JSON, optional)"),
        help_text=_("They win over what the model writes."),
    )
    children = forms.MultipleChoiceField(label=_("Tools"), widget=forms.CheckboxSelectMultiple)
    default_child = forms.ChoiceField(
        label=_("For anything else"), help_text=_("Empty: the agent may call any tool then.")
    )
    require_output_mapping = forms.BooleanField(label=_("Allow no tool for anything else"))
    max_count_limit = forms.IntegerField(
        label=_("Calls in one turn"), min_value=1, max_value=MAX_CALLS, initial=1
    )

    def __init__(
        self, data: Any = None, *, kind: str, names: Sequence[str], stored: Json | None = None
    ) -> None:
        super().__init__(data, initial=_initial(stored or {}), auto_id="rule-%s")
        self.kind, self.stored = kind, stored or {}
        for name in set(self.fields) - {"tool_name", *_FIELDS_OF.get(kind, ())}:
            del self.fields[name]
        for name in set(_OPTIONAL) & set(self.fields):
            self.fields[name].required = False
        self._offer(names)
        self.rows = _rows(kind, data, names, stored or {})

    def _offer(self, names: Sequence[str]) -> None:
        tools = [(name, name) for name in names]
        choices = {"tool_name": tools, "children": tools, "default_child": _or_none(names)}
        for name in set(choices) & set(self.fields):
            self.fields[name].choices = choices[name]  # type: ignore[attr-defined]

    def is_valid(self) -> bool:
        """Judge the form and its rows, all of them, so that every error is seen at once."""
        own, rows = super().is_valid(), self.rows is None or self.rows.is_valid()
        if own and rows and self.rows is not None:
            self._judge_rows()
        return own and rows and not self.errors

    def _judge_rows(self) -> None:
        key = "output" if self.kind == "conditional" else "tool"
        filled = [row[key] for row in self._filled()]
        if not filled:
            self.add_error(None, _("Fill in at least one line."))
        if len(set(filled)) < len(filled):
            self.add_error(None, _("Two lines are about the same."))

    def _filled(self) -> list[dict[str, Any]]:
        return [row for row in self.rows.cleaned_data if row.get("tool")] if self.rows else []

    def rule(self) -> Json:
        """Return the rule as it is stored; what the form does not know of it stays."""
        data = {**self.cleaned_data}
        for name in ("args", "default_child"):
            if name in data:
                data[name] = data[name] or None
        return {**self.stored, "type": self.kind, **data, **self._from_rows()}

    def _from_rows(self) -> Json:
        rows = self._filled()
        if self.kind == "conditional":
            return {"child_output_mapping": {row["output"]: row["tool"] for row in rows}}
        if self.kind != "constrain_child_tools":
            return {}
        nodes = [{"name": row["tool"], "args": row["args"]} for row in rows if row["args"]]
        children = list(dict.fromkeys(row["tool"] for row in rows))
        return {"children": children, "child_arg_nodes": nodes or None}


def _or_none(names: Sequence[str]) -> list[tuple[str, str]]:
    return [("", "—"), *((name, name) for name in names)]


def _initial(stored: Json) -> Json:
    args = stored.get("args")
    return {**stored, "args": json.dumps(args, ensure_ascii=False) if args else ""}


def _rows(kind: str, data: Any, names: Sequence[str], stored: Json) -> Any:
    """Return the formset of a type's rows, or None: those that are stored, and some to fill."""
    if kind not in _ROWS_OF:
        return None
    row_class = OutputRow if kind == "conditional" else ChildRow
    formset = forms.formset_factory(
        row_class, extra=SPARE_ROWS, max_num=MAX_ROWS, absolute_max=MAX_ROWS
    )
    kwargs = {"names": names}
    return formset(data, initial=_stored_rows(kind, stored), prefix="row", form_kwargs=kwargs)


def _stored_rows(kind: str, stored: Json) -> list[Json]:
    if kind == "conditional":
        mapping = stored.get("child_output_mapping") or {}
        return [{"output": output, "tool": tool} for output, tool in mapping.items()]
    nodes = {node["name"]: node.get("args") for node in stored.get("child_arg_nodes") or ()}
    return [
        {"tool": name, "args": json.dumps(nodes[name]) if nodes.get(name) else ""}
        for name in stored.get("children") or ()
    ]
