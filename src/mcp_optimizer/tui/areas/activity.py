"""Activity: ingestions, problems of single items, and the change log."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import ContentSwitcher, Static

from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.views import ChangeView, ProblemView, RunView
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.ages import count
from mcp_optimizer.tui.areas.base import AreaView
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.activity import entry_document
from mcp_optimizer.tui.dialogs.json import JsonDialog
from mcp_optimizer.tui.feed import Resource
from mcp_optimizer.tui.messages import Go, Target
from mcp_optimizer.tui.renderers.activity import change_renderer, problem_renderer, run_renderer
from mcp_optimizer.tui.tone import STYLES, Tone
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.line_input import FilterLine, LineInput
from mcp_optimizer.tui.widgets.table import Table

type Entry = RunView | ProblemView | ChangeView

_PANES = (Resource.RUNS, Resource.PROBLEMS, Resource.CHANGES)


class ActivityArea(AreaView):
    """Three lists that share a filter line and a detail."""

    area = Area.ACTIVITY
    needs = _PANES
    labels: ClassVar[dict[str, str]] = {"jump": "Server"}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.shown = Resource.RUNS

    def compose(self) -> ComposeResult:
        """Tabs, the lists, filter line, detail."""
        clock = self.context.clock
        yield Static(id="panes")
        with Container(classes="split"):
            with Vertical(classes="list"):
                with ContentSwitcher(initial=Resource.RUNS.value):
                    yield Table(run_renderer(clock), id=Resource.RUNS.value)
                    yield Table(problem_renderer(clock), id=Resource.PROBLEMS.value)
                    yield Table(change_renderer(clock), id=Resource.CHANGES.value)
                yield FilterLine(still=self.context.still)
            yield DetailPane()

    @property
    def table(self) -> Table:
        """The list that is shown."""
        return self.query_one(f"#{self.shown}", Table)

    @property
    def pane(self) -> DetailPane:
        """The detail."""
        return self.query_one(DetailPane)

    @property
    def field(self) -> LineInput:
        """The filter."""
        return self.query_one(FilterLine).field

    def take_focus(self) -> None:
        """The list."""
        self.table.focus()

    def update(self) -> None:
        """Show the lists of the feed, or why there are none."""
        trouble = self.trouble()
        feed = self.context.feed
        lists: dict[Resource, Sequence[Entry]] = {
            Resource.RUNS: feed.runs or (),
            Resource.PROBLEMS: feed.problems or (),
            Resource.CHANGES: feed.changes or (),
        }
        for resource, entries in lists.items():
            table = self.query_one(f"#{resource}", Table)
            table.say(trouble or _nothing(resource, filtered=bool(table.rows.filter_text)))
            table.put(entries)
        self._tell_panes()

    def do_pane(self) -> None:
        """The next list."""
        self.show_pane(_PANES[(_PANES.index(self.shown) + 1) % len(_PANES)])

    def show_pane(self, resource: Resource) -> None:
        """One of the lists."""
        had_focus = self.table.has_focus
        self.shown = resource
        self.query_one(ContentSwitcher).current = resource.value
        self.field.value = self.table.rows.filter_text
        self._tell_panes()
        self._show_entry()
        self._count()
        if had_focus:
            self.table.focus()

    def _tell_panes(self) -> None:
        tabs = []
        for resource in _PANES:
            number = len(self.query_one(f"#{resource}", Table).rows.all)
            style = "bold underline" if resource is self.shown else STYLES[Tone.MUTED]
            tab = Content.styled(f"{resource.value.capitalize()} {count(number)}", style)
            tabs.append(tab.stylize(Style.from_meta({"pane": resource.value})))
        self.query_one("#panes", Static).update(Content(" ") + Content("   ").join(tabs))

    # Events

    @on(events.Click, "#panes")
    def _pane_clicked(self, event: events.Click) -> None:
        name = event.style.meta.get("pane")
        if name:
            self.show_pane(Resource(name))

    @on(LineInput.Changed)
    def _filter_changed(self, event: LineInput.Changed) -> None:
        event.stop()
        self.table.filter_by(event.value)

    @on(LineInput.Left)
    def _filter_left(self) -> None:
        self.table.focus()

    @on(Table.Changed)
    def _count(self) -> None:
        rows = self.table.rows
        self.query_one(FilterLine).tell(len(rows.visible), len(rows.all), 0)

    @on(Table.Highlighted)
    def _show_entry(self) -> None:
        entry = self.table.rows.cursor_row
        key = self.table.rows.cursor_key
        clock = self.context.clock
        self.pane.show(key, (lambda width: entry_document(entry, clock, width)) if entry is not None else None)

    # Actions

    @on(Table.Activated)
    def do_jump(self) -> None:
        """To the registry server or workload that the entry is about."""
        entry = self.table.rows.cursor_row
        if isinstance(entry, ProblemView | ChangeView) and entry.entity in {"registry", "workload"}:
            area = Area.REGISTRY if entry.entity == "registry" else Area.WORKLOADS
            self.post_message(Go(Target(area, entry.name)))
        elif isinstance(entry, RunView):
            self.show_pane(Resource.PROBLEMS)

    def do_filter(self) -> None:
        """Type a filter."""
        self.field.focus()

    def do_sort(self) -> None:
        """Sort by the next column."""
        self.table.do_sort()

    def do_sort_reverse(self) -> None:
        """Turn the order round."""
        self.table.do_sort_reverse()

    def do_json(self) -> None:
        """The whole entry."""
        entry = self.table.rows.cursor_row
        if isinstance(entry, Value):
            self.app.push_screen(JsonDialog(self.context, entry.model_dump(mode="json")))

    def do_detail(self) -> None:
        """The detail alone, or beside the list again."""
        alone = not self.has_class("-detail-alone")
        self.set_class(alone, "-detail-alone")
        (self.pane if alone else self.table).focus()

    def target(self) -> Target:
        """The list that is shown, and its filter."""
        return Target(self.area, f"{self.shown}", self.field.value)

    def reveal(self, target: Target) -> None:
        """Show one of the lists."""
        if target.row in list(_PANES):
            self.show_pane(Resource(target.row))
        if target.filter_text is not None:
            self.field.value = target.filter_text

    def close(self) -> bool:
        """Leave the detail for the list."""
        if self.has_class("-detail-alone"):
            self.do_detail()
        elif self.pane.has_focus:
            self.table.focus()
        else:
            return False
        return True

    def clear(self) -> bool:
        """Take the filter away."""
        had = bool(self.field.value)
        self.field.value = ""
        return had


def _nothing(resource: Resource, *, filtered: bool) -> list[tuple[str, Tone]]:
    if filtered:
        return [("Nothing passes the filter.", Tone.PLAIN), ("esc in the filter (/) takes it away.", Tone.MUTED)]
    words = {
        Resource.RUNS: "No ingestion yet: press i.",
        Resource.PROBLEMS: "No open problems.",
        Resource.CHANGES: "Nothing has changed yet.",
    }
    return [(words[resource], Tone.PLAIN)]
