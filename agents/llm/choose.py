"""Which telephone to pick up."""

import importlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agents.engine.ports import LLM, ChatRequest, Reply, ReplyDelta
from agents.llm.base import ModelEntry
from agents.llm.catalog import taken_at_its_word
from agents.llm.demo import DemoLLM
from agents.llm.providers import DEMO_HANDLE
from letta_site.core.aio import in_db
from letta_site.core.errors import LLMError
from letta_site.core.providers import environment_provider_of, provider_of


class Exchange:
    """Connects the requests of one run to the provider that their handle names; an LLM port.

    `own_providers` False: the organisation has stored none, so that the database is not asked.
    """

    def __init__(self, org_id: str, *, own_providers: bool = True) -> None:
        self._org_id = org_id
        self._own_providers = own_providers
        self._phones: dict[str, LLM] = {DEMO_HANDLE: DemoLLM()}

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """See the LLM port. A handle that names nothing any more is an LLMError too."""
        phone = await self._phone(request.model.handle)
        async with aclosing(phone.ask(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def _phone(self, handle: str) -> LLM:
        if handle not in self._phones:
            if self._own_providers:
                provider = await in_db(provider_of, self._org_id, handle)
            else:
                provider = environment_provider_of(handle)
            if provider is None:
                raise LLMError(
                    "llm_bad_request",
                    f"No provider for the model {handle!r} is known here.",
                    todo="Give the agent another model, or add the provider.",
                )
            self._phones[handle] = _connect(taken_at_its_word(provider, handle))
        return self._phones[handle]


def _connect(model: ModelEntry) -> LLM:
    # Loaded on first use, like the SDK that it imports: see `letta_site.core.openai_client`.
    phone: LLM = importlib.import_module("agents.llm.openai_chat").OpenAIChat(model)
    return phone
