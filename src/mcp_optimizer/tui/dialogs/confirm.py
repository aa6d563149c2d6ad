"""Do something, after having shown what that means."""

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button
from textual.worker import Worker, WorkerState

from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.document import Document
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.state.confirmable_actions import ConfirmableAction
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.footer import Hint


class ConfirmDialog(Dialog[bool]):
    """The dry run first; Cancel has the focus. True when it was done."""

    awaited = frozenset({"dry-run", "deed"})
    hints = (Hint("←→", "choose"), Hint("↵", "do it"), Hint("↑↓", "scroll"), Hint("esc", "cancel", "dialog:close"))

    def __init__(self, context: Context, question: ConfirmableAction[Any]) -> None:
        super().__init__(context)
        self.question = question
        self.heading = question.heading

    def body(self) -> ComposeResult:
        """Consequences; Cancel, and the deed."""
        yield DetailPane()
        with Horizontal(classes="buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button(
                self.question.verb,
                id="do",
                classes="grave" if self.question.destructive else "",
                compact=True,
                disabled=True,
            )

    def on_mount(self) -> None:
        """Ask what would happen."""
        self.query_one("#cancel").focus()
        self._show("dry run", "Looking at what would happen …", Tone.MUTED)
        self._ask(dry_run=True)

    def _ask(self, *, dry_run: bool) -> None:
        async def work() -> Any:
            return await self.question.ask(dry_run)

        name = "dry-run" if dry_run else "deed"
        self.run_worker(work, name=name, group=name, exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the dry run; close after the deed; say what went wrong."""
        worker = event.worker
        if event.state is WorkerState.ERROR:
            self._show("error", f"✗ {safe.error_line(worker.error)}", Tone.BAD)
        elif event.state is WorkerState.SUCCESS and worker.group == "dry-run":
            report = worker.result
            self.query_one(DetailPane).show("report", lambda width: self.question.document(report, width))
            self.query_one("#do", Button).disabled = not self.question.changes(report)
        elif event.state is WorkerState.SUCCESS:
            self.say(self.question.outcome(worker.result), Tone.GOOD)
            self.dismiss(True)

    def _show(self, subject: str, words: str, tone: Tone) -> None:
        def build(width: int) -> Any:
            page = Document(width)
            page.paragraph(words, tone)
            return page.lines

        self.query_one(DetailPane).show(subject, build)

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Nothing is done."""
        self.dismiss(None)

    @on(Button.Pressed, "#do")
    def _confirmed(self) -> None:
        self.query_one("#do", Button).disabled = True
        self._ask(dry_run=False)

    def do_expand(self) -> None:
        """The next button."""
        self.focus_next(Button)

    def do_collapse(self) -> None:
        """The previous button."""
        self.focus_previous(Button)

    def do_down(self) -> None:
        """Scroll the consequences."""
        self.query_one(DetailPane).do_down()

    def do_up(self) -> None:
        """Scroll the consequences."""
        self.query_one(DetailPane).do_up()

    def do_page_down(self) -> None:
        """Half a page of them."""
        self.query_one(DetailPane).do_page_down()

    def do_page_up(self) -> None:
        """Half a page back."""
        self.query_one(DetailPane).do_page_up()
