"""What all dialogs have in common: a frame, a line of keys, and moving about with the keys of the lists."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from mcp_optimizer.text import one_line
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.guard import Guarded
from mcp_optimizer.tui.messages import Say
from mcp_optimizer.tui.widgets.footer import Footer, Hint


class Dialog[T](Guarded, ModalScreen[T]):
    """A frame over the screen. Its keys are its own; those of the lists reach what has the focus in it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]
    heading = ""
    hints: ClassVar[tuple[Hint, ...]] = (Hint("esc", "close", "dialog:close"),)
    awaited: ClassVar[frozenset[str]] = frozenset()
    """Groups of workers whose outcome decides what the next key means."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._is_dismissed = False

    def compose(self) -> ComposeResult:
        """Frame, body, keys."""
        with Vertical(classes="frame") as frame:
            frame.border_title = Content(one_line(self.heading))
            yield from self.body()
            footer = Footer(classes="hints")
            footer.hints = self.hints
            yield footer

    def body(self) -> ComposeResult:
        """What is inside."""
        yield Static("")

    def action_close(self) -> None:
        """Close, with nothing decided."""
        self.dismiss(None)

    def do_close(self) -> None:
        """The same, with the mouse."""
        self.action_close()

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close, with a result: once, whatever comes after."""
        if self._is_dismissed or not self.is_current:
            return AwaitComplete()
        self._is_dismissed = True
        return super().dismiss(result)

    def must_wait(self, key: str) -> bool:
        """Whether what the next key is about is still on its way."""
        return any(w.node is self and w.group in self.awaited and not w.is_finished for w in self.app.workers)

    def do_suspend(self) -> None:
        """Into the background, from here too."""
        self.app.action_suspend_process()

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Leave a line that is read when the dialog is gone."""
        self.app.post_message(Say(text, tone))

    def on_key(self, event: events.Key) -> None:
        """The keys of the lists work on what has the focus here, else on the dialog; a field takes its keys in turn."""
        if isinstance(self.focused, Input):
            return
        action = self.context.keymap.find(event.key, Area.RELATIONSHIPS) or self.context.keymap.find(
            event.key, Area.REGISTRY
        )
        if action is None:
            return
        for owner in (self.focused, self):
            handler = getattr(owner, f"do_{action.id}", None)
            if handler is not None:
                event.stop()
                event.prevent_default()
                handler()
                return
