"""A table with a detail beside it (under it when narrow) that is read when the cursor rests."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from textual import on
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from mcp_optimizer.domain.matching import Explanation
from mcp_optimizer.domain.models import Value
from mcp_optimizer.text import one_line, shorten
from mcp_optimizer.tui.areas.base import DetailArea, StyledText
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.document import Lines
from mcp_optimizer.tui.dialogs.save import SaveOffer, text_offer
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.columns import Renderer
from mcp_optimizer.tui.format.exports import as_json, file_stem, table_markdown, text_markdown
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.widgets.table import Table

type ReadRow = Callable[[], Coroutine[Any, Any, Value]]
"""A call of the service that is not made before its worker starts."""


_ABOUT_DETAIL = frozenset({"nearest", "json", "copy", "export"})
"""Actions on what was read for a row, which may not be there as soon as the row is."""


class TableArea[R](DetailArea):
    """Rows of one resource, and one of them in detail."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._detail_timer: Timer | None = None
        self._detail: tuple[str, Value] | None = None

    # What an area of this kind says about itself

    def renderer(self) -> Renderer[R]:
        """How rows are shown."""
        raise NotImplementedError

    def rows(self) -> Sequence[R]:
        """The rows there are."""
        raise NotImplementedError

    def empty(self) -> StyledText:
        """What to say when there are no rows at all."""
        raise NotImplementedError

    def read_detail(self, row: R) -> ReadRow | None:
        """Read what the row does not tell; None when it tells all."""
        raise NotImplementedError

    def document(self, value: Any, width: int) -> Lines:
        """The detail of a row, or of what was read for it."""
        raise NotImplementedError

    def detail_was_read(self, value: Any) -> None:
        """Something is known in detail now, and shown."""

    # Parts

    @property
    def table(self) -> Table[R]:
        """The list."""
        return self.query_one(Table)

    @property
    def row(self) -> R | None:
        """The row under the cursor."""
        return self.table.rows.cursor_row

    @property
    def detail(self) -> Value | None:
        """What was read for the row under the cursor, once it was."""
        return self._detail[1] if self._detail and self._detail[0] == self.table.rows.cursor_key else None

    @property
    def subject(self) -> Value | None:
        """What is copied, or shown as JSON."""
        row = self.row
        return self.detail or (row if isinstance(row, Value) else None)

    def row_name(self, row: R) -> str:
        """What a row is called in a target."""
        return self.table.rows.renderer.key(row)

    def must_wait(self, key: str) -> bool:
        """Whether the detail that a key is about is still being read."""
        if super().must_wait(key):
            return True
        action = self.context.keymap.find(key, self.area)
        if action is None or action.id not in _ABOUT_DETAIL:
            return False
        return self._detail_timer is not None or any(
            w.node is self and w.group == "detail" and not w.is_finished for w in self.app.workers
        )

    # Events

    @on(Table.Highlighted)
    def _row_highlighted(self) -> None:
        row = self.row
        if row is None:
            self._detail = None
            self.pane.show(None, None)
            return
        key = self.table.rows.renderer.key(row)
        if self._detail is None or self._detail[0] != key:
            self._detail = None
            self.pane.show(key, lambda width: self.document(row, width))
        self._read_detail_soon()

    @on(Table.Activated)
    def _row_activated(self) -> None:
        self.do_jump()

    def _read_detail_soon(self) -> None:
        if self._detail_timer is not None:
            self._detail_timer.stop()
        if self.context.detail_delay:
            self._detail_timer = self.set_timer(self.context.detail_delay, self._start_reading)
        else:
            self._start_reading()

    def _start_reading(self) -> None:
        self._detail_timer = None
        row = self.row
        if row is None or self.context.service is None:
            return
        reading = self.read_detail(row)
        if reading is not None:
            key = self.table.rows.renderer.key(row)
            self.run_worker(reading, name=key, group="detail", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show a detail that has been read, or why it could not be."""
        worker = event.worker
        if worker.group != "detail" or worker.name != self.table.rows.cursor_key:
            return
        if event.state is WorkerState.SUCCESS and worker.result is not None:
            value: Value = worker.result
            self._detail = (worker.name, value)
            self.pane.show(worker.name, lambda width: self.document(value, width))
            self.detail_was_read(value)
        elif event.state is WorkerState.ERROR:
            words, remedy = safe.error_words(worker.error)
            text = (safe.line(f"✗ {words}", Tone.BAD), safe.line(remedy, Tone.ACCENT))
            self.pane.show(worker.name, lambda _: text)

    # Actions

    def do_jump(self) -> None:
        """Follow the relation of the row."""

    def do_mark(self) -> None:
        """Mark the row."""
        self.table.do_mark()

    def do_mark_all(self) -> None:
        """Mark all rows, or none."""
        self.table.do_mark_all()

    def offers(self) -> list[SaveOffer]:
        """The rows that are shown, and the detail of the one under the cursor."""
        rows, area = self.table.rows, self.area
        shown = f"the list, {count(len(rows.visible))} {rows.renderer.name}"
        results = [
            text_offer(
                f"{shown}, as Markdown",
                f"{area}.md",
                lambda: table_markdown(area.label, rows.renderer, rows.visible),
            ),
            text_offer(f"{shown}, as JSON", f"{area}.json", lambda: as_json(self.export_values())),
        ]
        subject, text = self.subject, self.pane.text
        if subject is not None:
            name = str(getattr(subject, "workload", "") or getattr(subject, "name", "") or getattr(subject, "tool", ""))
            what = f"{'explanation' if isinstance(subject, Explanation) else 'detail'} of {shorten(one_line(name), 40)}"
            file = f"{'explain-' if isinstance(subject, Explanation) else ''}{file_stem(name)}"
            results.append(text_offer(f"the {what}, as Markdown", f"{file}.md", lambda: text_markdown(name, text)))
            results.append(text_offer(f"the {what}, as JSON", f"{file}.json", lambda: as_json(subject)))
        return results

    def export_values(self) -> list[Value]:
        """The rows that are shown, as values."""
        return [row for row in self.table.rows.visible if isinstance(row, Value)]
