"""A document in a dialog: the report of an ingestion."""

from collections.abc import Sequence

from textual.app import ComposeResult

from mcp_optimizer.domain.reports import IngestReport
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.report import ingest_document
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.footer import Hint


class ReportDialog(Dialog[None]):
    """What an ingestion did."""

    heading = "Report"
    hints = (Hint("↵", "close", "dialog:close"), Hint("↑↓", "scroll"))

    def __init__(self, context: Context, reports: Sequence[IngestReport]) -> None:
        super().__init__(context)
        self.reports = tuple(reports)

    def body(self) -> ComposeResult:
        """The report."""
        yield DetailPane()

    def on_mount(self) -> None:
        """Show it."""
        pane = self.query_one(DetailPane)
        pane.show("report", lambda width: ingest_document(self.reports, width))
        pane.focus()

    def do_jump(self) -> None:
        """Close it."""
        self.dismiss(None)
