"""Help for an area, made from the list of actions."""

from collections.abc import Iterator
from itertools import groupby

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from mcp_optimizer.tui.actions import Action, Area, Keymap, key_words
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.base import Dialog
from mcp_optimizer.tui.format.tone import STYLES, Tone

_KEYS = 9
_COLUMN = 37
_TWO_COLUMNS = 80
"""Cells that the screen has where there are two columns."""
_PAIRS = (
    ("down", "up", "Next, previous; arrows too"),
    ("top", "bottom", "First, last row"),
    ("page_down", "page_up", "Half a page down, up"),
    ("expand", "collapse", "Open, close; arrows too"),
    ("sort", "sort_reverse", "Sort, reverse"),
    ("mark", "mark_all", "Mark one, all shown"),
    ("rematch", "rematch_all", "Re-match chosen, all"),
    ("link", "unlink", "Link, unlink by hand"),
)


class HelpDialog(Dialog[None]):
    """Every key that does something here."""

    def __init__(self, context: Context, area: Area) -> None:
        super().__init__(context)
        self.area = area
        self.heading = f"{area.label}: keys"

    def body(self) -> ComposeResult:
        """Two columns, or one where there is no room for two."""
        with VerticalScroll(classes="scroll"):
            yield Static(self._content(), id="keys")

    def on_resize(self) -> None:
        """One column or two."""
        self.query_one("#keys", Static).update(self._content())

    def _content(self) -> Content:
        return help_content(self.context.keymap, self.area, narrow=self.app.size.width < _TWO_COLUMNS)

    def do_down(self) -> None:
        """Scroll."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def do_up(self) -> None:
        """Scroll back."""
        self.query_one(VerticalScroll).scroll_up(animate=False)

    def do_page_down(self) -> None:
        """Scroll a page."""
        self.query_one(VerticalScroll).scroll_page_down(animate=False)

    def do_page_up(self) -> None:
        """Scroll a page back."""
        self.query_one(VerticalScroll).scroll_page_up(animate=False)

    def do_help(self) -> None:
        """The key that opened it closes it too."""
        self.dismiss(None)

    def do_quit(self) -> None:
        """``q`` closes the help, not the program."""
        self.dismiss(None)


def help_content(keymap: Keymap, area: Area, *, narrow: bool = False) -> Content:
    """Sections of keys in two columns of about the same height, and the filter language."""
    actions = [action for action in keymap.in_area(area) if action.id != "area"]
    blocks = [_block(name, list(group)) for name, group in groupby(actions, key=lambda action: action.section)]
    left: list[Content] = [_head("Areas"), _line(f"1–{len(Area)}", "Go to an area")]
    right: list[Content] = []
    for block in blocks:
        (left if narrow or len(left) <= len(right) else right).extend(block)
    rows = []
    for place in range(max(len(left), len(right))):
        one = left[place] if place < len(left) else Content("")
        two = right[place] if place < len(right) else Content("")
        rows.append(Content.assemble(one, " " * max(_COLUMN - one.cell_length, 1), two) if two else one)
    filters = "!not ~fuzzy /re/ field:value field:=exact a|b tools:>5 updated:<1d"
    rows.append(Content.assemble(("Filter  ", STYLES[Tone.ACCENT]), filters))
    return Content("\n").join(rows)


def _block(name: str, actions: list[Action]) -> list[Content]:
    return [_head(name), *(_line(keys, words) for keys, words in _lines(actions))]


def _lines(actions: list[Action]) -> Iterator[tuple[str, str]]:
    """Keys and words; what goes both ways is one line."""
    results = {action.id: action for action in actions}
    for first, second, _ in _PAIRS:
        if first in results and second in results:
            results.pop(second)
    for action in results.values():
        pair = next((pair for pair in _PAIRS if pair[0] == action.id), None)
        other = next((a for a in actions if pair and a.id == pair[1]), None)
        if pair and other:
            keys = [key_words(a.keys[-1] if len(a.keys[-1]) == 1 else a.keys[0]) for a in (action, other) if a.keys]
            yield " ".join(keys), pair[2]
        else:
            yield " ".join(key_words(key) for key in action.keys[:2]), action.help


def _head(name: str) -> Content:
    return Content.styled(name, STYLES[Tone.ACCENT])


def _line(keys: str, words: str) -> Content:
    return Content.assemble((keys.ljust(_KEYS), "bold"), words)
