"""Columns of a table: what each shows, and which fit into a width. No widgets here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from mcp_optimizer.text import one_line
from mcp_optimizer.tui.format.tone import Tone

GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column[R]:
    """One column. ``priority`` says when it leaves: the highest number first; 0 never does."""

    id: str
    title: str
    cell: Callable[[R], Cell]
    priority: int = 0
    width: int = 12
    """The most cells it takes; it takes fewer when all that it shows is shorter."""
    fill: int = 0
    """Share of the cells that are left over; such a column needs ``minimum`` cells to be shown."""
    minimum: int = 8
    right: bool = False
    middle: bool = False
    """Too long a text loses its middle, not its end."""
    order: Callable[[R], Any] | None = None
    """Sort key, where the text is none."""


@dataclass(frozen=True, slots=True)
class Renderer[R]:
    """How the rows of one resource are shown: the only thing a table knows about them."""

    name: str
    """What one row is called, in the plural: ``workloads``."""
    columns: tuple[Column[R], ...]
    key: Callable[[R], str]
    """What a row is known by through refreshes."""
    subject: Callable[[R], str] | None = None
    """What a row is about, where the same thing can move to a row with another key: the cursor goes along."""
    arranged: bool = False
    """Whether rows come in order, by whoever puts them: a table then only remembers by what to sort."""
    one_of_all: Callable[[R], bool] = lambda _: True
    """Whether a row is among those that "mark all" means: not one that stands for others."""
    fields: dict[str, Callable[[R], str]] = field(default_factory=dict)
    """What can be filtered for beside the columns."""
    text: Callable[[R], str] = lambda _: ""
    """What a filter without a field looks into, beside the columns."""

    def column(self, name: str) -> Column[R] | None:
        """The column of that id."""
        return next((column for column in self.columns if column.id == name), None)

    @property
    def field_names(self) -> frozenset[str]:
        """Everything that may stand before the colon of a filter."""
        return frozenset(self.fields) | {column.id for column in self.columns}

    def field_text(self, row: R, name: str) -> str:
        """What a filter for a field compares with."""
        if (extra := self.fields.get(name)) is not None:
            return extra(row)
        column = self.column(name)
        return column.cell(row).text.strip() if column else ""

    def haystack(self, row: R) -> str:
        """All text of a row, case-folded."""
        parts = [column.cell(row).text for column in self.columns]
        return "\n".join((*parts, self.text(row))).casefold()

    def order(self, row: R, column: Column[R]) -> Any:
        """The sort key of a row for one column."""
        return column.order(row) if column.order else column.cell(row).text.casefold()

    def sorted(self, rows: Iterable[R], sort: "Sort | None") -> list[R]:
        """Rows by a column; equal ones by key, ascending either way. Without a sort they stay as they come."""
        column = self.column(sort.column) if sort else None
        if sort is None or column is None:
            return list(rows)
        by_key = sorted(rows, key=self.key)
        return sorted(by_key, key=lambda row: self.order(row, column), reverse=sort.descending)


@dataclass(frozen=True, slots=True)
class Sort:
    """By which column rows are sorted."""

    column: str
    descending: bool = False

    @property
    def arrow(self) -> str:
        """Which way."""
        return "↓" if self.descending else "↑"


type Widths[R] = list[tuple[Column[R], int]]


def natural_widths[R](columns: Iterable[Column[R]], rows: Iterable[R]) -> dict[str, int]:
    """The cells each column would like: its longest text, at most what it may take."""
    listed = list(rows)
    widths: dict[str, int] = {}
    for column in columns:
        least, most = cell_len(column.title) + 1, None if column.fill else column.width
        widths[column.id] = _natural_width(column, listed, least, most)
    return widths


def _natural_width[R](column: Column[R], rows: Iterable[R], least: int, most: int | None) -> int:
    """Cells of the longest text of a column; looking ends where the most is reached."""
    width = least
    for row in rows:
        text = column.cell(row).text
        width = max(width, len(text) if text.isascii() else cell_len(one_line(text)))
        if most is not None and width >= most:
            return max(most, least)
    return width


def lay_out[R](columns: Sequence[Column[R]], natural: dict[str, int], width: int) -> Widths[R]:
    """The columns that fit into ``width`` cells and how many each gets, the least important left out first."""
    cached = list(columns)

    def needed() -> int:
        fixed = sum(min(c.minimum, natural[c.id]) if c.fill else natural[c.id] for c in cached)
        return fixed + GAP * (len(cached) - 1)

    while len(cached) > 1 and needed() > width:
        least = max(cached, key=lambda column: column.priority)
        if least.priority == 0:
            break
        cached.remove(least)
    return _share(cached, natural, width)


def _share[R](kept: list[Column[R]], natural: dict[str, int], width: int) -> Widths[R]:
    """Give what is left over to the filling columns by their shares, none more than it likes while another lacks."""
    sizes = {c.id: min(c.minimum, natural[c.id]) if c.fill else natural[c.id] for c in kept}
    left = width - sum(sizes.values()) - GAP * (len(kept) - 1)
    fillers = [column for column in kept if column.fill]
    while left > 0 and (hungry := [c for c in fillers if sizes[c.id] < natural[c.id]]):
        total = sum(column.fill for column in hungry)
        for column in hungry:
            extra = min(natural[column.id] - sizes[column.id], max(1, left * column.fill // total))
            extra = min(extra, width - sum(sizes.values()) - GAP * (len(kept) - 1))
            sizes[column.id] += extra
        left = width - sum(sizes.values()) - GAP * (len(kept) - 1)
    if left > 0 and fillers:
        sizes[fillers[-1].id] += left
    if left < 0 and kept:
        sizes[kept[0].id] = max(4, sizes[kept[0].id] + left)
    return [(column, sizes[column.id]) for column in kept]
