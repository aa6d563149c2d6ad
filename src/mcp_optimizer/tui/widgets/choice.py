"""One of several, and yes or no: told by a mark in brackets, never by colour alone."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from mcp_optimizer.tui.guard import Guarded


class OneOf(Guarded, Widget, can_focus=True):
    """Lines of which one is chosen, with ``up`` and ``down``, ``space``, or a click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,space", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
    ]
    chosen: reactive[int] = reactive(0)

    def __init__(self, labels: Sequence[str], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.labels = tuple(labels)
        self.styles.height = len(self.labels)

    def render(self) -> Content:
        """``(●)`` before the one that is chosen."""
        lines = [
            Content.assemble(("(●) " if place == self.chosen else "( ) ", "$text-accent"), label)
            for place, label in enumerate(self.labels)
        ]
        if self.has_focus:
            lines[self.chosen] = lines[self.chosen].stylize("bold reverse")
        return Content("\n").join(lines)

    def action_move(self, by: int) -> None:
        """Another one."""
        self.chosen = (self.chosen + by) % len(self.labels)

    def on_click(self, event: events.Click) -> None:
        """The line that was clicked."""
        self.chosen = min(event.y, len(self.labels) - 1)


class YesNo(Guarded, Widget, can_focus=True):
    """A line that is checked or not, with ``space`` or a click."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "flip", show=False)]
    yes: reactive[bool] = reactive(False)

    def __init__(self, label: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.label = label
        self.styles.height = 1

    def render(self) -> Content:
        """``[x]`` when it is checked."""
        content = Content.assemble(("[x] " if self.yes else "[ ] ", "$text-accent"), self.label)
        return content.stylize("bold reverse") if self.has_focus else content

    def action_flip(self) -> None:
        """Check it, or not."""
        self.yes = not self.yes

    def on_click(self) -> None:
        """The same."""
        self.action_flip()
