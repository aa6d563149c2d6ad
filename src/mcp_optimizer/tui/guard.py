"""A mistake in a handler is told and logged; it ends neither the screens nor the widget it happened in."""

from typing import Any

from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen


class Guarded(MessagePump):
    """What handles messages of its own: areas, dialogs, screens, widgets and the app."""

    async def _dispatch_message(self, message: Message) -> None:
        """Handle a message; Textual ends a message loop, and with it the program, at the first exception."""
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the screens stay
            self.app._handle_exception(error)


class GuardedScreen(Guarded, Screen[Any]):
    """The screen under all dialogs."""
