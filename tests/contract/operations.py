"""One vocabulary for four clients: what is done, and how each generation spells it.

In brackets are the fields TypeScript takes by position; the others go into its last argument.
In Python everything goes by name.
"""

from __future__ import annotations

ALIKE = {
    "agents.create": "agents.create()",
    "agents.list": "agents.list()",
    "agents.retrieve": "agents.retrieve(agent_id)",
    "agents.delete": "agents.delete(agent_id)",
    "messages.create": "agents.messages.create(agent_id)",
    "messages.list": "agents.messages.list(agent_id)",
    "messages.reset": "agents.messages.reset(agent_id)",
    "agent_blocks.list": "agents.blocks.list(agent_id)",
    "blocks.create": "blocks.create()",
    "blocks.list": "blocks.list()",
    "blocks.retrieve": "blocks.retrieve(block_id)",
    "blocks.delete": "blocks.delete(block_id)",
    "passages.create": "agents.passages.create(agent_id)",
    "passages.list": "agents.passages.list(agent_id)",
    "passages.search": "agents.passages.search(agent_id)",
    "tools.list": "tools.list()",
    "tools.retrieve": "tools.retrieve(tool_id)",
    "tools.create": "tools.create()",
    "tools.upsert": "tools.upsert()",
    "tools.delete": "tools.delete(tool_id)",
    "agent_tools.list": "agents.tools.list(agent_id)",
    "runs.list": "runs.list()",
    "runs.retrieve": "runs.retrieve(run_id)",
    "runs.steps": "runs.steps.list(run_id)",
    "runs.messages": "runs.messages.list(run_id)",
    "runs.usage": "runs.usage.retrieve(run_id)",
    "steps.list": "steps.list()",
    "steps.retrieve": "steps.retrieve(step_id)",
    "models.list": "models.list()",
    "embeddings.list": "models.embeddings.list()",
}
OLD = {
    "health": "health.check()",
    "agents.update": "agents.modify(agent_id)",
    "messages.stream": "agents.messages.create_stream(agent_id)",
    "agent_blocks.retrieve": "agents.blocks.retrieve(agent_id, block_label)",
    "agent_blocks.update": "agents.blocks.modify(agent_id, block_label)",
    "agent_blocks.attach": "agents.blocks.attach(agent_id, block_id)",
    "agent_blocks.detach": "agents.blocks.detach(agent_id, block_id)",
    "blocks.update": "blocks.modify(block_id)",
    "passages.delete": "agents.passages.delete(agent_id, memory_id)",
    "agent_tools.attach": "agents.tools.attach(agent_id, tool_id)",
    "agent_tools.detach": "agents.tools.detach(agent_id, tool_id)",
    "tools.try": "tools.run_tool_from_source()",
}
NEW = {
    "health": "health()",
    "agents.update": "agents.update(agent_id)",
    "messages.stream": "agents.messages.stream(agent_id)",
    "agent_blocks.retrieve": "agents.blocks.retrieve(block_label)",
    "agent_blocks.update": "agents.blocks.update(block_label)",
    "agent_blocks.attach": "agents.blocks.attach(block_id)",
    "agent_blocks.detach": "agents.blocks.detach(block_id)",
    "blocks.update": "blocks.update(block_id)",
    "passages.delete": "agents.passages.delete(memory_id)",
    "agent_tools.attach": "agents.tools.attach(tool_id)",
    "agent_tools.detach": "agents.tools.detach(tool_id)",
    "agent_tools.run": "agents.tools.run(tool_name)",
    "tools.search": "tools.search()",
}
NPM0 = {"embeddings.list": "embedding_models.list()"}

SPELLING = {
    "py0": {**ALIKE, **OLD},
    "npm0": {**ALIKE, **OLD, **NPM0},
    "py1": {**ALIKE, **NEW},
    "npm1": {**ALIKE, **NEW},
}
