"""Choose one of several, filtered as you type."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.worker import Worker, WorkerState

from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.line_input import LineInput, ListInput
from mcp_optimizer.tui.widgets.table import Table


@dataclass(frozen=True, slots=True)
class Choice:
    """One that can be chosen."""

    key: str
    label: str
    note: str = ""
    aside: str = ""
    tone: Tone = Tone.PLAIN
    """Of the note."""


type ReadChoices = Callable[[], Coroutine[Any, Any, Sequence[Choice]]]


class ChooseDialog(Dialog[str]):
    """The key of what was chosen. The choices are read while the dialog is open already."""

    awaited = frozenset({"choices"})
    hints = (Hint("↵", "choose", "dialog:jump"), Hint("↑↓", "move"), Hint("esc", "cancel", "dialog:close"))

    def __init__(self, context: Context, heading: str, read: ReadChoices) -> None:
        super().__init__(context)
        self.heading = heading
        self._read = read

    def body(self) -> ComposeResult:
        """A field and what it leaves."""
        yield ListInput(placeholder="filter", still=self.context.still)
        yield Table(_renderer())

    @property
    def table(self) -> Table[Choice]:
        """The choices."""
        return self.query_one(Table)

    def on_mount(self) -> None:
        """Read the choices."""
        self.table.say([("Loading …", Tone.MUTED)])
        self.query_one(LineInput).focus()
        self.run_worker(self._read, name="choices", group="choices", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show them, or why there are none."""
        if event.state is WorkerState.ERROR:
            words, remedy = safe.error_words(event.worker.error)
            self.table.say([(f"✗ {words}", Tone.BAD), (remedy, Tone.ACCENT)])
        elif event.state is WorkerState.SUCCESS:
            choices = event.worker.result or ()
            nothing = "There is nothing to choose from." if not choices else "No matches."
            self.table.say([(nothing, Tone.MUTED)])
            self.table.put(choices)
            self.table.do_top()

    @on(LineInput.Changed)
    def _typed(self, event: LineInput.Changed) -> None:
        self.table.filter_by(event.value)
        self.table.do_top()

    @on(LineInput.Left)
    def _left(self, event: LineInput.Left) -> None:
        if event.given_up:
            self.dismiss(None)
        else:
            self.do_jump()

    @on(Table.Activated)
    def do_jump(self) -> None:
        """Take what is under the cursor."""
        choice = self.table.rows.cursor_row
        if choice is not None:
            self.dismiss(choice.key)

    def action_step(self, by: int) -> None:
        """The next or the previous one, while the field has the focus."""
        (self.table.do_down if by > 0 else self.table.do_up)()


def _renderer() -> Renderer[Choice]:
    return Renderer(
        name="choices",
        columns=(
            Column("name", "Name", lambda c: Cell(c.label, Tone.STRONG), 0, 34),
            Column("note", "", lambda c: Cell(c.note, c.tone), 1, 30),
            Column("aside", "Identity", lambda c: Cell(c.aside, Tone.MUTED), 2, fill=1, minimum=16, middle=True),
        ),
        key=lambda c: c.key,
    )
