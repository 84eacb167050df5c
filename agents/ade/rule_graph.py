"""Tool rules as a picture: tools in columns, and arrows for what may follow what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.ade.rule_check import Check
from agents.engine.tool_rules import Rule

START, END = "start", "end"
# In pixels. Text is set in the mono face of 12 px, whose letters are 7.3 wide.
NODE_H, GAP_X, GAP_Y, MARGIN = 30, 44, 16, 12
LETTER_W, MIN_W, MAX_LETTERS, MAX_OUTPUT_LETTERS = 7.3, 56, 26, 18
_ARROWS = ("constrain_child_tools", "parent_last_tool")


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `tone` is its state in the checker; `marks` are short signs of single rules."""

    name: str
    label: str
    x: int
    y: int
    width: int
    tone: str
    marks: str = ""

    @property
    def middle(self) -> int:
        """Where its text is centred, across."""
        return self.x + self.width // 2

    @property
    def base(self) -> int:
        """The line its text stands on."""
        return self.y + NODE_H // 2 + 4


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line between two boxes, as a path. `label` stands on it; dashed for "anything else"."""

    path: str
    label: str = ""
    x: int = 0
    y: int = 0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole picture, and the same in a sentence."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


Link = tuple[str, str, str, bool]


def draw(rules: Sequence[Rule], checked: Check) -> Graph | None:
    """Return the picture of rules that order calls; None when there is no such rule."""
    links = list(dict.fromkeys(link for rule in rules for link in _links(rule)))
    marks = _marks(rules)
    names = list(dict.fromkeys([*(name for link in links for name in link[:2]), *marks]))
    if not names:
        return None
    nodes = _place(names, links, marks, _tones(checked))
    by_name = {node.name: node for node in nodes}
    arrows = tuple(_arrow(by_name[a], by_name[b], text, dashed) for a, b, text, dashed in links)
    width = max(node.x + node.width for node in nodes) + MARGIN
    below = max(node.y for node in nodes) + NODE_H + MARGIN
    back = any(by_name[a].x >= by_name[b].x for a, b, _, _ in links)
    return Graph(width, below + (GAP_Y if back else 0), tuple(nodes), arrows)


def _links(rule: Rule) -> Iterable[Link]:
    if rule.type == "run_first":
        yield START, rule.tool_name, "", False
    if rule.type == "exit_loop":
        yield rule.tool_name, END, "", False
    if rule.type in _ARROWS:
        for child in rule.children:
            yield rule.tool_name, child, "", False
    if rule.type == "conditional":
        for output, child in rule.outputs:
            yield rule.tool_name, child, output, False
        if rule.default_child:
            yield rule.tool_name, rule.default_child, "", True


def _marks(rules: Iterable[Rule]) -> dict[str, str]:
    """Return the signs of tools whose rules are no arrows: how often, needed, asked for, on."""
    signs: dict[str, list[str]] = {}
    for rule in rules:
        sign = {
            "max_count_per_step": f"≤{rule.limit}",
            "required_before_exit": "!",
            "requires_approval": "?",
            "continue_loop": "↻",
        }.get(rule.type)
        if sign:
            signs.setdefault(rule.tool_name, []).append(sign)
    return {name: " ".join(dict.fromkeys(found)) for name, found in signs.items()}


def _tones(checked: Check) -> dict[str, str]:
    tones = {choice.name: "on" if choice.allowed else "off" for choice in checked.choices}
    if checked.calls:
        tones[checked.calls[-1][0]] += " at"
    return tones


def _columns(names: Sequence[str], links: Sequence[Link]) -> dict[str, int]:
    """Return how far each box is from the beginning: one more than the nearest before it."""
    led_to = {b for _, b, _, _ in links}
    first = int(START in names)
    column = {name: 0 if name == START else first for name in names if name not in led_to}
    waiting = [name for name in names if name != END]
    while True:
        _spread(column, links)
        ring = next((name for name in waiting if name not in column), None)
        if ring is None:
            break
        column[ring] = first  # nothing outside leads to it: a ring begins somewhere
    if END in names:
        column[END] = max((at for name, at in column.items() if name != END), default=0) + 1
    return column


def _spread(column: dict[str, int], links: Sequence[Link]) -> None:
    while new := {b: column[a] + 1 for a, b, _, _ in links if a in column and b not in column}:
        column |= new


def _place(
    names: Sequence[str], links: Sequence[Link], marks: dict[str, str], tones: dict[str, str]
) -> list[Node]:
    column = _columns(names, links)
    nodes: list[Node] = []
    x = MARGIN
    for at in range(max(column.values()) + 1):
        inside = [name for name in names if column[name] == at]
        width = max((_width(name, marks) for name in inside), default=0)
        for row, name in enumerate(inside):
            y = MARGIN + row * (NODE_H + GAP_Y)
            tone = tones.get(name, "" if name in (START, END) else "off")
            nodes.append(Node(name, _label(name), x, y, width, tone, marks.get(name, "")))
        x += width + _gap(inside, links)
    return nodes


def _gap(inside: Sequence[str], links: Sequence[Link]) -> int:
    """Return the room right of a column: that of the longest text on an arrow from there."""
    texts = [_short(text, MAX_OUTPUT_LETTERS) for a, _, text, _ in links if a in inside]
    return max(GAP_X, *(int(len(text) * LETTER_W) + 28 for text in texts), 0)


def _label(name: str) -> str:
    return _short(name, MAX_LETTERS)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _width(name: str, marks: dict[str, str]) -> int:
    mark = marks.get(name, "")
    letters = len(_label(name)) + (len(mark) + 2 if mark else 0)
    return max(MIN_W, int(letters * LETTER_W) + 20)


def _arrow(a: Node, b: Node, text: str, dashed: bool) -> Arrow:
    from_y, to_y = a.y + NODE_H // 2, b.y + NODE_H // 2
    label = _short(text, MAX_OUTPUT_LETTERS)
    if a.x < b.x:
        x1, x2 = a.x + a.width, b.x - 2
        bend = min(GAP_X // 2, (x2 - x1) // 2)
        path = f"M{x1} {from_y}C{x1 + bend} {from_y} {x2 - bend * 2} {to_y} {x2 - 5} {to_y}h5"
        return Arrow(path, label, x2 - 12, to_y - 5, dashed)
    low = max(a.y, b.y) + NODE_H
    x1, x2 = a.x + a.width * 2 // 3, b.x + b.width // 3
    deep = low + GAP_Y
    path = f"M{x1} {a.y + NODE_H}C{x1} {deep} {x2} {deep} {x2} {b.y + NODE_H + 2}"
    return Arrow(path, label, (x1 + x2) // 2, deep - 2, dashed)
