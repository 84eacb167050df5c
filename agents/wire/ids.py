"""Ids in paths: checked before anything is looked up."""

from typing import Annotated

from pydantic import AfterValidator

from letta_site.core.ids import check_id


def _of(*prefixes: str) -> AfterValidator:
    return AfterValidator(lambda value: check_id(value, *prefixes))


AgentId = Annotated[str, _of("agent")]
ToolId = Annotated[str, _of("tool")]
RunId = Annotated[str, _of("run", "job")]
StepId = Annotated[str, _of("step")]
BatchId = Annotated[str, _of("job")]
MessageId = Annotated[str, _of("message")]
McpServerId = Annotated[str, _of("mcp_server")]
GroupId = Annotated[str, _of("group")]
