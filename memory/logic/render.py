"""Blocks as the model reads them. PURE."""

from collections.abc import Sequence

from memory.logic.edits import BlockView

INTRO = "The blocks below are your core memory. They are in front of you at every step."
NUMBERS_WARNING = (
    "The numbers with an arrow at the start of each line are only there to point at a line. They "
    "are no part of the memory: leave them out of everything you pass to a memory tool."
)


def render_blocks(blocks: Sequence[BlockView], *, line_numbers: bool) -> str:
    """Return the `<memory_blocks>` section, or an empty text when there are no blocks.

    `line_numbers` puts `1→ ` and so on before each line of the values.
    """
    if not blocks:
        return ""
    rendered = "\n\n".join(_block(block, line_numbers) for block in blocks)
    return f"<memory_blocks>\n{INTRO}\n\n{rendered}\n\n</memory_blocks>"


def numbered(value: str) -> str:
    """Return `value` with `1→ `, `2→ ` ... before its lines; an empty value stays empty."""
    if not value:
        return ""
    return "\n".join(f"{n}→ {line}" for n, line in enumerate(value.split("\n"), 1))


def _block(block: BlockView, line_numbers: bool) -> str:
    lines = [f"<{block.label}>", "<description>", block.description or "", "</description>"]
    lines += ["<metadata>"]
    if block.read_only:
        lines += ["- read_only=true"]
    lines += [f"- chars_current={len(block.value)}", f"- chars_limit={block.limit}", "</metadata>"]
    if line_numbers:
        lines += ["<warning>", NUMBERS_WARNING, "</warning>"]
    value = numbered(block.value) if line_numbers else block.value
    return "\n".join([*lines, "<value>", value, "</value>", f"</{block.label}>"])
