"""The one line at the top: program, areas with their counts, and the state of things."""

from collections.abc import Iterator
from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from mcp_optimizer.text import one_line
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.format.ages import short_count
from mcp_optimizer.tui.widgets.clickable import Clickable


@dataclass(frozen=True)
class HeaderState:
    """Everything the header shows."""

    area: Area = Area.OVERVIEW
    counts: tuple[tuple[Area, int], ...] = ()
    database: str = ""
    source: str = ""
    """What the last ingestion of workloads says about where they come from."""
    badges: tuple[str, ...] = ()
    """READ-ONLY, DEMO and the like."""
    stale: bool = False


_BADGE_CELLS = 16
_SHORT = {Area.RELATIONSHIPS: "Relations"}
_MIDDLE = {Area.REGISTRY: "Reg", Area.WORKLOADS: "Work", Area.RELATIONSHIPS: "Relations"}
_SHORTEST = {
    Area.REGISTRY: "Reg",
    Area.WORKLOADS: "Work",
    Area.RELATIONSHIPS: "Rel",
    Area.OVERVIEW: "Over",
    Area.ACTIVITY: "Act",
}


_VARIANTS: tuple[tuple[dict[Area, str], bool, int], ...] = (
    ({}, True, 200),
    ({}, True, 28),
    (_SHORT, True, 14),
    (_SHORT, False, 14),
    (_MIDDLE, False, 14),
    (_SHORTEST, False, 18),
    (_SHORTEST, False, 9),
    (_SHORTEST, False, 0),
)
"""Richest first: names of the areas, whether the program is named, and cells for the database.

The names of the areas shrink before the database leaves: which one this is must be seen on 80 columns too.
"""


class Header(Clickable):
    """Says as much as there is room for, and never more."""

    state: reactive[HeaderState] = reactive(HeaderState())

    def render(self) -> Content:
        """The richest of the variants that fits."""
        width = self.size.width
        content = Content("")
        for content in self._variants():
            if content.cell_length <= width:
                break
        return content

    def _variants(self) -> Iterator[Content]:
        for names, program, database in _VARIANTS:
            yield self._line(names, program=program, counts=True, database=database)
        yield self._line(_MIDDLE)
        yield self._line(_SHORTEST)
        yield self._line(_SHORTEST, badges=self.state.badges[:1], badge_cells=8)

    def _line(
        self,
        names: dict[Area, str],
        *,
        program: bool = False,
        counts: bool = False,
        database: int = 0,
        badges: tuple[str, ...] | None = None,
        badge_cells: int = _BADGE_CELLS,
    ) -> Content:
        state = self.state
        numbers = dict(state.counts) if counts else {}
        left = Content.assemble((" mcp-optimizer ", "bold $text-accent"), " ") if program else Content("")
        tabs = Content("").join(self._tab(area, names.get(area, area.label), numbers.get(area)) for area in Area)
        right = self._state(state.badges if badges is None else badges, database=database, badge_cells=badge_cells)
        room = self.size.width - left.cell_length - tabs.cell_length - right.cell_length
        return Content.assemble(left, tabs, " " * max(room, 0 if not right else 1), right)

    def _tab(self, area: Area, name: str, number: int | None) -> Content:
        click = Style.from_meta({"perform": f"area.{area.value}"})
        active = area is self.state.area
        text = f" {area.number} {name}" + (f" {short_count(number)}" if number is not None else "") + " "
        base = "bold reverse" if active else ""
        content = Content.styled(text, base) if active else Content.assemble((text[:3], "$text-accent"), text[3:])
        return content.stylize(click)

    def _state(self, badges: tuple[str, ...], *, database: int, badge_cells: int) -> Content:
        """``database``: cells its name may take, the end of it where that is too long."""
        parts: list[tuple[str, str]] = []
        if database and self.state.database:
            parts.append((f" {_shortened(self.state.database, database)} ", "$foreground-muted"))
        if self.state.stale:
            parts.append((" ! STALE", "bold $text-warning"))
        if self.state.source:
            parts.append((f" {self.state.source}", "bold $text-warning"))
        parts += [(f" {_shortened(badge, badge_cells)}", "bold $text-accent") for badge in badges]
        return Content.assemble(*parts)


def _shortened(text: str, cells: int) -> str:
    """The end of a text, which tells more than its start does."""
    name = one_line(text)
    return "…" + name[1 - cells :] if len(name) > cells else name
