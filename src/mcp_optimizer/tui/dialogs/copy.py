"""Copy something of a row to the clipboard, and show it, since some terminals drop it."""

import json
from collections.abc import Mapping
from typing import Any

from textual import on
from textual.app import ComposeResult

from mcp_optimizer.text import one_line, shorten
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.table import Table

type CopyChoice = tuple[str, str]

_FIELDS = (
    "name",
    "workload",
    "tool",
    "server",
    "identity",
    "registry_server",
    "id",
    "endpoint",
    "text",
    "reason",
    "event",
    "address",
    "database",
)


def choices(value: Mapping[str, Any]) -> list[CopyChoice]:
    """What can be copied of a row: label and text."""
    results = [(name.replace("_", " "), str(value[name])) for name in _FIELDS if value.get(name)]
    return [*results, ("JSON", json.dumps(value, indent=2))]


class CopyDialog(Dialog[None]):
    """Choose what to copy."""

    heading = "Copy"
    hints = (Hint("↵", "copy", "dialog:jump"), Hint("esc", "close", "dialog:close"))

    def __init__(self, context: Context, value: Mapping[str, Any]) -> None:
        super().__init__(context)
        self._choices = choices(value)

    def body(self) -> ComposeResult:
        """One line for each choice."""
        yield Table(_renderer())

    def on_mount(self) -> None:
        """Show the choices."""
        table = self.query_one(Table)
        table.put(self._choices)
        table.styles.height = len(self._choices) + 1
        table.focus()

    @on(Table.Activated)
    def do_jump(self) -> None:
        """Copy what is under the cursor."""
        choice: CopyChoice | None = self.query_one(Table).rows.cursor_row
        if choice is not None:
            label, text = choice
            self.app.copy_to_clipboard(text)
            self.say(f"Copied {label}: {shorten(one_line(text), 150)}", Tone.GOOD)
            self.dismiss(None)

    def do_copy(self) -> None:
        """The key again copies the first: the name."""
        self.do_jump()


def _renderer() -> Renderer[CopyChoice]:
    return Renderer(
        name="choices",
        columns=(
            Column("what", "What", lambda choice: Cell(choice[0], Tone.MUTED), 0, 16),
            Column("text", "Text", lambda choice: Cell(one_line(choice[1][:500])), 0, fill=1, minimum=20),
        ),
        key=lambda choice: choice[0],
    )
