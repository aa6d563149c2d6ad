"""The pane that shows one thing in detail, made anew for every width."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

type Build = Callable[[int], Content]


class DetailPane(VerticalScroll, can_focus=True, inherit_bindings=False):
    """A document that scrolls. Another subject begins at its top, the same one stays where it was read."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._subject: str | None = None
        self._build: Build | None = None
        self._width = 0

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static("", classes="document")

    @property
    def text(self) -> str:
        """What it shows, without styles."""
        return self._content().plain

    def show(self, subject: str | None, build: Build | None) -> None:
        """Show a document about a subject, known by a key; None shows nothing."""
        moved = subject != self._subject
        self._subject, self._build = subject, build
        self._paint()
        if moved:
            self.scroll_home(animate=False)

    def on_resize(self) -> None:
        """Lines are wrapped for another width."""
        if self._room() != self._width:
            self._paint()

    def _room(self) -> int:
        return max(self.size.width - 3, 20)

    def _content(self) -> Content:
        return self._build(self._room()) if self._build else Content("")

    def _paint(self) -> None:
        self._width = self._room()
        self.query_one(".document", Static).update(self._content())

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
