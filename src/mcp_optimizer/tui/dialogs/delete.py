"""Delete, after having shown what that means."""

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button
from textual.worker import Worker, WorkerState

from mcp_optimizer.domain.reports import DeletionReport
from mcp_optimizer.tui import safe
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.document import Document
from mcp_optimizer.tui.details.report import deletion_document
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.tone import Tone
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.footer import Hint


class Delete(Protocol):
    """A deleting method of the service."""

    def __call__(self, names: Sequence[str], *, dry_run: bool = False) -> Coroutine[Any, Any, DeletionReport]: ...


class DeleteDialog(Dialog[None]):
    """The consequences first; Cancel has the focus."""

    heading = "Delete from the database"
    hints = (Hint("←→", "choose"), Hint("↵", "do it"), Hint("esc", "cancel", "dialog:close"))

    def __init__(self, context: Context, delete: Delete, names: Sequence[str]) -> None:
        super().__init__(context)
        self._delete = delete
        self._names = tuple(names)

    def body(self) -> ComposeResult:
        """Consequences; Cancel, Delete."""
        yield DetailPane()
        with Horizontal(classes="buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button("Delete", id="delete", variant="error", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Ask what would happen."""
        self.query_one("#cancel").focus()
        self.query_one(DetailPane).show("dry run", lambda width: _one_line("Looking at what would happen …", width))
        self._run(partial(self._delete, self._names, dry_run=True), "dry-run")

    def _run(self, work: partial[Coroutine[Any, Any, DeletionReport]], group: str) -> None:
        self.run_worker(work, name=group, group=group, exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the dry run; close after the deed; say what went wrong."""
        worker = event.worker
        if event.state is WorkerState.ERROR:
            words = f"✗ {safe.error_line(worker.error)}"
            self.query_one(DetailPane).show("error", lambda width: _one_line(words, width))
        elif event.state is WorkerState.SUCCESS and worker.result is not None:
            self._succeeded(worker.result)

    def _succeeded(self, report: DeletionReport) -> None:
        if report.dry_run:
            self.query_one(DetailPane).show("report", lambda width: deletion_document(report, width))
            self.query_one("#delete", Button).disabled = not report.deleted
            return
        unlinked = f", {len(report.unlinked)} became autonomous" if report.unlinked else ""
        self.say(f"Deleted {len(report.deleted)} with {report.tools} tools{unlinked}", Tone.GOOD)
        self.dismiss(None)

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Nothing is deleted."""
        self.dismiss(None)

    @on(Button.Pressed, "#delete")
    def _confirmed(self) -> None:
        self.query_one("#delete", Button).disabled = True
        self._run(partial(self._delete, self._names), "delete")

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


def _one_line(text: str, width: int) -> Any:
    page = Document(width)
    page.paragraph(text)
    return page.content
