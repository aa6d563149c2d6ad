"""A list with a detail beside it (under it when narrow): what is done with either is the same whatever they show."""

from typing import Any

from mcp_optimizer.domain.models import Value
from mcp_optimizer.tui.areas.base import AreaView
from mcp_optimizer.tui.dialogs.copy import CopyDialog
from mcp_optimizer.tui.dialogs.json import JsonDialog
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.table import Table


class DetailArea(AreaView):
    """An area with a list that is worked with, and one detail."""

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
        """Turn the order round."""
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
