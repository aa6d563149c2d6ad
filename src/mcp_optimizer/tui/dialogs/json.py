"""A whole row as JSON, foldable."""

import json
from typing import Any

from textual import on
from textual.app import ComposeResult

from mcp_optimizer.text import lines, shorten
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format.json_outline import JsonLine, folded_at_first, json_lines, json_renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.table import Table


class JsonDialog(Dialog[None]):
    """Fold and unfold with ``enter``; copy all of it with ``y``."""

    hints = (
        Hint("↵", "fold", "dialog:jump"),
        Hint("→", "open", "dialog:expand"),
        Hint("←", "close", "dialog:collapse"),
        Hint("y", "copy all", "dialog:copy"),
        Hint("esc", "leave", "dialog:close"),
    )

    def __init__(self, context: Context, value: dict[str, Any]) -> None:
        super().__init__(context)
        self.value = value
        self.closed = folded_at_first(value)
        self.heading = (
            f"{shorten(str(value.get('name') or value.get('workload') or value.get('tool') or 'row'), 50)}: JSON"
        )

    def body(self) -> ComposeResult:
        """The outline."""
        yield Table(json_renderer())

    @property
    def table(self) -> Table[JsonLine]:
        """The lines."""
        return self.query_one(Table)

    def on_mount(self) -> None:
        """Show it."""
        self.table.put(json_lines(self.value, self.closed))
        self.table.focus()

    @on(Table.Activated)
    def do_jump(self) -> None:
        """Fold or unfold the line."""
        line = self.table.rows.cursor_row
        if line is not None and line.folds:
            self._fold(line, fold=line.open)

    def do_expand(self) -> None:
        """Unfold the line."""
        line = self.table.rows.cursor_row
        if line is not None and line.folds:
            self._fold(line, fold=False)

    def do_collapse(self) -> None:
        """Fold the line, or go to what it is in."""
        line = self.table.rows.cursor_row
        if line is None:
            return
        if line.folds and line.open:
            self._fold(line, fold=True)
        else:
            self.table.move_to(line.path.rpartition("/")[0])

    def do_copy(self) -> None:
        """Copy the whole value."""
        text = json.dumps(self.value, indent=2)
        self.app.copy_to_clipboard(text)
        self.say(f"Copied JSON of {len(lines(text))} lines", Tone.GOOD)

    def _fold(self, line: JsonLine, *, fold: bool) -> None:
        self.closed = self.closed | {line.path} if fold else self.closed - {line.path}
        self.table.put(json_lines(self.value, self.closed))
