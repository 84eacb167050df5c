"""A tool's own code with everything it needs to be run: loaded in one hop."""

from dataclasses import dataclass, field

from agents.models import Agent, Tool
from agents.services.tool_schema import function_name
from agents.types import Json
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Actor
from memory.logic.edits import BlockView

# What an operator may let a single tool do, beyond computing: `metadata_.grants` of the tool.
NETWORK, SERVER = "network", "server"
GRANTS = (NETWORK, SERVER)


@dataclass(frozen=True, slots=True)
class ToolCode:
    """Source to run, and whose. `env` holds the agent's secrets; `agent` its facts if it has one.

    `function` is None for source of a kind that is not run here.
    """

    name: str
    source: str
    source_type: str
    function: str | None
    requirements: tuple[Json, ...] = ()
    grants: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    agent: Json | None = None


def load_code(actor: Actor, tool_id: str, agent_id: str | None) -> ToolCode:
    """Return the code of a stored tool, for a call by an agent. Raises NotFound, Invalid."""
    row: Tool | None = Tool.objects.of(actor).filter(pk=tool_id).first()
    if row is None or not row.source_code:
        raise NotFound(f"The tool {tool_id} has no source code any more.")
    env = {"LETTA_TOOL_ID": row.id, "LETTA_PROJECT_ID": row.project_id or ""}
    agent = _agent(actor, agent_id) if agent_id else None
    if agent is not None:
        secrets = {secret.key: secret.value for secret in agent.secret_rows.all()}
        env |= {**secrets, "LETTA_AGENT_ID": agent.id}
    return ToolCode(
        name=row.name,
        source=row.source_code,
        source_type=row.source_type or "python",
        function=_function_of(row),
        requirements=tuple(row.pip_requirements or ()),
        grants=grants_of(row),
        env=env,
        agent=_facts(agent) if agent else None,
    )


def grants_of(row: Tool) -> tuple[str, ...]:
    """Return what this tool may do beyond computing."""
    given = (row.metadata or {}).get("grants")
    return tuple(one for one in GRANTS if isinstance(given, list) and one in given)


def _function_of(row: Tool) -> str | None:
    """Return the function to call: the one the tool is named after, else the last."""
    if row.source_type == "typescript":
        return None
    try:
        return function_name(row.source_code or "", row.name)
    except Invalid:
        return function_name(row.source_code or "", None)


def _agent(actor: Actor, agent_id: str) -> Agent:
    found: Agent | None = (
        Agent.objects.of(actor).prefetch_related("secret_rows").filter(pk=agent_id).first()
    )
    if found is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return found


def _facts(agent: Agent) -> Json:
    names = ("id", "name", "description", "agent_type", "model", "system", "timezone", "metadata")
    return {name: getattr(agent, name) for name in names}


def shown_blocks(blocks: tuple[BlockView, ...]) -> list[Json]:
    """Return blocks as the sandbox lends them to a tool."""
    names = ("id", "label", "value", "description", "limit", "read_only", "metadata")
    return [{name: getattr(block, name) for name in names} for block in blocks]
