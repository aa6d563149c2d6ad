"""What to ingest, from where, and whether only to look."""

from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Static

from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.widgets.choice import OneOf, YesNo
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.line_input import LineInput

_LABELS = {
    IngestPart.ALL: "registry, then workloads",
    IngestPart.REGISTRY: "registry only",
    IngestPart.WORKLOADS: "workloads only",
}


@dataclass(frozen=True)
class IngestRequest:
    """An ingestion that a person asked for. No sources: ToolHive."""

    part: IngestPart = IngestPart.ALL
    sources: tuple[str | None, ...] = (None,)
    dry_run: bool = False


class IngestDialog(Dialog[IngestRequest]):
    """``enter`` at once ingests everything from ToolHive."""

    heading = "Ingest"
    hints = (Hint("tab", "next"), Hint("space", "choose"), Hint("↵", "start"), Hint("esc", "cancel", "dialog:close"))

    def body(self) -> ComposeResult:
        """What, from where, dry run, Start and Cancel."""
        yield Static("from a path or URL; several apart by spaces; empty: ToolHive", classes="label")
        yield LineInput(placeholder="ToolHive", still=self.context.still, id="source")
        yield OneOf(tuple(_LABELS.values()), id="part")
        yield YesNo("dry run: show what would change, write nothing", id="dry-run")
        with Horizontal(classes="buttons"):
            yield Button("Start", id="start", variant="primary", compact=True)
            yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """A source can be typed at once, or ``enter`` pressed."""
        self.query_one("#source").focus()

    def on_key(self, event: events.Key) -> None:
        """``enter`` starts from anywhere but Cancel; what is typed elsewhere goes into the field."""
        field = self.query_one("#source", LineInput)
        if event.key == "enter" and not isinstance(self.focused, Button | LineInput):
            event.prevent_default().stop()
            self.start()
        elif self.focused is not field and event.is_printable and event.character not in {None, " ", "j", "k"}:
            event.prevent_default().stop()
            field.enter()
            field.insert_text_at_cursor(event.character or "")

    @property
    def request(self) -> IngestRequest:
        """What is asked for as it stands."""
        part = tuple(_LABELS)[self.query_one(OneOf).chosen]
        sources = self.query_one("#source", LineInput).value.split()
        return IngestRequest(part, tuple(sources) or (None,), self.query_one(YesNo).yes)

    @on(Button.Pressed, "#start")
    def start(self) -> None:
        """Hand the request to the app."""
        self.dismiss(self.request)

    @on(LineInput.Left)
    def _source_left(self, event: LineInput.Left) -> None:
        if event.given_up:
            self.dismiss(None)
        else:
            self.start()

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Nothing is ingested."""
        self.dismiss(None)
