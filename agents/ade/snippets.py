"""The same conversation over the API, ready to copy."""

from dataclasses import dataclass

from agents.models import Agent

_CURL = """curl -X POST {base}/v1/agents/{id}/messages \\
  -H "Content-Type: application/json" \\
  -d '{{"messages": [{{"role": "user", "content": "Hello"}}]}}'"""

_PYTHON = """from letta_client import Letta

client = Letta(base_url="{base}")
response = client.agents.messages.create(
    agent_id="{id}",
    messages=[{{"role": "user", "content": "Hello"}}],
)
for message in response.messages:
    print(message)"""

_TYPESCRIPT = """import Letta from "@letta-ai/letta-client";

const client = new Letta({{ baseURL: "{base}" }});
const response = await client.agents.messages.create("{id}", {{
  messages: [{{ role: "user", content: "Hello" }}],
}});
console.log(response.messages);"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program in a language."""

    name: str
    text: str


def snippets_for(agent: Agent, site_url: str) -> list[Snippet]:
    """Return how to send a message to an agent in each language."""
    values = {"base": site_url.rstrip("/"), "id": agent.id}
    texts = {"curl": _CURL, "Python": _PYTHON, "TypeScript": _TYPESCRIPT}
    return [Snippet(name, text.format(**values)) for name, text in texts.items()]
