"""A look at the whole database: what was found out comes when it is known."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.worker import Worker, WorkerState

from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.check import check_document
from mcp_optimizer.tui.details.document import Document
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.footer import Hint

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService


class CheckDialog(Dialog[None]):
    """Whether the database is sound."""

    heading = "Check"
    hints = (Hint("↵", "close", "dialog:close"), Hint("↑↓", "scroll"))

    def __init__(self, context: Context, service: "DataService") -> None:
        super().__init__(context)
        self._service = service

    def body(self) -> ComposeResult:
        """The findings."""
        yield DetailPane()

    def on_mount(self) -> None:
        """Look."""
        self._say_there("Looking at every row …", Tone.MUTED)
        self.query_one(DetailPane).focus()
        self.run_worker(self._service.check, name="check", group="check", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what was found, or why nothing could be."""
        if event.state is WorkerState.ERROR:
            self._say_there(f"✗ {safe.error_line(event.worker.error)}", Tone.BAD)
        elif event.state is WorkerState.SUCCESS:
            report = event.worker.result
            assert report is not None
            self.query_one(DetailPane).show("found", lambda width: check_document(report, width))

    def _say_there(self, words: str, tone: Tone) -> None:
        def build(width: int) -> tuple:
            page = Document(width)
            page.paragraph(words, tone)
            return page.lines

        self.query_one(DetailPane).show(words, build)

    def do_jump(self) -> None:
        """Close it."""
        self.dismiss(None)
