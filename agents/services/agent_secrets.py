"""The variables that an agent's tools see."""

from agents.models import AgentSecret


def secrets_of(org_id: str, agent_id: str) -> dict[str, str]:
    """Return an agent's secrets in plain text, by name. An agent of others has none."""
    rows = AgentSecret.objects.filter(agent_id=agent_id, agent__org_id=org_id)
    return {row.key: row.value for row in rows}
