"""Models over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.conftest import Api
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db

MODEL_KEYS = set(
    "handle name display_name provider_type provider_name model_type max_context_window model "
    "model_endpoint_type model_endpoint provider_category model_wrapper context_window "
    "put_inner_thoughts_in_kwargs temperature max_tokens enable_reasoner reasoning_effort "
    "max_reasoning_tokens effort frequency_penalty compatibility_type verbosity tier "
    "parallel_tool_calls response_format strict return_logprobs top_logprobs return_token_ids "
    "tool_call_parser".split()
)
EMBEDDING_KEYS = set(
    "handle name display_name provider_type provider_name model_type embedding_endpoint_type "
    "embedding_endpoint embedding_model embedding_dim embedding_chunk_size batch_size "
    "azure_endpoint azure_version azure_deployment".split()
)


@pytest.fixture(autouse=True)
def _fresh_lists(settings: Any) -> None:
    settings.MODEL_LIST_AGE_S = 0


def test_items_suit_both_eras(api: Api, openai: FakeOpenAI) -> None:
    found = api.get("/v1/models/").json()
    assert all(set(item) == MODEL_KEYS for item in found)
    assert {"letta", "openai"} == {item["provider_name"] for item in found}
    assert all(item["context_window"] == item["max_context_window"] for item in found)


def test_filters(api: Api, openai: FakeOpenAI) -> None:
    def names(**query: Any) -> set[str]:
        return {item["provider_name"] for item in api.get("/v1/models/", query).json()}

    assert names(provider_name="openai") == {"openai"}
    assert names(provider_type="letta") == {"letta"}
    assert names(provider_category="byok") == set()


@pytest.mark.parametrize("path", ["/v1/models/embedding", "/v1/models/embeddings"])
def test_embedding_models(api: Api, openai: FakeOpenAI, path: str) -> None:
    found = api.get(path).json()
    assert found and all(set(item) == EMBEDDING_KEYS for item in found)
    assert all(item["embedding_dim"] > 0 for item in found)


def test_without_any_provider_the_offline_model_is_there(api: Api) -> None:
    assert [item["handle"] for item in api.get("/v1/models/").json()] == ["letta/demo"]
