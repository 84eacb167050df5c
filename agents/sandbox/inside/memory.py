"""The agent as its tool sees it: what it is called, and blocks that may be rewritten.

The shape (`agent_state.memory.get_block(label).value`, `update_block_value`) is that of Letta's
AgentState and Memory, as tools use them.
"""

from typing import Any


class Block:
    """A block of core memory. Setting `value` rewrites it when the tool has returned."""

    def __init__(self, label: str, value: str = "", **other: Any) -> None:
        self.label = label
        self.value = value
        self.id: str | None = other.get("id")
        self.description: str | None = other.get("description")
        self.limit: int = other.get("limit") or 100_000
        self.read_only = bool(other.get("read_only"))
        self.metadata: dict[str, Any] = other.get("metadata") or {}

    def __repr__(self) -> str:
        return f"Block(label={self.label!r}, value={self.value!r})"


class Memory:
    """The blocks of an agent."""

    def __init__(self, blocks: list[dict[str, Any]]) -> None:
        self.blocks = [Block(**block) for block in blocks]

    def list_block_labels(self) -> list[str]:
        """Return the labels."""
        return [block.label for block in self.blocks]

    def get_blocks(self) -> list[Block]:
        """Return the blocks."""
        return self.blocks

    def get_block(self, label: str) -> Block:
        """Return a block. Raises KeyError."""
        for block in self.blocks:
            if block.label == label:
                return block
        known = ", ".join(self.list_block_labels()) or "none"
        raise KeyError(f"Block field {label} does not exist (available: {known})")

    def set_block(self, block: Any) -> None:
        """Put a block in the place of the one with its label, or beside the others."""
        for place, known in enumerate(self.blocks):
            if known.label == block.label:
                self.blocks[place] = block
                return
        self.blocks.append(block)

    def update_block_value(self, label: str, value: str) -> None:
        """Rewrite a block. Raises KeyError, and ValueError when the value is no text."""
        if not isinstance(value, str):
            raise ValueError("Provided value must be a string")
        self.get_block(label).value = value

    def compile(self, *_: Any, **__: Any) -> str:
        """Return the blocks as text."""
        blocks = (f"<{one.label}>\n{one.value}\n</{one.label}>" for one in self.blocks)
        return "\n".join(blocks)

    def as_texts(self) -> dict[str, str]:
        """Return the values by label."""
        return {str(block.label): str(block.value) for block in self.blocks}


class AgentState:
    """An agent. Changes of its memory count; changes of anything else are forgotten."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.__dict__.update({key: value for key, value in facts.items() if key != "blocks"})
        self.id: str = facts["id"]
        self.memory = Memory(facts["blocks"])

    @property
    def blocks(self) -> list[Block]:
        """The blocks of its memory."""
        return self.memory.blocks
