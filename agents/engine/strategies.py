"""Agent types as rows of one table. What differs between them is data; the loop is the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.types import Json
from letta_site.core.errors import Invalid

DEFAULT_AGENT_TYPE = "letta_v1_agent"

_PROMPTS = {
    path.stem: path.read_text("utf-8") for path in Path(__file__).parent.glob("prompts/*.txt")
}


@dataclass(frozen=True, slots=True)
class Strategy:
    """How agents of a type work.

    `base_tools` are attached at creation; `base_rules` tells whether they get the stock tool rules.
    `boot`: whether a fresh history starts with the system message alone or also with a first
    thought and a login. `reply`: the user reads the model's text, or what it passes to
    send_message. `needs_tool_call`: a turn without a call is a mistake. `heartbeats`: calls carry
    `request_heartbeat` and a turn goes on only when asked to. `inner_thoughts`: calls of models
    that do not reason by themselves carry a `thinking` argument. `line_numbers`: block values are
    shown with them. `autoclear`: every run starts with an empty window.
    """

    agent_type: str
    base_tools: tuple[str, ...]
    prompt: str
    base_rules: bool = True
    boot: Literal["system", "login"] = "system"
    reply: Literal["text", "send_message"] = "text"
    needs_tool_call: bool = False
    heartbeats: bool = False
    inner_thoughts: bool = False
    shows_memory: bool = True
    line_numbers: bool = False
    autoclear: bool = False

    @property
    def system(self) -> str:
        """The default system prompt, without memory."""
        return _PROMPTS[self.prompt].strip()


_MEMGPT_TOOLS = (
    "send_message",
    "conversation_search",
    "core_memory_append",
    "core_memory_replace",
    "memory",
    "memory_apply_patch",
)


def _heartbeat_row(
    agent_type: str, base_tools: tuple[str, ...], *, line_numbers: bool = False
) -> Strategy:
    return Strategy(
        agent_type,
        base_tools,
        prompt="heartbeat",
        boot="login",
        reply="send_message",
        needs_tool_call=True,
        heartbeats=True,
        inner_thoughts=True,
        line_numbers=line_numbers,
    )


_ROWS = (
    Strategy(
        DEFAULT_AGENT_TYPE,
        ("conversation_search", "memory_replace", "memory_insert"),
        prompt="native",
        base_rules=False,
        line_numbers=True,
    ),
    _heartbeat_row(
        "memgpt_v2_agent",
        ("send_message", "conversation_search", "memory_replace", "memory_insert"),
        line_numbers=True,
    ),
    _heartbeat_row("memgpt_agent", _MEMGPT_TOOLS),
    _heartbeat_row("split_thread_agent", _MEMGPT_TOOLS),
    Strategy(
        "sleeptime_agent",
        ("memory_replace", "memory_insert", "memory_rethink", "memory_finish_edits"),
        prompt="sleeptime",
        line_numbers=True,
    ),
    # These two have no way of speaking but text, so text ends their turn, as in the native loop.
    Strategy("react_agent", (), prompt="react", boot="login", shows_memory=False),
    Strategy(
        "workflow_agent", (), prompt="workflow", boot="login", shows_memory=False, autoclear=True
    ),
    Strategy(
        "voice_convo_agent",
        ("send_message", "search_memory"),
        prompt="voice",
        boot="login",
        reply="send_message",
        needs_tool_call=True,
        heartbeats=True,
    ),
    Strategy(
        "voice_sleeptime_agent",
        ("store_memories", "rethink_user_memory", "finish_rethinking_memory"),
        prompt="voice_sleeptime",
    ),
)
STRATEGIES: dict[str, Strategy] = {row.agent_type: row for row in _ROWS}

# What an agent gets instead of its type's tools when another one tends its memory.
SLEEPTIME_PAIR_TOOLS = ("send_message", "conversation_search", "archival_memory_search")
TERMINAL_TOOLS = frozenset(
    (
        "send_message",
        "send_message_to_agent_async",
        "memory_finish_edits",
        "finish_rethinking_memory",
    )
)
_RULE_FREE_MODELS = ("claude-4-sonnet", "claude-3-5-sonnet", "gpt-5", "gemini-2.5-pro")


def strategy_of(agent_type: str) -> Strategy:
    """Return the row of an agent type. Raises Invalid when there is none."""
    if agent_type in STRATEGIES:
        return STRATEGIES[agent_type]
    known = ", ".join(STRATEGIES)
    raise Invalid(f"{agent_type!r} is not an agent type; the types are {known}.")


def wants_base_rules(strategy: Strategy, *, model: str) -> bool:
    """Tell whether a new agent gets the stock rules when its creator does not say.

    Models that manage without get none, except where the rules end the work (semantics §5).
    """
    if strategy.agent_type == "sleeptime_agent":
        return True
    free = any(name in model for name in _RULE_FREE_MODELS) and "mini" not in model
    return strategy.base_rules and not free


def base_rules(base_tool_names: Iterable[str]) -> tuple[Json, ...]:
    """Return the stock rules: terminal tools end the turn, other base tools keep it going."""
    return tuple(
        {"tool_name": name, "type": "exit_loop" if name in TERMINAL_TOOLS else "continue_loop"}
        for name in dict.fromkeys(base_tool_names)
    )
