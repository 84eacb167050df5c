"""Servers of models: the kinds there are, as rows, and those that this server may ask.

A new OpenAI-compatible provider is one more row here.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from letta_site.core.errors import Invalid
from letta_site.core.models import Provider


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A kind of provider, as data. `key_names` and `url_names` are environment variables.

    `url_suffix` is added to a URL from the environment that lacks it. A provider counts as
    configured when it has a key, or, if it needs none, when its URL was given.
    """

    name: str
    provider_type: str
    base_url: str = ""
    key_names: tuple[str, ...] = ()
    url_names: tuple[str, ...] = ()
    url_suffix: str = ""
    needs_key: bool = True


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider of this server: a row with its URL and key filled in."""

    id: str
    name: str
    provider_type: str
    base_url: str
    api_key: str
    category: str = "base"
    needs_key: bool = True
    key_hint: str = ""

    @property
    def configured(self) -> bool:
        """Whether a call to it can be tried."""
        return bool(self.base_url) and (bool(self.api_key) or not self.needs_key)


PROVIDERS: tuple[ProviderRow, ...] = (
    ProviderRow(
        "openai",
        "openai",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    ),
    ProviderRow(
        "anthropic",
        "anthropic",
        "https://api.anthropic.com/v1/",
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_BASE_URL",),
    ),
    ProviderRow(
        "google_ai",
        "google_ai",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("GEMINI_BASE_URL",),
    ),
    ProviderRow(
        "azure", "azure", "", ("AZURE_API_KEY",), ("AZURE_BASE_URL",), url_suffix="/openai/v1/"
    ),
    ProviderRow(
        "ollama", "ollama", url_names=("OLLAMA_BASE_URL",), url_suffix="/v1", needs_key=False
    ),
    ProviderRow(
        "vllm",
        "vllm",
        key_names=("VLLM_API_KEY",),
        url_names=("VLLM_API_BASE",),
        url_suffix="/v1",
        needs_key=False,
    ),
    ProviderRow(
        "lmstudio", "lmstudio", url_names=("LMSTUDIO_BASE_URL",), url_suffix="/v1", needs_key=False
    ),
    ProviderRow("together", "together", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",)),
    ProviderRow("groq", "groq", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    ProviderRow("deepseek", "deepseek", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    ProviderRow("xai", "xai", "https://api.x.ai/v1", ("XAI_API_KEY",)),
    ProviderRow(
        "openrouter", "openrouter", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)
    ),
    ProviderRow("mistral", "mistral", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
)

# What needs no server: the demo model, and the embedder that is installed with the product.
BUILTIN = ProviderEntry("", "letta", "letta", "builtin:", "", needs_key=False)


def list_providers(org_id: str) -> list[ProviderEntry]:
    """Return every provider, configured or not; a stored one hides its namesake."""
    stored = {
        row.name: _from_database(row)
        for row in Provider.objects.filter(org_id=org_id, enabled=True)
    }
    known = [_from_environment(row) for row in PROVIDERS if row.name not in stored]
    return [*stored.values(), *known, BUILTIN]


def environment_provider_of(handle: str) -> ProviderEntry | None:
    """Return the provider of the environment that `handle` names, without the database."""
    known = [*(_from_environment(row) for row in PROVIDERS), BUILTIN]
    return next((one for one in known if one.name == handle.partition("/")[0]), None)


def provider_of(org_id: str, handle: str) -> ProviderEntry | None:
    """Return the provider that `handle` names, if there is one. Raises Invalid without a slash."""
    prefix, slash, _ = handle.partition("/")
    if not slash:
        raise Invalid(
            f"{handle!r} is not a model handle.", todo="Write provider/model, e.g. openai/gpt-4o."
        )
    return next((one for one in list_providers(org_id) if one.name == prefix), None)


def _with_suffix(url: str, suffix: str) -> str:
    if not url or not suffix or urlsplit(url).path.rstrip("/").endswith("/v1"):
        return url
    return url.rstrip("/") + suffix


def _variable(names: tuple[str, ...]) -> str:
    known: dict[str, str] = settings.PROVIDER_VARIABLES
    return next((known[name] for name in names if name in known), "")


def _from_environment(row: ProviderRow) -> ProviderEntry:
    given = _variable(row.url_names)
    return ProviderEntry(
        id="",
        name=row.name,
        provider_type=row.provider_type,
        base_url=_with_suffix(given, row.url_suffix) or row.base_url,
        api_key=_variable(row.key_names),
        needs_key=row.needs_key,
        key_hint=" or ".join(row.key_names or row.url_names),
    )


def _from_database(row: Provider) -> ProviderEntry:
    return ProviderEntry(
        id=row.id,
        name=row.name,
        provider_type=row.provider_type,
        base_url=row.base_url,
        api_key=row.api_key,
        category="byok",
        needs_key=False,
    )
