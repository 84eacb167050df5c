"""Whether a turn goes on after a step, and why not."""

from dataclasses import dataclass

from agents.engine.strategies import Strategy
from agents.engine.tool_rules import RuleState
from agents.types import Status

BY_REQUEST = "Continuing: you asked for a heartbeat."
BY_FAILURE = "Continuing: the tool call failed."
BY_VIOLATION = "Continuing: tool rule violation."
BY_CHILD_RULE = "Continuing: child tool rule."
BY_CONTINUE_RULE = "Continuing: continue tool rule."

_PARENTS = ("constrain_child_tools", "conditional", "max_count_per_step")


@dataclass(frozen=True, slots=True)
class CallMade:
    """A call of the step. `heartbeat`: the model asked to go on after it.

    `violation`: a tool rule forbade it and it was not carried out. `bad_prefill`: the arguments
    that a rule lays down do not fit the tool.
    """

    name: str
    status: Status = "success"
    heartbeat: bool = False
    violation: bool = False
    bad_prefill: bool = False


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What a step did. `rules` is the state after its calls; `n` counts steps from 1.

    `tool_names` are the tools the agent has, whether or not the rules allowed them.
    """

    strategy: Strategy
    rules: RuleState
    tool_names: tuple[str, ...]
    calls: tuple[CallMade, ...] = ()
    has_text: bool = False
    finish_reason: str = "stop"
    n: int = 1
    max_steps: int = 50
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Stop for `stop_reason`, or go on; `heartbeat_reason` is then told to the model, if set."""

    stop_reason: str | None = None
    heartbeat_reason: str | None = None


def decide(facts: StepFacts) -> Decision:
    """Return whether the turn ends with this step.

    Both styles obey the same limits: cancellation first, then the model's own wish, then tools
    that must be called before the end, then the number of steps.
    """
    if facts.cancelled:
        return Decision("cancelled")
    if any(call.bad_prefill for call in facts.calls):
        return Decision("invalid_tool_call")
    wish = _wish(facts)
    missing = facts.rules.missing(facts.tool_names)
    if wish.stop_reason in ("end_turn", "tool_rule") and missing and facts.n < facts.max_steps:
        listed = ", ".join(missing)
        return Decision(heartbeat_reason=f"Continuing, user expects these tools: [{listed}]")
    if wish.stop_reason:
        return Decision(wish.stop_reason)
    if facts.n >= facts.max_steps:
        return Decision("max_steps")
    return wish


def _wish(facts: StepFacts) -> Decision:
    """Return what the answer asks for, before limits."""
    if not facts.calls:
        return Decision(_without_calls(facts))
    if facts.strategy.heartbeats:
        return _after_heartbeat_calls(facts)
    ended = any(call.status == "success" and _ends(facts, call) for call in facts.calls)
    return Decision("tool_rule" if ended else None)


def _without_calls(facts: StepFacts) -> str:
    if facts.finish_reason == "length":
        return "max_tokens_exceeded"
    if facts.strategy.needs_tool_call and facts.tool_names:
        return "no_tool_call"
    return "end_turn" if facts.has_text else "invalid_llm_response"


def _after_heartbeat_calls(facts: StepFacts) -> Decision:
    """Go by the last call, as only one is expected; an earlier one can still ask to go on."""
    last = facts.calls[-1]
    if last.violation:
        return Decision(heartbeat_reason=BY_VIOLATION)
    if any(call.status == "error" for call in facts.calls):
        return Decision(heartbeat_reason=BY_FAILURE)
    asked = any(call.heartbeat for call in facts.calls)
    if _ends(facts, last):
        return Decision("tool_rule" if asked else "end_turn")
    reason = _rule_reason(facts, last) or (BY_REQUEST if asked else None)
    return Decision(heartbeat_reason=reason) if reason else Decision("end_turn")


def _rule_reason(facts: StepFacts, call: CallMade) -> str | None:
    if any(facts.rules.has(parent, call.name) for parent in _PARENTS):
        return BY_CHILD_RULE
    if facts.rules.has("continue_loop", call.name):
        return BY_CONTINUE_RULE
    return None


def _ends(facts: StepFacts, call: CallMade) -> bool:
    return not call.violation and facts.rules.has("exit_loop", call.name)
