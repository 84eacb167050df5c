"""What the readers of all formats share."""


class Unreadable(Exception):
    """A file whose text cannot be had; the sentence is for the person who uploaded it."""


def joined(blocks: "list[str]") -> str:
    """Return blocks of text with a blank line between them."""
    return "\n\n".join(block.strip("\n") for block in blocks if block.strip())


def table_text(rows: "list[list[str]]") -> str:
    """Return the rows of a table as a Markdown table, the first one being its head."""
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    lines = [_row([*row, *[""] * (width - len(row))]) for row in rows]
    return "\n".join([lines[0], _row(["---"] * width), *lines[1:]])


def _row(cells: "list[str]") -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
