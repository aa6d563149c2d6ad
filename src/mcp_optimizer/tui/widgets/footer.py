"""The one line at the bottom: the keys that matter for what has the focus."""

from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style

from mcp_optimizer.tui.widgets.clickable import Clickable


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
        """As many hints as there is room for."""
        room = self.size.width - 1
        shown: list[Content] = []
        for hint in self.hints:
            content = self._hint(hint)
            if content.cell_length > room:
                break
            room -= content.cell_length
            shown.append(content)
        return Content(" ") + Content("").join(shown)

    def _hint(self, hint: Hint) -> Content:
        content = Content.assemble((hint.key, "bold $text-accent"), f" {hint.label}", "  ")
        return content.stylize(Style.from_meta({"perform": hint.action})) if hint.action else content
