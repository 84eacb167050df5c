"""Forms of the agents' pages. Choices come from the view; nothing here reads the database."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

NAME_CHARS = 200
MIN_WINDOW = 2_000
MAX_WINDOW = 2_000_000
MAX_OUTPUT = 200_000
AGENT_TYPES = (
    "letta_v1_agent",
    "memgpt_v2_agent",
    "memgpt_agent",
    "sleeptime_agent",
    "react_agent",
    "workflow_agent",
)
Choices = Sequence[tuple[str, str]]


def split_words(text: str) -> list[str]:
    """Return the words between the commas, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "dir": "auto"})


class NewAgentForm(forms.Form):
    """An agent to create."""

    name = forms.CharField(label=_("Name"), max_length=NAME_CHARS)
    model = forms.ChoiceField(label=_("Model"))
    human = forms.CharField(
        label=_("human: what the agent knows of you"), required=False, widget=_area(2)
    )
    persona = forms.CharField(label=_("persona: who the agent is"), required=False, widget=_area(2))
    extra_label = forms.CharField(label=_("Label"), required=False, max_length=100)
    extra_value = forms.CharField(label=_("Text"), required=False, widget=_area(2))
    tools = forms.MultipleChoiceField(
        label=_("Tools"), required=False, widget=forms.CheckboxSelectMultiple
    )
    agent_type = forms.ChoiceField(
        label=_("Agent type"), choices=[(name, name) for name in AGENT_TYPES]
    )
    description = forms.CharField(label=_("Description"), required=False)
    tags = forms.CharField(label=_("Tags"), required=False, help_text=_("Separated by commas."))
    system = forms.CharField(
        label=_("System prompt"),
        required=False,
        widget=_area(3),
        help_text=_("Empty: the standard prompt of the agent type."),
    )

    def __init__(self, *args: Any, models: Choices, tools: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = models  # type: ignore[attr-defined]
        self.fields["tools"].choices = tools  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A second block needs a label, and not one that is taken."""
        cleaned = super().clean() or {}
        label = cleaned.get("extra_label")
        if cleaned.get("extra_value") and not label:
            self.add_error("extra_label", _("Give this block a label."))
        if label in ("human", "persona"):
            self.add_error("extra_label", _("This label is taken by the block above."))
        return cleaned

    @property
    def tool_count(self) -> int:
        """How many tools are ticked."""
        return len(self["tools"].value() or [])

    def blocks(self) -> list[dict[str, str]]:
        """The memory blocks as wished for."""
        data = self.cleaned_data
        blocks = [{"label": key, "value": data[key]} for key in ("human", "persona")]
        if data["extra_label"]:
            blocks.append({"label": data["extra_label"], "value": data["extra_value"]})
        return blocks


class SettingsForm(forms.Form):
    """The model of an agent and how to call it."""

    model = forms.ChoiceField(label=_("Model"))
    context_window_limit = forms.IntegerField(
        label=_("Context window"), min_value=MIN_WINDOW, max_value=MAX_WINDOW
    )
    temperature = forms.FloatField(
        label=_("Temperature"),
        required=False,
        min_value=0,
        max_value=2,
        widget=forms.NumberInput(attrs={"step": "0.1", "placeholder": _("default")}),
    )
    max_output_tokens = forms.IntegerField(
        label=_("Longest answer"),
        required=False,
        min_value=1,
        max_value=MAX_OUTPUT,
        widget=forms.NumberInput(attrs={"placeholder": _("default")}),
    )
    window_hint = _("tokens")

    def __init__(self, *args: Any, models: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = models  # type: ignore[attr-defined]


class PromptForm(forms.Form):
    """The system prompt of an agent."""

    system = forms.CharField(label=_("Instructions"), required=False, strip=False, widget=_area(6))

    @property
    def system_count(self) -> str:
        """The length in words."""
        size = len(self["system"].value() or "")
        return ngettext("%(n)s character", "%(n)s characters", size) % {"n": f"{size:,}"}


class AboutForm(forms.Form):
    """How people find an agent."""

    name = forms.CharField(label=_("Name"), max_length=NAME_CHARS)
    description = forms.CharField(label=_("Description"), required=False, widget=_area(2))
    tags = forms.CharField(label=_("Tags"), required=False, help_text=_("Separated by commas."))


class MessageForm(forms.Form):
    """A message to an agent."""

    text = forms.CharField(error_messages={"required": _("Write something to send.")}, strip=False)
    role = forms.ChoiceField(choices=[("user", "user"), ("system", "system")], required=False)
    cid = forms.CharField(required=False, max_length=64)

    def clean_text(self) -> str:
        """Blank is nothing."""
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError(self.fields["text"].error_messages["required"])
        return text


class DeleteForm(forms.Form):
    """The name of the agent, typed to confirm."""

    name = forms.CharField(label=_("Type the agent's name to confirm"))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        """Only the exact name counts."""
        if self.cleaned_data["name"].strip() != self.expected.strip():
            raise forms.ValidationError(_("This is not the name of the agent."))
        return self.expected
