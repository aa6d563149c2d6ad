"""The small messages that areas and dialogs post; the app owns what they lead to."""

from dataclasses import dataclass

from textual.message import Message

from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.format.tone import Tone


@dataclass(frozen=True)
class Target:
    """A place to go to: an area, the row in it, and the filter to set there (None: leave it)."""

    area: Area
    row: str | None = None
    filter_text: str | None = None
    query: SearchQuery | None = None
    """What to ask in Search, with all that narrows it."""


class Go(Message):
    """Go to a place; ``esc`` will come back."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target


class Say(Message):
    """A line for the person at the keyboard."""

    def __init__(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        super().__init__()
        self.text = text
        self.tone = tone
