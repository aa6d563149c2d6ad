"""The one line at the top: program, areas with their counts, and the state of things."""

from collections.abc import Iterator
from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from mcp_optimizer.text import one_line
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.ages import short_count
from mcp_optimizer.tui.widgets.clickable import Clickable


@dataclass(frozen=True)
class HeaderState:
    """Everything the header shows."""

    area: Area = Area.OVERVIEW
    counts: tuple[tuple[Area, int], ...] = ()
    database: str = ""
    badge: str = ""
    """In place of the database's name, and kept longer where there is little room."""
    read_only: bool = False
    stale: bool = False


_BADGE_CELLS = 16
_SHORT_BADGE_CELLS = 9
_SHORT = {Area.RELATIONSHIPS: "Relations"}
_MIDDLE = {Area.REGISTRY: "Reg", Area.WORKLOADS: "Work", Area.RELATIONSHIPS: "Relations"}
_SHORTEST = {
    Area.REGISTRY: "Reg",
    Area.WORKLOADS: "Work",
    Area.RELATIONSHIPS: "Rel",
    Area.OVERVIEW: "Over",
    Area.ACTIVITY: "Act",
}


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
        yield self._line({}, program=True, counts=True, database=200)
        yield self._line({}, program=True, counts=True, database=28)
        yield self._line({}, program=True, counts=True)
        yield self._line(_SHORT, program=True, counts=True)
        yield self._line(_SHORT, counts=True)
        yield self._line(_MIDDLE, counts=True)
        yield self._line(_MIDDLE)
        yield self._line(_SHORTEST)
        if self.state.badge:  # whoever looks at a file can't change it: that goes without saying
            yield self._line(_SHORTEST, short=True)

    def _line(
        self,
        names: dict[Area, str],
        *,
        program: bool = False,
        counts: bool = False,
        database: int = 0,
        short: bool = False,
    ) -> Content:
        state = self.state
        numbers = dict(state.counts) if counts else {}
        left = Content.assemble((" mcp-optimizer ", "bold $text-accent"), " ") if program else Content("")
        tabs = Content("").join(self._tab(area, names.get(area, area.label), numbers.get(area)) for area in Area)
        right = self._state(database=database, short=short)
        room = self.size.width - left.cell_length - tabs.cell_length - right.cell_length
        return Content.assemble(left, tabs, " " * max(room, 0 if not right else 1), right)

    def _tab(self, area: Area, name: str, number: int | None) -> Content:
        click = Style.from_meta({"perform": f"area.{area.value}"})
        active = area is self.state.area
        text = f" {area.number} {name}" + (f" {short_count(number)}" if number is not None else "") + " "
        base = "bold reverse" if active else ""
        content = Content.styled(text, base) if active else Content.assemble((text[:3], "$text-accent"), text[3:])
        return content.stylize(click)

    def _state(self, *, database: int, short: bool) -> Content:
        """``database``: cells its name may take, the end of it where that is too long."""
        parts: list[tuple[str, str]] = []
        if self.state.badge:
            room = _SHORT_BADGE_CELLS if short else max(database, _BADGE_CELLS)
            name = one_line(self.state.badge)
            parts.append((f" {name if len(name) <= room else name[: room - 1] + '…'} ", "bold reverse"))
        elif database and self.state.database:
            name = one_line(self.state.database)
            name = "…" + name[1 - database :] if len(name) > database else name
            parts.append((f" {name} ", "$foreground-muted"))
        if self.state.stale:
            parts.append((" ! STALE", "bold $text-warning"))
        if self.state.read_only and not short:
            parts.append((" READ-ONLY", "bold $text-accent"))
        return Content.assemble(*parts)
