"""How an agent's model is to be called: from what its owner said, in either era's words."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agents.engine.arguments import SPEAKING_TOOL
from agents.engine.strategies import strategy_of
from agents.llm import providers
from agents.models import Agent
from agents.types import CompactionPlan, Json, ModelParams, ToolSpec

# Settings that go to the provider under their own names, where it takes them.
_PASSED_ON = ("verbosity", "frequency_penalty", "top_p", "seed", "thinking", "thinking_config")
_SPOKEN = "message"


def model_params(agent: Agent, *, handle: str | None = None) -> ModelParams:
    """Return how an agent's model is to be called; `handle` is another model for this once.

    `model_settings` win over `llm_config`, and that over the agent's own old field. What no
    provider knows is ignored, and a value of a wrong type counts as not said.
    """
    config, settings = agent.llm_config, agent.model_settings
    said = {**config, **{key: value for key, value in settings.items() if value is not None}}
    return ModelParams(
        handle=handle or agent.model,
        temperature=_number(said.get("temperature")),
        max_tokens=_whole(settings.get("max_output_tokens")) or _whole(said.get("max_tokens")),
        parallel_tool_calls=said.get("parallel_tool_calls") is True,
        reasoning_effort=_effort(config, settings),
        response_format=_response_format(agent, said),
        options=_options(said),
    )


def compaction_plan(agent: Agent, changes: Json | None = None) -> CompactionPlan:
    """Return how an agent's window is to be shortened; `changes` are settings for this once."""
    given = {**(agent.compaction_settings or {}), **(changes or {})}
    handle, mode = given.get("model"), given.get("mode") or "sliding_window"
    other = None if mode.startswith("self_compact") or handle == agent.model else handle
    share = given.get("sliding_window_percentage") or 0.3
    return CompactionPlan(
        mode=mode,
        model=other,
        window_tokens=_window_of_model(other),
        keep_share=min(max(float(share), 0.0), 1.0),
        clip_chars=given.get("clip_chars", 50_000),
        prompt=given.get("prompt") or None,
    )


def _window_of_model(handle: str | None) -> int:
    if handle in (None, providers.DEMO_HANDLE):
        return 0
    return providers.window_of(handle)


def shaped(
    agent_type: str, model: ModelParams, tools: Sequence[ToolSpec]
) -> tuple[ModelParams, tuple[ToolSpec, ...]]:
    """Return model and tools such that a prescribed format binds the words that the user reads.

    For agents that speak through `send_message` it is the shape of its argument, and their
    answers outside of it stay free.
    """
    wanted = model.response_format
    if wanted is None or strategy_of(agent_type).reply != "send_message":
        return model, tuple(tools)
    schema = (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
    fitted = (_reshaped(tool, schema) if tool.name == SPEAKING_TOOL else tool for tool in tools)
    return replace(model, response_format=None), tuple(fitted)


def _reshaped(tool: ToolSpec, schema: Json) -> ToolSpec:
    properties = {**tool.parameters.get("properties", {}), _SPOKEN: schema}
    return replace(tool, parameters={**tool.parameters, "properties": properties})


def _effort(config: Json, settings: Json) -> str | None:
    """Return the effort of a reasoning model, unless reasoning is switched off."""
    reasoning = settings.get("reasoning")
    told = reasoning.get("reasoning_effort") if isinstance(reasoning, dict) else None
    effort = told or settings.get("reasoning_effort") or config.get("reasoning_effort")
    if config.get("enable_reasoner") is False and not told:
        return None
    return effort if isinstance(effort, str) and effort else None


def _response_format(agent: Agent, said: Json) -> Json | None:
    """Return the format of answers unless it is plain text; Gemini has another name for it."""
    for wanted in (said.get("response_format"), said.get("response_schema"), agent.response_format):
        if isinstance(wanted, dict) and wanted.get("type") in ("json_schema", "json_object"):
            return wanted
        if isinstance(wanted, dict) and wanted.get("type") == "text":
            return None
    return None


def _options(said: Json) -> Json:
    options = {key: said[key] for key in _PASSED_ON if said.get(key) is not None}
    thinking = options.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "disabled":
        del options["thinking"]
    budget = _whole(said.get("max_reasoning_tokens"))
    if budget and "thinking" not in options and said.get("enable_reasoner") is not False:
        options["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return options


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return value if known else None


def _whole(value: Any) -> int | None:
    known = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if known else None
