"""Which models a server offers, and what their handles mean."""

import pytest

from agents.llm import catalog
from letta_site.core import offers, providers
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.ids import DEFAULT_ORG_ID
from letta_site.core.models import Provider
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def fresh_lists() -> None:
    offers.forget_lists()


@pytest.fixture
def variables(settings: object) -> dict[str, str]:
    """The environment as the catalog sees it."""
    known: dict[str, str] = {}
    settings.PROVIDER_VARIABLES = known  # type: ignore[attr-defined]
    return known


def handles() -> list[str]:
    return [model.handle for model in catalog.list_models(DEFAULT_ORG_ID)]


def test_without_any_key_there_is_the_demo_model(variables: dict[str, str]) -> None:
    assert handles() == ["letta/demo"]
    assert catalog.best_handle(DEFAULT_ORG_ID) == "letta/demo"


def test_a_custom_base_url_keeps_the_handle(
    variables: dict[str, str], fake_openai: FakeOpenAI
) -> None:
    variables |= {"OPENAI_API_KEY": "sk-test", "OPENAI_API_BASE": fake_openai.base_url}
    model = catalog.resolve(DEFAULT_ORG_ID, "openai/gpt-4o-mini")
    assert model.provider.base_url == fake_openai.base_url
    assert "openai/gpt-4o-mini" in handles()
    assert catalog.best_handle(DEFAULT_ORG_ID).startswith("openai/")


def test_a_provider_that_is_down_is_left_out(
    variables: dict[str, str], fake_openai: FakeOpenAI
) -> None:
    variables |= {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": fake_openai.base_url}
    variables |= {"OLLAMA_BASE_URL": "http://127.0.0.1:9"}
    offered = handles()
    assert "openai/gpt-4o-mini" in offered
    assert not [handle for handle in offered if handle.startswith("ollama/")]


def test_its_models_are_taken_at_their_word(variables: dict[str, str]) -> None:
    variables["OLLAMA_BASE_URL"] = "http://127.0.0.1:9"
    model = catalog.resolve(DEFAULT_ORG_ID, "ollama/qwen3:8b")
    assert (model.name, model.provider.base_url) == ("qwen3:8b", NOWHERE)
    assert model.window_tokens == 32_768


def test_a_list_is_asked_for_once(variables: dict[str, str], fake_openai: FakeOpenAI) -> None:
    variables |= {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": fake_openai.base_url}
    handles()
    handles()
    assert len(fake_openai.requests) == 1


@pytest.mark.parametrize("handle", ["nobody/x", "letta/other", "openai/", "openai/nope"])
def test_a_handle_that_names_nothing(variables: dict[str, str], handle: str) -> None:
    with pytest.raises(NotFound, match=handle):
        catalog.resolve(DEFAULT_ORG_ID, handle)


def test_a_model_that_a_provider_does_not_have(
    variables: dict[str, str], fake_openai: FakeOpenAI
) -> None:
    variables |= {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": fake_openai.base_url}
    with pytest.raises(NotFound, match="openai/nope"):
        catalog.resolve(DEFAULT_ORG_ID, "openai/nope")


def test_a_handle_without_a_slash() -> None:
    with pytest.raises(Invalid):
        catalog.resolve(DEFAULT_ORG_ID, "gpt-4o")


def test_a_stored_provider_hides_its_namesake(
    owner: object, variables: dict[str, str], fake_openai: FakeOpenAI
) -> None:
    row = Provider(org_id=DEFAULT_ORG_ID, name="openai", base_url=fake_openai.base_url)
    row.set_api_key("sk-mine")
    row.save()
    provider = providers.provider_of(DEFAULT_ORG_ID, "openai/gpt-4o")
    assert provider is not None
    assert (provider.api_key, provider.category) == ("sk-mine", "byok")
    assert "sk-mine" not in row.sealed_key
