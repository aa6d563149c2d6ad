"""The pane that shows one thing in detail, rebuilt for every width; only the lines that are seen are painted."""

from collections.abc import Callable

from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions

from mcp_optimizer.tui.guard import Guarded

type Build = Callable[[int], tuple[Content, ...]]
"""The lines of a document for a width in cells."""


class DetailPane(Guarded, ScrollView, can_focus=True, inherit_bindings=False):
    """A document that scrolls. Another subject begins at its top, the same one stays where it was read."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._subject: str | None = None
        self._build: Build | None = None
        self._lines: tuple[Content, ...] = ()
        self._width = 0

    @property
    def text(self) -> str:
        """What it shows, without styles."""
        return "\n".join(line.plain for line in self._lines)

    def show(self, subject: str | None, build: Build | None) -> None:
        """Show a document about a subject, known by a key; None shows nothing."""
        moved = subject != self._subject
        self._subject, self._build = subject, build
        self._make()
        if moved:
            self.scroll_home(animate=False, immediate=True)

    def on_resize(self) -> None:
        """Lines are wrapped for another width."""
        if self._room() != self._width:
            self._make()

    def _room(self) -> int:
        return max(self.size.width - 3, 20)

    def _make(self) -> None:
        self._width = self._room()
        self._lines = self._build(self._width) if self._build else ()
        self.virtual_size = Size(self._width, len(self._lines))
        self.refresh()

    # Painting

    def render_line(self, y: int) -> Strip:
        """One line of the document."""
        place = self.scroll_offset.y + y
        width, style = self.size.width, self.visual_style
        if place >= len(self._lines):
            return Strip.blank(width, style.rich_style)
        line = self._selected(self._lines[place], place)
        strips = line.render_strips(width, 1, style, RenderOptions(self._get_style, self.styles.get_rules()))
        strip = strips[0] if strips else Strip.blank(width)
        return strip.adjust_cell_length(width, style.rich_style).apply_offsets(0, place)

    def _selected(self, line: Content, place: int) -> Content:
        """The line with what the mouse has selected marked."""
        selection = self.text_selection
        span = selection.get_span(place) if selection is not None else None
        if span is None:
            return line
        start, end = span
        style = Style.from_styles(self.screen.get_component_styles("screen--selection"))
        return line.stylize(style, start, None if end == -1 else end)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What the mouse has selected."""
        return selection.extract(self.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Show it."""
        self.refresh()

    # Moving

    def do_down(self) -> None:
        """One line down."""
        self.scroll_relative(y=1, animate=False)

    def do_up(self) -> None:
        """One line up."""
        self.scroll_relative(y=-1, animate=False)

    def do_top(self) -> None:
        """To the top."""
        self.scroll_home(animate=False)

    def do_bottom(self) -> None:
        """To the end."""
        self.scroll_end(animate=False)

    def do_page_down(self) -> None:
        """Half a page down."""
        self.scroll_relative(y=self.size.height // 2, animate=False)

    def do_page_up(self) -> None:
        """Half a page up."""
        self.scroll_relative(y=-self.size.height // 2, animate=False)
