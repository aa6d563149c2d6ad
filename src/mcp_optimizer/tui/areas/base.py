"""What all areas have in common."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.containers import Vertical

from mcp_optimizer.domain.models import Value
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.dialogs.copy import CopyDialog
from mcp_optimizer.tui.dialogs.json import JsonDialog
from mcp_optimizer.tui.dialogs.save import SaveOffer
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.guard import Guarded
from mcp_optimizer.tui.messages import Target
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.state.saved_state import ListState
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.table import Table

type StyledText = Sequence[tuple[str, Tone]]


class AreaView(Guarded, Vertical):
    """One area. It is told when the feed has news, and reads what it needs from there."""

    area: ClassVar[Area]
    needs: ClassVar[tuple[Resource, ...]] = ()
    labels: ClassVar[dict[str, str]] = {}
    """Footer words of actions that have a better one here."""

    def __init__(self, context: Context) -> None:
        super().__init__(id=self.area.value)
        self.context = context

    def update(self) -> None:
        """Show what the feed has now."""
        raise NotImplementedError

    def take_focus(self) -> None:
        """Focus what is worked with first."""
        raise NotImplementedError

    def enter(self) -> None:
        """A person has come here by its key: focus what is worked with first."""
        self.take_focus()

    def target(self) -> Target:
        """This place, so that it can be come back to."""
        return Target(self.area)

    def reveal(self, target: Target) -> None:
        """Show a place in this area, now or as soon as it is loaded."""

    def offers(self) -> list[SaveOffer]:
        """What can be exported from here."""
        return []

    def remember(self) -> dict[str, ListState]:
        """How its lists are left, by name."""
        return {}

    def recall(self, lists: Mapping[str, ListState]) -> None:
        """Put them back to how they were left the last time."""

    def needs_rows(self, key: str) -> bool:
        """Whether a key does something with what is listed here."""
        action = self.context.keymap.find(key, self.area)
        return action is not None and action.section not in {"Areas", "Program"} and action.id != "back"

    def must_wait(self, key: str) -> bool:
        """Whether a key would be lost if it came now, since nothing has been read yet."""
        feed = self.context.feed
        if self.context.opening_error is not None or not self.needs_rows(key):
            return False
        return self.context.service is None or any(r not in feed.values and r not in feed.errors for r in self.needs)

    def close(self) -> bool:
        """Leave what is open inside the area; False when nothing is."""
        return False

    def clear(self) -> bool:
        """Take away marks or filter; False when there are none."""
        return False

    def trouble(self) -> StyledText | None:
        """Why there is nothing to show yet: an error and what to do, or loading; None when all is there."""
        error = self.context.opening_error
        error = error or next((e for r in self.needs if (e := self.context.feed.errors.get(r)) is not None), None)
        missing = any(resource not in self.context.feed.values for resource in self.needs)
        if not missing:
            return None
        if error is None:
            return [("Loading …", Tone.MUTED)]
        words, remedy = safe.error_words(error)
        keys = self.context.keymap.named("reload")
        again = f"Press {keys.keys[0]} to try again." if keys and keys.keys else ""
        return [("✗ Could not be read", Tone.BAD), (words, Tone.PLAIN), (remedy, Tone.ACCENT), (again, Tone.MUTED)]


class DetailArea(AreaView):
    """An area with a list that is worked with, and one detail beside it (under it when narrow)."""

    @property
    def table(self) -> Table[Any]:
        """The list."""
        return self.query_one(Table)

    @property
    def pane(self) -> DetailPane:
        """The detail."""
        return self.query_one(DetailPane)

    @property
    def subject(self) -> Value | None:
        """What is copied, or shown as JSON."""
        row = self.table.rows.cursor_row
        return row if isinstance(row, Value) else None

    def take_focus(self) -> None:
        """The list."""
        self.screen.set_focus(self.table)

    def do_sort(self) -> None:
        """Sort by the next column."""
        self.table.do_sort()

    def do_sort_reverse(self) -> None:
        """Reverse the sort."""
        self.table.do_sort_reverse()

    def do_detail(self) -> None:
        """The detail alone, or beside the list again."""
        alone = not self.has_class("-detail-alone")
        self.set_class(alone, "-detail-alone")
        self.screen.set_focus(self.pane if alone else self.table)

    def do_json(self) -> None:
        """The whole row, as far as it is known."""
        if self.subject is not None:
            self.app.push_screen(JsonDialog(self.context, self.subject.model_dump(mode="json")))

    def do_copy(self) -> None:
        """Choose what to copy of it."""
        if self.subject is not None:
            self.app.push_screen(CopyDialog(self.context, self.subject.model_dump(mode="json")))

    def close(self) -> bool:
        """Leave the detail for the list; False when nobody is in it."""
        if self.has_class("-detail-alone"):
            self.do_detail()
        elif self.pane.has_focus:
            self.screen.set_focus(self.table)
        else:
            return False
        return True
