"""The checker: what the rules make of a turn so far. It asks the engine; it decides nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from agents.ade.rule_words import reason
from agents.engine.stopping import CallMade, Decision, StepFacts, decide
from agents.engine.strategies import Strategy
from agents.engine.tool_rules import Rule, RuleState
from agents.types import Json

MAX_CALLS = 50
MAX_RETURN_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Choice:
    """A tool as the next call. `because`: the rules against it; `only`: nothing else may be."""

    name: str
    allowed: bool
    because: tuple[SafeString, ...] = ()
    asks: bool = False
    only: bool = False
    prefill: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A turn so far, and what may come next.

    `overruled`: the rules leave no tool at all, so the engine lets every one through. `ended`: the
    engine's reason for ending the turn here, or empty; `told`: what it tells a model that goes on.
    """

    calls: tuple[tuple[str, str], ...]
    choices: tuple[Choice, ...]
    overruled: bool
    must_call: bool
    missing: tuple[str, ...]
    ended: str = ""
    told: str = ""


def check(
    rules: tuple[Rule, ...],
    names: Sequence[str],
    calls: Sequence[tuple[str, str]],
    strategy: Strategy,
) -> Check:
    """Play a turn of `calls` (name, return text) and return what the engine would allow next.

    A call that the rules refuse is not carried out by the engine, and does not count here either.
    """
    state = _played(rules, names, calls)
    allowed = state.allowed(names)
    forced = state.forced(names, needs_call=strategy.needs_tool_call)
    found = _decision(state, names, strategy)
    return Check(
        calls=state.called,
        choices=tuple(_choice(name, state, allowed, forced) for name in names),
        overruled=bool(names) and all(state.refusing(name) for name in names),
        must_call=forced is not None,
        missing=state.missing(names),
        ended=found.stop_reason or "",
        told=found.heartbeat_reason or "",
    )


def _played(
    rules: tuple[Rule, ...], names: Sequence[str], calls: Sequence[tuple[str, str]]
) -> RuleState:
    state = RuleState(rules)
    for name, returned in calls:
        if not state.violation(name, names):
            state = state.after(name, returned)
    return state


def as_json(arguments: Json) -> str:
    """Return arguments as people read them; nothing for none."""
    return json.dumps(arguments, ensure_ascii=False) if arguments else ""


def _choice(name: str, state: RuleState, allowed: Sequence[str], forced: str | None) -> Choice:
    return Choice(
        name=name,
        allowed=name in allowed,
        because=tuple(map(reason, state.refusing(name))),
        asks=state.needs_approval(name),
        only=forced == name,
        prefill=as_json(state.prefilled(name)),
    )


def _decision(state: RuleState, names: Sequence[str], strategy: Strategy) -> Decision:
    """Ask the engine whether the turn ends with the latest call. An agent that must ask for
    another step is taken to have asked."""
    if not state.called:
        return Decision()
    call = CallMade(state.called[-1][0], heartbeat=strategy.heartbeats)
    steps = len(state.called)
    return decide(StepFacts(strategy, state, tuple(names), (call,), n=steps, max_steps=steps + 1))
