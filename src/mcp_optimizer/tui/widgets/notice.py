"""A line above the footer for what has just happened or is going on; it takes no room while it has nothing to say."""

from textual.content import Content
from textual.widgets import Static

from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import STYLES, Tone
from mcp_optimizer.tui.guard import Guarded

_BAR = 16


class Notice(Guarded, Static):
    """The last message, until there is another or it is cleared."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("", id=id)
        self.display = False
        self.said = ""

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Show a message; an empty one hides the line."""
        self.said = text
        self.update(safe.line(text, tone))
        self.display = bool(text)

    def progress(self, words: str, done: int, total: int, ends: str) -> None:
        """Show how far something is: a bar where the total is known, and which key stops it."""
        filled = min(_BAR, _BAR * done // total) if total > 0 else 0
        bar = ("━" * filled, STYLES[Tone.ACCENT]), ("─" * (_BAR - filled) + "  ", STYLES[Tone.MUTED])
        self.said = words
        self.update(Content.assemble(*bar, safe.line(words), (f"  {ends}", STYLES[Tone.MUTED])))
        self.display = True
