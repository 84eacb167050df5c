"""What is known of the models of providers without asking them."""

DEMO_HANDLE = "letta/demo"

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
