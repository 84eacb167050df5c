"""What goes wrong at a provider, in the house's words. The SDK's errors stop here."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import openai

from agents.llm.base import ModelEntry
from letta_site.core.errors import LLMError
from letta_site.core.openai_client import retry_time

MAX_DETAIL_CHARS = 2_000
TRY_LATER = "Try again; if it goes on, look at the provider's own log."

# How servers say that a prompt is too long: OpenAI, vLLM and others; Anthropic; llama.cpp; Ollama
# and LM Studio; Gemini; xAI; Bedrock; Together; Mistral.
_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|context_window_exceeded|string_above_max_length"
    r"|maximum (context|prompt|model) length|context window|context limit"
    r"|(prompt|input) (is )?too long|too many (input )?tokens"
    r"|context (size|length).{0,40}(exceed|overflow)|exceed\w*.{0,60}context (size|length)"
    r"|longer than the (maximum )?(model|context) length|context length of only"
    r"|greater than the context length|input token count.{0,40}exceeds"
    r"|input tokens exceed|max_new_tokens` must be <=",
    re.IGNORECASE | re.DOTALL,
)


class Lost(Exception):
    """The connection broke while an answer was arriving. `slow`: it fell silent."""

    def __init__(self, detail: str, *, slow: bool = False) -> None:
        super().__init__(detail)
        self.slow = slow


class Unusable(Exception):
    """What came is no answer: garbage, nothing at all, or an error with status 200."""


def is_overflow(text: str) -> bool:
    """Tell whether a provider's words mean that the prompt is too long for the model."""
    return _OVERFLOW.search(text) is not None


def complaint_of(error: openai.APIError) -> str:
    """Return all that a provider said of a refusal, as one text."""
    body: Any = error.body
    if isinstance(body, dict | list):
        return json.dumps(body, ensure_ascii=False, default=str)
    return str(body or error.message)


def translate(error: openai.OpenAIError, model: ModelEntry) -> LLMError:
    """Return the failure that an error of the SDK is, with what the reader can do about it."""
    name = f"{model.provider.name} ({model.handle})"
    if isinstance(error, openai.APITimeoutError):
        return LLMError("llm_timeout", f"{name} did not answer in time.", detail=str(error))
    if isinstance(error, openai.APIConnectionError):
        return LLMError(
            "llm_error",
            f"{name} cannot be reached at {model.provider.base_url}.",
            todo="Check that its server runs and that its URL is right.",
            detail=_detail(str(error.__cause__ or error)),
        )
    if isinstance(error, openai.APIStatusError):
        return _from_status(error, name)
    return LLMError("llm_error", f"{name} sent something unusable.", detail=_detail(str(error)))


def overflow(model: ModelEntry, detail: str) -> LLMError:
    """Return the failure of a prompt that is too long."""
    name = f"{model.provider.name} ({model.handle})"
    return LLMError(
        "llm_context_window", f"{name}: the prompt is too long.", detail=_detail(detail)
    )


def unusable(model: ModelEntry, detail: str) -> LLMError:
    """Return the failure of answers that are none."""
    return LLMError(
        "llm_invalid_response",
        f"{model.provider.name} ({model.handle}) sent an answer that cannot be read.",
        todo="Send the message again, or try another model.",
        detail=_detail(detail),
    )


def broken_off(model: ModelEntry, lost: Lost) -> LLMError:
    """Return the failure of answers that stopped in the middle."""
    return LLMError(
        "llm_timeout" if lost.slow else "llm_error",
        f"{model.provider.name} ({model.handle}) broke off its answer.",
        todo=TRY_LATER,
        detail=_detail(str(lost)),
    )


def not_configured(model: ModelEntry) -> LLMError:
    """Return the failure of a provider without a key."""
    provider = model.provider
    return LLMError(
        "llm_authentication",
        f"No key for provider {provider.name!r}, which {model.handle} needs.",
        todo=f"Set {provider.key_hint} in the server's environment, add the provider with its key "
        "in the admin, or give the agent another model.",
    )


def _from_status(error: openai.APIStatusError, name: str) -> LLMError:
    complaint = complaint_of(error)
    if error.status_code not in _NEVER_OVERFLOW and is_overflow(complaint):
        return LLMError(
            "llm_context_window", f"{name}: the prompt is too long.", detail=_detail(complaint)
        )
    kind, what, todo = _STATUS.get(error.status_code, _OTHER)
    if "insufficient_quota" in complaint:
        kind, what, todo = _STATUS[402]
    what = f"{name} {what} (HTTP {error.status_code}){_again_at(error.response)}."
    return LLMError(kind, what, todo=todo, detail=_detail(_message_of(error)))


def _again_at(response: Any) -> str:
    """Return when the provider wants to be asked again, if it said so, as an end of a sentence."""
    now = datetime.now(UTC)
    later = retry_time(response.headers, now)
    if later is None or later <= now:
        return ""
    wait_s = round((later - now).total_seconds())
    return f"; it can be asked again at {later:%Y-%m-%d %H:%M:%S} UTC, in {wait_s} s"


def _message_of(error: openai.APIStatusError) -> str:
    body: Any = error.body
    if isinstance(body, dict):
        return f"{body.get('code') or ''} {body.get('message') or error.message}".strip()
    return error.message


def _detail(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return clean if len(clean) <= MAX_DETAIL_CHARS else clean[:MAX_DETAIL_CHARS] + "..."


_NEVER_OVERFLOW = (401, 403, 404, 429)
_OTHER = ("llm_error", "failed", TRY_LATER)
_STATUS: dict[int, tuple[str, str, str]] = {
    400: ("llm_bad_request", "refused the request", "See detail for the provider's reason."),
    401: ("llm_authentication", "refused the key", "Check the provider's API key."),
    402: ("llm_insufficient_credits", "has no credit left", "Add credit at the provider."),
    403: ("llm_error", "forbids this call", "Check what the key may do."),
    404: ("llm_error", "does not know this model", "Choose another model for the agent."),
    408: ("llm_timeout", "did not answer in time", "Try again."),
    409: ("llm_bad_request", "refused the request", "See detail for the provider's reason."),
    422: ("llm_error", "refused the request", "See detail for the provider's reason."),
    429: ("llm_rate_limit", "limits the rate of calls", "Wait, then send again."),
}
