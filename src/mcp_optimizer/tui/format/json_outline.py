"""A JSON value as an outline of lines, only those that are open. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line: a field with its value, or with what is folded under it."""

    path: str
    label: str
    text: str
    depth: int
    folds: bool = False
    open: bool = False


def json_lines(
    value: Any, closed: set[str], *, label: str = "", path: str = "$", depth: int = -1
) -> Iterator[JsonLine]:
    """The lines of a value; what is in ``closed`` (by path) stays folded."""
    children = _children(value)
    if children is None:
        yield JsonLine(path, label, json.dumps(value, ensure_ascii=False, default=str), depth)
        return
    is_open = path not in closed
    if depth >= 0:
        word = f"{{{len(children)}}}" if isinstance(value, dict) else f"[{len(children)}]"
        yield JsonLine(path, label, word, depth, bool(children), is_open)
    if is_open:
        for name, child in children:
            yield from json_lines(child, closed, label=name, path=f"{path}/{name}", depth=depth + 1)


def _children(value: Any) -> list[tuple[str, Any]] | None:
    if isinstance(value, dict):
        return [(str(name), child) for name, child in value.items()]
    if isinstance(value, list):
        return [(str(place), child) for place, child in enumerate(value)]
    return None


def folded_at_first(value: Any) -> set[str]:
    """Paths of what is folded before a person unfolds it: all that is two levels down."""
    return {
        f"$/{name}/{inner}"
        for name, child in _children(value) or ()
        for inner, grandchild in _children(child) or ()
        if _children(grandchild)
    }


def json_renderer() -> Renderer[JsonLine]:
    """Columns of the JSON view."""
    return Renderer(
        name="lines",
        columns=(
            Column("field", "Field", _field, 0, 34),
            Column("value", "Value", lambda line: Cell(line.text, Tone.MUTED if line.folds else Tone.PLAIN), 0, fill=1),
        ),
        key=lambda line: line.path,
    )


def _field(line: JsonLine) -> Cell:
    arrow = ("▾ " if line.open else "▸ ") if line.folds else "  "
    return Cell("  " * line.depth + arrow + line.label, Tone.ACCENT)
