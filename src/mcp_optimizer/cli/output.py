"""How answers are printed: as JSON for programs, as aligned text for people."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcp_optimizer.text import one_line

_WIDE = 10_000

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


def emit(
    value: BaseModel | Sequence[BaseModel | dict[str, Any]] | dict[str, Any], *, as_json: bool, text: Callable[[], str]
) -> None:
    """Print ``value`` as JSON, or what ``text`` makes of it."""
    if as_json:
        click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))
    else:
        click.echo(text())


def plain(value: object) -> Any:
    """``value`` as JSON types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> str:
    """Rows under headings: cut to the terminal's width, or in full where there is no terminal."""
    if not rows:
        return empty
    instance = Table(*columns, box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in instance.columns:
        column.no_wrap = True
        column.overflow = "ellipsis"
    for row in rows:
        instance.add_row(*(Text(one_line("" if cell is None else str(cell))) for cell in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    with console.capture() as captured:
        console.print(instance)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def facts(pairs: Sequence[tuple[str, object]]) -> str:
    """Names and values, one pair a line, values aligned; pairs without a value are left out."""
    given = [(name, one_line(str(value))) for name, value in pairs if value not in (None, "", ())]
    width = max((len(name) for name, _ in given), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in given)
