"""A table of a feed's rows with a filter line, and a detail beside it."""

from collections.abc import Mapping

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from mcp_optimizer.tui.areas.base import StyledText
from mcp_optimizer.tui.areas.table_area import TableArea
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.format.columns import Sort
from mcp_optimizer.tui.format.filter import filter_problem
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Target
from mcp_optimizer.tui.state.saved_state import ListState
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.line_input import FilterLine, LineInput
from mcp_optimizer.tui.widgets.table import Table


class ListArea[R](TableArea[R]):
    """The rows of a resource, filtered, sorted and marked."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._wanted: str | None = None

    def first_sort(self) -> Sort | None:
        """How rows are sorted before a person says so."""
        return None

    def compose(self) -> ComposeResult:
        """Table and filter line; detail."""
        with Container(classes="split"):
            with Vertical(classes="list"):
                yield Table(self.renderer(), sort=self.first_sort())
                yield FilterLine(still=self.context.still)
            yield DetailPane()

    @property
    def filter_line(self) -> FilterLine:
        """The filter."""
        return self.query_one(FilterLine)

    # News

    def update(self) -> None:
        """Show the rows of the feed, or why there are none."""
        trouble = self.trouble()
        self.table.put(() if trouble else self.rows())
        if not trouble and self._wanted is not None:
            target, self._wanted = self._wanted, None
            self.go_to_row(target)
        self._say_why_empty(trouble)

    def _say_why_empty(self, trouble: StyledText | None) -> None:
        if trouble is None and self.table.rows.all:
            name = self.table.rows.renderer.name
            trouble = [
                (f"No {name} pass the filter.", Tone.PLAIN),
                *self._not_understood(),
                ("Esc clears the filter.", Tone.MUTED),
            ]
        self.table.say(trouble if trouble is not None else self.empty())

    def _not_understood(self) -> StyledText:
        """What of the filter says nothing here."""
        rows = self.table.rows
        problem = filter_problem(rows.filter_text, rows.renderer.field_names)
        return [(problem, Tone.WARN)] if problem else ()

    # Places

    def target(self) -> Target:
        """The row under the cursor, and the filter."""
        row = self.row
        return Target(self.area, None if row is None else self.row_name(row), self.filter_line.field.value)

    def reveal(self, target: Target) -> None:
        """Set the filter and put the cursor on the row, as soon as it is there."""
        if target.filter_text is not None:
            self.filter_line.field.value = target.filter_text
            self.apply_filter(target.filter_text)
        if target.row is not None and not self.go_to_row(target.row):
            self._wanted = target.row

    def go_to_row(self, name: str) -> bool:
        """Put the cursor on the row of that name; a filter that hides it goes."""
        rows = self.table.rows
        key = next((rows.renderer.key(row) for row in rows.all if self.row_name(row) == name), None)
        if key is None:
            return False
        if not self.table.move_to(key):
            self.filter_line.field.value = ""
            self.apply_filter("")
        return self.table.move_to(key)

    def apply_filter(self, text: str) -> None:
        """Show the rows that pass."""
        self.table.filter_by(text)
        self._say_why_empty(self.trouble())

    def remember(self) -> dict[str, ListState]:
        """Filter and sort."""
        return {self.area: ListState.of(self.filter_line.field.value, self.table.rows.sort)}

    def recall(self, lists: Mapping[str, ListState]) -> None:
        """The same, put back."""
        state = lists.get(self.area)
        if state is not None:
            self.filter_line.field.value = state.filter
            self.apply_filter(state.filter)
            self.table.sort_by(state.order)

    # Events

    @on(LineInput.Changed)
    def _filter_changed(self, event: LineInput.Changed) -> None:
        event.stop()
        if event.value != self.table.rows.filter_text:
            self.apply_filter(event.value)

    @on(LineInput.Left)
    def _filter_left(self) -> None:
        self.screen.set_focus(self.table)

    @on(Table.Changed)
    def _count_rows(self) -> None:
        rows = self.table.rows
        self.filter_line.tell(len(rows.visible), len(rows.all), len(rows.marks), self.table.order)

    # Actions

    def do_filter(self) -> None:
        """Type a filter."""
        self.filter_line.field.enter()

    def clear(self) -> bool:
        """Take away the marks, else the filter; False when there is neither."""
        if self.table.rows.marks:
            self.table.rows.marks.clear()
            self.table.refresh()
            self._count_rows()
        elif self.table.rows.filter_text:
            self.filter_line.field.value = ""
        else:
            return False
        return True
