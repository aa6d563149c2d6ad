"""The one line at the bottom: the keys that matter for what has the focus."""

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from mcp_optimizer.tui.widgets.clickable import Clickable

_GAP = 2
"""Blanks after each hint."""
_CUT = "…"


@dataclass(frozen=True)
class Hint:
    """A key and what it does. ``action`` makes it something to click on."""

    key: str
    label: str
    action: str = ""


class Footer(Clickable):
    """Hints from the left, most important first, as many as fit."""

    hints: reactive[tuple[Hint, ...]] = reactive(())

    def render(self) -> Content:
        """As many hints as there is room for; a sign at the end where that is not all."""
        contents = [self._hint(hint) for hint in self.hints]
        room = self.size.width - 1
        if sum(content.cell_length for content in contents) <= room + _GAP:
            return Content(" ") + Content("").join(contents)
        room -= len(_CUT)
        shown: list[Content] = []
        for content in contents:
            if content.cell_length - _GAP > room:
                break
            room -= content.cell_length
            shown.append(content)
        return Content(" ") + Content("").join(shown) + Content.styled(_CUT, "$foreground-muted")

    def _hint(self, hint: Hint) -> Content:
        content = Content.assemble((hint.key, "bold $text-accent"), f" {hint.label}", "  ")
        return content.stylize(Style.from_meta({"perform": hint.action})) if hint.action else content
