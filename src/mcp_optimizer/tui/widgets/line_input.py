"""Input fields of one line, and the filter line of the lists."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.tone import STYLES, Tone
from mcp_optimizer.tui.guard import Guarded
from mcp_optimizer.tui.widgets.footer import Hint


class LineInput(Guarded, Input):
    """An input that is left with ``enter`` or ``esc``; up and down only move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "leave(False)", show=False),
        Binding("escape", "leave(True)", show=False),
        Binding("down", "screen.focus_next", show=False),
        Binding("up", "screen.focus_previous", show=False),
    ]

    class Left(Message):
        """The field is left; ``given_up`` with ``esc``."""

        def __init__(self, field: "LineInput", *, given_up: bool) -> None:
            super().__init__()
            self.field = field
            self.given_up = given_up

        @property
        def control(self) -> "LineInput":
            """The field, for ``@on`` with a selector."""
            return self.field

    def __init__(
        self,
        *,
        placeholder: str = "",
        hints: tuple[Hint, ...] = (),
        still: bool = False,
        value: str = "",
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(value, placeholder=placeholder, compact=True, id=id, select_on_focus=False)
        self.hints = hints
        self.cursor_blink = not still

    def enter(self) -> None:
        """Take the focus at once, behind what is there: the next key may be in the queue already."""
        self.screen.set_focus(self)
        self.action_end()

    def action_leave(self, given_up: bool) -> None:
        """Tell the owner that the person is done here."""
        self.post_message(self.Left(self, given_up=given_up))


class AreaInput(LineInput):
    """Here ``down`` goes into the list that belongs to the field, and ``up`` stays."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "leave(False)", show=False),
        Binding("up", "stay", show=False),
    ]

    def action_stay(self) -> None:
        """There is nothing above."""


class ListInput(LineInput):
    """Here ``down`` and ``up`` move in the list below; the dialog has ``action_step``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "screen.step(1)", show=False),
        Binding("up", "screen.step(-1)", show=False),
    ]


class FilterLine(Guarded, Horizontal):
    """The filter of a list and how much of it is shown; it stays in sight."""

    HINTS = (Hint("↵", "keep"), Hint("esc", "clear"), Hint("", "text  !not  ~fuzzy  field:value"))

    def __init__(self, *, still: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._still = still

    def compose(self) -> ComposeResult:
        """Sign, field, count."""
        yield Static("/", classes="sign")
        yield AreaInput(placeholder="filter", hints=self.HINTS, still=self._still)
        yield Static("", classes="count")

    @property
    def field(self) -> LineInput:
        """The input."""
        return self.query_one(LineInput)

    def tell(self, shown: int, total: int, marked: int, order: str = "") -> None:
        """Say how many rows there are, and how they are sorted where the table can't show it."""
        words = count(total) if shown == total else f"{count(shown)} of {count(total)}"
        parts = [(f"● {marked} marked  ", STYLES[Tone.ACCENT])] if marked else []
        self.query_one(".count", Static).update(
            Content.assemble(*parts, (f"{order}  {words}" if order else words, STYLES[Tone.MUTED]))
        )

    @on(LineInput.Left)
    def clear(self, event: LineInput.Left) -> None:
        """``esc`` takes the filter away."""
        if event.given_up:
            self.field.value = ""
