"""What a caller sends about runs: background sends, resuming a stream, feedback, batches."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from agents.wire.ids import AgentId
from agents.wire.requests import LettaRequest
from letta_site.core.errors import Invalid
from letta_site.core.fetch import MAX_URL_CHARS, check_url


def _callback(url: str | None) -> str | None:
    try:
        if url is not None:
            check_url(url)
    except Invalid as refusal:
        raise ValueError(refusal.what) from None
    return url


CallbackUrl = Annotated[str | None, Field(max_length=MAX_URL_CHARS), AfterValidator(_callback)]


class LettaAsyncRequest(LettaRequest):
    """The same, answered at once with a run."""

    callback_url: CallbackUrl = None


class LettaBatchRequest(LettaRequest):
    """A request to one of the agents of a batch."""

    agent_id: AgentId


class CreateBatch(BaseModel):
    """Requests to many agents."""

    requests: list[LettaBatchRequest] = Field(max_length=1000)
    callback_url: CallbackUrl = None


class RetrieveStreamRequest(BaseModel):
    """From where to read the stream of a run again. Polling is not done; its options are read."""

    agent_id: str | None = None
    run_id: str | None = None
    otid: str | None = None
    starting_after: int = Field(0, ge=0)
    include_pings: bool | None = True
    poll_interval: float | None = None
    batch_size: int | None = None


Feedback = Literal["positive", "negative"]


class ModifyFeedbackRequest(BaseModel):
    """What a person thinks of a step. Null takes it back."""

    feedback: Feedback | None = None
    tags: list[str] | None = Field(None, max_length=100)
