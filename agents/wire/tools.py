"""Tools on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.models import Tool
from agents.types import Json, ToolOutcome, ToolReturn
from agents.wire.messages import header
from agents.wire.moments import stamp

_PLAIN = (
    "id",
    "tool_type",
    "description",
    "source_type",
    "name",
    "tags",
    "source_code",
    "json_schema",
    "args_json_schema",
    "return_char_limit",
    "pip_requirements",
    "npm_requirements",
    "default_requires_approval",
    "enable_parallel_execution",
    "created_by_id",
    "last_updated_by_id",
    "project_id",
)


class Requirement(BaseModel):
    """A package that a tool needs."""

    name: str = Field(min_length=1)
    version: str | None = None


class ToolCreate(BaseModel):
    """A tool to create. A key that is not listed here is a mistake."""

    model_config = ConfigDict(extra="forbid")

    source_code: str
    source_type: str = "python"
    description: str | None = None
    tags: list[str] | None = None
    json_schema: dict[str, Any] | None = None
    args_json_schema: dict[str, Any] | None = None
    return_char_limit: int = Field(50_000, ge=1, le=1_000_000)
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = False
    metadata_: dict[str, Any] | None = None


class ToolUpdate(BaseModel):
    """What to change of a tool; null leaves as it is."""

    source_code: str | None = None
    source_type: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    json_schema: dict[str, Any] | None = None
    args_json_schema: dict[str, Any] | None = None
    return_char_limit: int | None = Field(None, ge=1, le=1_000_000)
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None
    metadata_: dict[str, Any] | None = None
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = None


class ToolRunFromSource(BaseModel):
    """Source to run as a tool, once."""

    model_config = ConfigDict(extra="forbid")

    source_code: str
    args: dict[str, Any]
    env_vars: dict[str, str] | None = None
    name: str | None = None
    source_type: str | None = None
    args_json_schema: dict[str, Any] | None = None
    json_schema: dict[str, Any] | None = None
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None


class ToolSearchRequest(BaseModel):
    """What to look for among the tools."""

    query: str | None = None
    search_mode: Literal["vector", "fts", "hybrid"] = "hybrid"
    tool_types: list[str] | None = None
    tags: list[str] | None = None
    limit: int = Field(50, ge=1, le=100)


class ToolExecuteRequest(BaseModel):
    """Arguments of a tool that is run by hand."""

    args: dict[str, Any] = Field(default_factory=dict)


class ModifyApprovalRequest(BaseModel):
    """Whether calls of a tool wait for a person."""

    requires_approval: bool | None = None


def encode_tool(tool: Tool) -> Json:
    """Return a Tool."""
    metadata = {key: value for key, value in (tool.metadata or {}).items() if key != "fingerprint"}
    return {
        **{name: getattr(tool, name) for name in _PLAIN},
        "metadata_": metadata,
    }


def encode_hit(tool: Tool, text: str, rank: int, score: float) -> Json:
    """Return a ToolSearchResult. Tools are found by their words, whatever mode was asked for."""
    found = {"embedded_text": text, "fts_rank": rank, "vector_rank": None}
    return {"tool": encode_tool(tool), **found, "combined_score": score}


def encode_version(number: int, at: datetime, by: str | None, **other: Any) -> Json:
    """Return a version of a tool (ours, not Letta's)."""
    return {"version": number, "created_at": stamp(at), "created_by_id": by, **other}


def encode_execution(result: ToolReturn, value: Any = None) -> Json:
    """Return the answer to a tool that was run by hand; `value` is what it returned, as it was."""
    failed = result.status == "error"
    told = list(result.stderr) or ([result.text] if failed else [])
    return {
        "status": result.status,
        "func_return": None if failed else result.text if value is None else value,
        "agent_state": None,
        "stdout": list(result.stdout),
        "stderr": told,
        "sandbox_config_fingerprint": None,
    }


def encode_trial(outcome: ToolOutcome, at: datetime) -> Json:
    """Return a tool_return_message for source that was run without any agent.

    Its ids are the text "null", as the contract has it.
    """
    said = {
        "tool_return": outcome.text,
        "status": outcome.status,
        "tool_call_id": _NO_ID,
        "stdout": list(outcome.stdout),
        "stderr": list(outcome.stderr),
    }
    whole = header(_NO_ID, "tool_return_message", at, step_id=None, run_id=None)
    return {**whole, **said, "tool_returns": [{"type": "tool", **said}]}


_NO_ID = "null"
