"""A list or a detail as text for a file: JSON or Markdown. Pure."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from mcp_optimizer.domain.models import Value
from mcp_optimizer.text import one_line, printable, to_storable
from mcp_optimizer.tui.format.columns import Renderer


def as_json(value: Value | Sequence[Value]) -> str:
    """A value, or a list of them, with every field. Characters beyond ASCII are escaped, so that any reader is safe."""
    result = (
        value.model_dump(mode="json") if isinstance(value, Value) else [row.model_dump(mode="json") for row in value]
    )
    return json.dumps(result, indent=2) + "\n"


def table_markdown(title: str, renderer: Renderer[Any], rows: Iterable[Any]) -> str:
    """A list as a Markdown table of all its columns."""
    heads = [column.title or column.id.capitalize() for column in renderer.columns]
    lines = [f"# {_inline(title)}", "", _row(heads), _row("---" for _ in heads)]
    lines += [_row(_inline(column.cell(row).text) for column in renderer.columns) for row in rows]
    return to_storable("\n".join(lines)) + "\n"


def text_markdown(title: str, text: str) -> str:
    """A document of fixed width as Markdown: what it marks underneath has to stay underneath."""
    fence = "```"
    while fence in text:
        fence += "`"
    return to_storable(f"# {_inline(title)}\n\n{fence}text\n{printable(text)}\n{fence}\n")


def file_stem(name: str) -> str:
    """A name as the name of a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "detail"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _inline(text: str) -> str:
    """Text that Markdown takes as it is."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in one_line(text).strip())
    return escaped or " "
