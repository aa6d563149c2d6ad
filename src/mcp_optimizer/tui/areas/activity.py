"""Activity: ingestions, problems of single items, and the change log."""

from collections.abc import Mapping, Sequence
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
from mcp_optimizer.tui.dialogs.save import Offer, text_offer
from mcp_optimizer.tui.exports import as_json, table_markdown, text_markdown
from mcp_optimizer.tui.feed import Resource
from mcp_optimizer.tui.logbook import LEVELS, LogLine
from mcp_optimizer.tui.memory import ListState
from mcp_optimizer.tui.messages import Go, Target
from mcp_optimizer.tui.renderers.activity import change_renderer, problem_renderer, run_renderer
from mcp_optimizer.tui.renderers.log import log_renderer
from mcp_optimizer.tui.tone import STYLES, Tone
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.line_input import FilterLine, LineInput
from mcp_optimizer.tui.widgets.table import Table

type Entry = RunView | ProblemView | ChangeView | LogLine

_LISTS = (Resource.RUNS, Resource.PROBLEMS, Resource.CHANGES)
_LOG = "log"
_PANES = (*(resource.value for resource in _LISTS), _LOG)
_SOON = 0.5
"""Seconds between two looks into the log."""


class ActivityArea(AreaView):
    """Four lists that share a filter line and a detail."""

    area = Area.ACTIVITY
    needs = _LISTS
    labels: ClassVar[dict[str, str]] = {"jump": "Server"}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.shown: str = Resource.RUNS.value
        self.least = "info"
        self._log_seen = -1

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
                    yield Table(log_renderer(clock), id=_LOG)
                yield FilterLine(still=self.context.still)
            yield DetailPane()

    def on_mount(self) -> None:
        """Look into the log from time to time."""
        if not self.context.still:
            self.set_interval(_SOON, self._look_into_log)

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
        self._put_log()
        self._tell_panes()

    def _look_into_log(self) -> None:
        if self.display and self.context.logbook.taken != self._log_seen:
            self._put_log()
            self._tell_panes()

    def _put_log(self) -> None:
        self._log_seen = self.context.logbook.taken
        table = self.query_one(f"#{_LOG}", Table)
        table.say(_nothing(_LOG, filtered=bool(table.rows.filter_text)))
        table.put(self.context.logbook.lines(self.least))

    def do_level(self) -> None:
        """Show the log from the next level up."""
        self.least = LEVELS[(LEVELS.index(self.least) + 1) % len(LEVELS)]
        self.show_pane(_LOG)
        self._put_log()
        self._tell_panes()

    def do_pane(self) -> None:
        """The next list."""
        self.show_pane(_PANES[(_PANES.index(self.shown) + 1) % len(_PANES)])

    def show_pane(self, name: str) -> None:
        """One of the lists."""
        had_focus = self.table.has_focus
        self.shown = name
        self.query_one(ContentSwitcher).current = name
        self.field.value = self.table.rows.filter_text
        self._tell_panes()
        self._show_entry()
        self._count()
        if had_focus:
            self.table.focus()

    def _tell_panes(self) -> None:
        tabs = []
        for name in _PANES:
            number = len(self.query_one(f"#{name}", Table).rows.all)
            style = "bold underline" if name == self.shown else STYLES[Tone.MUTED]
            level = f" ({self.least} and up)" if name == self.shown == _LOG else ""
            tab = Content.styled(f"{name.capitalize()} {count(number)}", style) + Content.styled(level, "not underline")
            tabs.append(tab.stylize(Style.from_meta({"pane": name})))
        self.query_one("#panes", Static).update(Content(" ") + Content("   ").join(tabs))

    # Events

    @on(events.Click, "#panes")
    def _pane_clicked(self, event: events.Click) -> None:
        name = event.style.meta.get("pane")
        if name:
            self.show_pane(name)

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
            self.show_pane(Resource.PROBLEMS.value)

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

    def offers(self) -> list[Offer]:
        """The list that is shown, and the entry under the cursor."""
        rows, name = self.table.rows, self.shown
        found = [
            text_offer(
                f"the list ({name}) as Markdown",
                f"{name}.md",
                lambda: table_markdown(name.capitalize(), rows.renderer, rows.visible),
            ),
            text_offer(f"the list ({name}) as JSON", f"{name}.json", lambda: as_json(rows.visible)),
        ]
        entry = rows.cursor_row
        if isinstance(entry, Value):
            text = self.pane.text
            found.append(text_offer("the detail as Markdown", "entry.md", lambda: text_markdown(name, text)))
            found.append(text_offer("the detail as JSON", "entry.json", lambda: as_json(entry)))
        return found

    def remember(self) -> dict[str, ListState]:
        """Each list, and which is shown."""
        lists = {name: self.query_one(f"#{name}", Table).rows for name in _PANES}
        states = {f"activity.{name}": ListState.of(rows.filter_text, rows.sort) for name, rows in lists.items()}
        return {**states, "activity": ListState(chosen=self.shown)}

    def recall(self, lists: Mapping[str, ListState]) -> None:
        """The same, put back."""
        for name in _PANES:
            if state := lists.get(f"activity.{name}"):
                table = self.query_one(f"#{name}", Table)
                table.filter_by(state.filter)
                table.sort_by(state.order)
        chosen = lists.get("activity", ListState()).chosen
        self.show_pane(chosen if chosen in _PANES else self.shown)

    def target(self) -> Target:
        """The list that is shown, and its filter."""
        return Target(self.area, f"{self.shown}", self.field.value)

    def reveal(self, target: Target) -> None:
        """Show one of the lists."""
        if target.row in _PANES:
            self.show_pane(target.row)
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


def _nothing(name: str, *, filtered: bool) -> list[tuple[str, Tone]]:
    if filtered:
        return [("Nothing passes the filter.", Tone.PLAIN), ("esc in the filter (/) takes it away.", Tone.MUTED)]
    words: dict[str, str] = {
        Resource.RUNS: "No ingestion yet: press i.",
        Resource.PROBLEMS: "No open problems.",
        Resource.CHANGES: "Nothing has changed yet.",
        _LOG: "Nothing has been logged of this level.",
    }
    return [(words[name], Tone.PLAIN)]
