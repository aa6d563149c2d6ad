"""The rows behind a table: filter, sort, marks and cursor, kept by key through every refresh. No widgets here."""

from collections.abc import Callable, Iterable

from mcp_optimizer.tui.format.columns import Renderer, Sort
from mcp_optimizer.tui.format.filter import Filter, parse


class Rows[R]:
    """Rows of one resource. ``visible`` are those that pass the filter, sorted; ``cursor`` is a place in it."""

    def __init__(self, renderer: Renderer[R], sort: Sort | None = None) -> None:
        self.renderer = renderer
        self.all: list[R] = []
        self.visible: list[R] = []
        self.marks: set[str] = set()
        self.filter_text = ""
        self.filter = Filter()
        self.sort = sort
        self.cursor = 0
        self._haystacks: dict[str, str] = {}
        self._places: dict[str, int] = {}

    def put(self, rows: Iterable[R]) -> None:
        """Take other rows. Marks of rows that are gone go; the cursor stays on its row, else at its place;
        see ``Renderer.subject``."""
        self.all = list(rows)
        self._haystacks.clear()
        self.marks &= {self.renderer.key(row) for row in self.all}
        self._arrange()

    def filter_by(self, text: str) -> None:
        """Show only the rows that pass the filter ``text``."""
        self.filter_text = text
        self.filter = parse(text, self.renderer.field_names)
        self._arrange()

    def sort_by(self, sort: Sort | None) -> None:
        """Sort by a column, or as the rows came."""
        self.sort = sort
        self._arrange()

    @property
    def cursor_row(self) -> R | None:
        """The row under the cursor."""
        return self.visible[self.cursor] if 0 <= self.cursor < len(self.visible) else None

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        row = self.cursor_row
        return None if row is None else self.renderer.key(row)

    def move(self, place: int) -> None:
        """Put the cursor at a place, or as near as can be."""
        self.cursor = max(0, min(place, len(self.visible) - 1))

    def move_to(self, key: str) -> bool:
        """Put the cursor on a row; whether it is there to be seen."""
        place = self._places.get(key)
        if place is None:
            return False
        self.cursor = place
        return True

    def marked_rows(self) -> list[R]:
        """The marked rows, in the order they are shown; those the filter hides last."""
        shown = [row for row in self.visible if self.renderer.key(row) in self.marks]
        seen = {self.renderer.key(row) for row in shown}
        return shown + [row for row in self.all if self.renderer.key(row) in self.marks - seen]

    def toggle_mark(self, key: str) -> None:
        """Mark a row, or take its mark away."""
        self.marks ^= {key}

    def mark_all(self) -> None:
        """Mark every row that is shown; when all are marked already, take the marks away."""
        shown = {self.renderer.key(row) for row in self.visible if self.renderer.one_of_all(row)}
        self.marks = self.marks - shown if shown <= self.marks else self.marks | shown

    def _arrange(self) -> None:
        key, subject = self.cursor_key, self._subject(self.cursor_row)
        rows = [row for row in self.all if self._passes(row)] if self.filter else list(self.all)
        self.visible = rows = rows if self.renderer.arranged else self.renderer.sorted(rows, self.sort)
        self._places = {self.renderer.key(row): place for place, row in enumerate(rows)}
        if key is None or not (self.move_to(key) or self._follow(subject)):
            self.move(self.cursor)

    def _subject(self, row: R | None) -> str:
        return self.renderer.subject(row) if self.renderer.subject is not None and row is not None else ""

    def _follow(self, subject: str) -> bool:
        """Put the cursor on another row about the same thing; whether there is one."""
        result = next((row for row in self.visible if subject and self._subject(row) == subject), None)
        return result is not None and self.move_to(self.renderer.key(result))

    def _passes(self, row: R) -> bool:
        key = self.renderer.key(row)
        haystack = self._haystacks.get(key)
        if haystack is None:
            haystack = self._haystacks[key] = self.renderer.haystack(row)
        field: Callable[[str], str] = lambda name: self.renderer.field_text(row, name).casefold()  # noqa: E731
        return self.filter.passes(haystack, field)
