"""The kinds of providers as rows. A new OpenAI-compatible provider is one more row here."""

from agents.llm.base import ProviderRow

DEMO_HANDLE = "letta/demo"

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

# (name prefix, window in tokens), first match wins. As published by the providers in 2026.
WINDOWS: tuple[tuple[str, int], ...] = (
    ("gpt-5", 272_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4o", 128_000),
    ("gpt-4-turbo", 128_000),
    ("gpt-4", 8_192),
    ("gpt-3.5-turbo", 16_385),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4", 200_000),
    ("claude", 200_000),
    ("gemini", 1_048_576),
    ("models/gemini", 1_048_576),
    ("deepseek", 128_000),
    ("grok", 131_072),
    ("mistral", 128_000),
    ("llama", 128_000),
    ("qwen", 32_768),
)
UNKNOWN_WINDOW = 32_000

# Dimensions of embedding models whose providers do not tell them in a list.
EMBEDDING_DIMS: dict[str, int] = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "letta-free": 1536,
}
EMBEDDING_MARKS = ("embed", "bge-", "minilm", "e5-")

# Models whose handle is accepted without asking the provider, best first: the first one of a
# configured provider is what a new agent in the ADE starts with.
KNOWN_MODELS: dict[str, tuple[str, ...]] = {
    "openai": ("gpt-4.1", "gpt-4o", "gpt-4o-mini", "gpt-4.1-mini", "gpt-5", "gpt-5-mini"),
    "anthropic": ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5"),
    "google_ai": ("gemini-2.5-pro", "gemini-2.5-flash"),
    "deepseek": ("deepseek-chat", "deepseek-reasoner"),
}

# How the names of a provider's own models begin. While it cannot be asked for its list, a name
# that begins otherwise is taken for a slip of the pen.
FAMILIES: dict[str, tuple[str, ...]] = {
    "openai": ("gpt-", "o1", "o3", "o4", "chatgpt-", "codex-"),
    "anthropic": ("claude",),
    "google_ai": ("gemini", "gemma", "models/"),
    "deepseek": ("deepseek",),
    "xai": ("grok",),
}


def window_of(name: str) -> int:
    """Return the context window of a model by its name, in tokens."""
    lowered = name.lower().rsplit("/", 1)[-1]
    for prefix, tokens in WINDOWS:
        if lowered.startswith(prefix):
            return tokens
    return UNKNOWN_WINDOW


def is_embedding(name: str) -> bool:
    """Guess from its name whether a model embeds rather than chats."""
    return any(mark in name.lower() for mark in EMBEDDING_MARKS)
