"""Forms of memory pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

LABEL_CHARS = 100
MAX_LIMIT_CHARS = 1_000_000
DEFAULT_LIMIT_CHARS = 20_000


class BlockTextForm(forms.Form):
    """A new text for a block, written while looking at `version`."""

    value = forms.CharField(required=False, strip=False)
    version = forms.IntegerField(min_value=1)


class NewBlockForm(forms.Form):
    """A block to create."""

    label = forms.CharField(
        label=_("Label"),
        max_length=LABEL_CHARS,
        help_text=_("What the agent calls it, for example “project”."),
    )
    value = forms.CharField(
        label=_("Text"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        help_text=_("Tells the agent what belongs in it."),
    )
    limit = forms.IntegerField(
        label=_("Limit in characters"),
        min_value=1,
        max_value=MAX_LIMIT_CHARS,
        initial=DEFAULT_LIMIT_CHARS,
    )


class PassageForm(forms.Form):
    """A passage to store."""

    text = forms.CharField(label=_("Text"), widget=forms.Textarea(attrs={"rows": 3}))
    tags = forms.CharField(
        label=_("Tags"), required=False, help_text=_("Separated by commas. May stay empty.")
    )
