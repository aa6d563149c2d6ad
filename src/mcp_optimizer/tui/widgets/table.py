"""One table for every list: it paints only the lines that are seen, so that 10,000 rows are as quick as 10."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mcp_optimizer.text import one_line
from mcp_optimizer.tui.format.columns import GAP, Column, Renderer, Sort, Widths, lay_out, natural_widths
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.guard import Guarded
from mcp_optimizer.tui.state.rows import Rows

GUTTER = 2
"""Cells at the left for the cursor and the mark of a row."""


def fit(text: str, width: int, *, right: bool = False, middle: bool = False) -> str:
    """``text`` as one printable line of exactly ``width`` cells; what does not fit is shown as an ellipsis."""
    text = one_line(text)
    length = cell_len(text)
    if length > width:
        text = _crop_middle(text, width) if middle else set_cell_size(text, max(width - 1, 0)) + "…"
        return set_cell_size(text, width)
    return " " * (width - length) + text if right else text + " " * (width - length)


def _crop_middle(text: str, width: int) -> str:
    """``text`` with its middle left out: of an identity the end tells the most."""
    head = max(width // 3, 1)
    return set_cell_size(text, head) + "…" + text[-(width - head - 1) :] if width > 2 else "…"


_CURSOR_SIGNS = {"row": " ", "cursor": "▌", "cursor-blurred": "▏"}
"""Where the cursor is, and whether keys go there, is told without colour too."""


class Table[R](Guarded, ScrollView, can_focus=True, inherit_bindings=False):
    """Rows drawn by a renderer. They are known by key: cursor, marks, sort and filter survive every refresh."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--head-sorted",
        "table--row",
        "table--cursor",
        "table--cursor-blurred",
        *(f"table--{tone}" for tone in Tone),
    }

    class Highlighted(Message):
        """The cursor is on another row, or its row has changed."""

        def __init__(self, table: "Table") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "Table":
            """The table, for ``@on`` with a selector."""
            return self.table

    class Changed(Highlighted):
        """Rows, filter, sort or marks have changed."""

    class Activated(Highlighted):
        """A row was chosen with the mouse."""

    def __init__(self, renderer: Renderer[R], *, sort: Sort | None = None, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.rows = Rows(renderer, sort)
        self.message: Sequence[tuple[str, Tone]] = ()
        """What is said in place of rows when none is shown: line by line."""
        self._natural: dict[str, int] = {}
        self._styles: dict[tuple[str, Tone], RichStyle] = {}
        self._told: R | None = None

    # What is shown

    def put(self, rows: Iterable[R]) -> None:
        """Show other rows."""
        self.rows.put(rows)
        self._natural = natural_widths(self.rows.renderer.columns, self.rows.all)
        self._arranged()

    def filter_by(self, text: str) -> None:
        """Show the rows that pass a filter."""
        self.rows.filter_by(text)
        self._arranged()

    def sort_by(self, sort: Sort | None) -> None:
        """Show the rows in another order."""
        self.rows.sort_by(sort)
        self._arranged()

    def say(self, message: Sequence[tuple[str, Tone]]) -> None:
        """What to say when no row is shown."""
        if message != self.message:
            self.message = message
            self.refresh()

    def move_to(self, key: str) -> bool:
        """Put the cursor on a row; whether it is there to be seen."""
        result = self.rows.move_to(key)
        self._moved()
        return result

    @property
    def selection(self) -> list[R]:
        """The marked rows, or the one under the cursor."""
        row = self.rows.cursor_row
        return self.rows.marked_rows() or ([] if row is None else [row])

    @property
    def widths(self) -> Widths[R]:
        """The columns that are shown and the cells each has."""
        if not self._natural:
            self._natural = natural_widths(self.rows.renderer.columns, ())
        return lay_out(self.rows.renderer.columns, self._natural, self.size.width - GUTTER - 1)

    # Moving

    def do_down(self) -> None:
        """Cursor to the next row."""
        self._go(self.rows.cursor + 1)

    def do_up(self) -> None:
        """Cursor to the previous row."""
        self._go(self.rows.cursor - 1)

    def do_top(self) -> None:
        """Cursor to the first row."""
        self._go(0)

    def do_bottom(self) -> None:
        """Cursor to the last row."""
        self._go(len(self.rows.visible) - 1)

    def do_page_down(self) -> None:
        """Half a page down."""
        self._go(self.rows.cursor + max(1, self._page // 2))

    def do_page_up(self) -> None:
        """Half a page up."""
        self._go(self.rows.cursor - max(1, self._page // 2))

    def do_mark(self) -> None:
        """Mark the row and go on to the next."""
        key = self.rows.cursor_key
        if key is not None:
            self.rows.toggle_mark(key)
            self.post_message(self.Changed(self))
            self.do_down()

    def do_mark_all(self) -> None:
        """Mark all rows that are shown, or none."""
        self.rows.mark_all()
        self.refresh()
        self.post_message(self.Changed(self))

    def clear_marks(self) -> None:
        """Take all marks away."""
        if self.rows.marks:
            self.rows.marks.clear()
            self.refresh()
            self.post_message(self.Changed(self))

    def do_sort(self) -> None:
        """Sort by the next column: those that are shown, those there is no room for, then as the rows came."""
        shown = [column.id for column, _ in self.widths]
        ids = [*shown, *(column.id for column in self.rows.renderer.columns if column.id not in shown)]
        sort = self.rows.sort
        place = ids.index(sort.column) + 1 if sort and sort.column in ids else 0
        self.sort_by(Sort(ids[place]) if place < len(ids) else None)

    def do_sort_reverse(self) -> None:
        """Reverse the sort."""
        sort = self.rows.sort or Sort(self.rows.renderer.columns[0].id)
        self.sort_by(Sort(sort.column, not sort.descending))

    @property
    def order(self) -> str:
        """By which column it is sorted, where that column is not shown."""
        sort = self.rows.sort
        column = self.rows.renderer.column(sort.column) if sort else None
        if sort is None or column is None or any(column is shown for shown, _ in self.widths):
            return ""
        return f"by {column.title.casefold()}{sort.arrow}"

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def _go(self, place: int) -> None:
        self.rows.move(place)
        self._moved()

    def _moved(self) -> None:
        self._keep_in_sight()
        self.refresh()
        row = self.rows.cursor_row
        if row is not self._told:
            self._told = row
            self.post_message(self.Highlighted(self))

    def _arranged(self) -> None:
        self._fit_height()
        self._moved()
        self.call_after_refresh(self._keep_in_sight)  # only then it is known how far it can scroll
        self.post_message(self.Changed(self))

    def _fit_height(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows.visible) + 1)

    def _keep_in_sight(self) -> None:
        top, cursor = self.scroll_offset.y, self.rows.cursor
        if cursor < top:
            self.scroll_to(y=cursor, animate=False, immediate=True)
        elif cursor >= top + self._page:
            self.scroll_to(y=cursor - self._page + 1, animate=False, immediate=True)

    # Events

    def on_resize(self) -> None:
        """Columns and cursor have to fit again."""
        self._fit_height()
        self._keep_in_sight()
        self.refresh()

    def on_focus(self) -> None:
        """The cursor looks different with focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor looks different without focus."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """The head sorts, a row takes the cursor, a second click on it activates it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._click_head(offset.x)
            return
        place = self.scroll_offset.y + offset.y - 1
        if place < len(self.rows.visible):
            self._go(place)
            if event.chain > 1:
                self.post_message(self.Activated(self))

    def _click_head(self, x: int) -> None:
        column = column_at(self.widths, x)
        if column is not None:
            sort = self.rows.sort
            again = sort is not None and sort.column == column.id and not sort.descending
            self.sort_by(Sort(column.id, again))

    def notify_style_update(self) -> None:
        """Another theme: styles are looked up again."""
        self._styles.clear()
        super().notify_style_update()

    # Painting

    def render_line(self, y: int) -> Strip:
        """One line: the head stays, rows move under it."""
        if y == 0:
            return self._paint_head()
        if not self.rows.visible:
            return self._paint_message(y - 2)
        place = self.scroll_offset.y + y - 1
        if place >= len(self.rows.visible):
            return Strip.blank(self.size.width, self._style("row", Tone.PLAIN))
        return self._paint_row(place)

    def _style(self, state: str, tone: Tone) -> RichStyle:
        known = self._styles.get((state, tone))
        if known is None:
            style = self.get_visual_style(f"table--{state}")
            style += self.get_visual_style(f"table--{tone}", partial=True)
            known = self._styles[state, tone] = style.rich_style
        return known

    def _paint_head(self) -> Strip:
        sort = self.rows.sort
        plain = self._style("head", Tone.PLAIN)
        segments = [Segment(" " * GUTTER, plain)]
        for column, width in self.widths:
            by_this = sort is not None and sort.column == column.id
            arrow = sort.arrow if sort and by_this else ""
            style = self._style("head-sorted", Tone.PLAIN) if by_this else plain
            segments.append(Segment(fit(column.title + arrow, width, right=column.right), style))
            segments.append(Segment(" " * GAP, plain))
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def _paint_row(self, place: int) -> Strip:
        row = self.rows.visible[place]
        renderer = self.rows.renderer
        state = "row"
        if place == self.rows.cursor:
            state = "cursor" if self.has_focus else "cursor-blurred"
        marked = renderer.key(row) in self.rows.marks
        segments = [
            Segment(_CURSOR_SIGNS[state], self._style(state, Tone.ACCENT)),
            Segment("●" if marked else " ", self._style(state, Tone.ACCENT)),
        ]
        plain = self._style(state, Tone.PLAIN)
        for column, width in self.widths:
            cell = column.cell(row)
            text = fit(cell.text, width, right=column.right, middle=column.middle)
            segments.append(Segment(text, self._style(state, cell.tone)))
            segments.append(Segment(" " * GAP, plain))
        return Strip(segments).adjust_cell_length(self.size.width, plain)

    def _paint_message(self, y: int) -> Strip:
        width = self.size.width
        plain = self._style("row", Tone.PLAIN)
        wrapped = [
            (part, tone)
            for text, tone in self.message
            for part in (textwrap.wrap(one_line(text), max(width - 6, 10)) or [""])
        ]
        if not 0 <= y < len(wrapped):
            return Strip.blank(width, plain)
        text, tone = wrapped[y]
        segments = [Segment("   ", plain), Segment(text, self._style("row", tone))]
        return Strip(segments).adjust_cell_length(width, plain)


def column_at[R](widths: Widths[R], x: int) -> Column[R] | None:
    """The column that is painted at cell ``x``."""
    left = GUTTER
    for column, width in widths:
        if left <= x < left + width + GAP:
            return column
        left += width + GAP
    return None
