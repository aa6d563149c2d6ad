"""Activity: ingestions, problems, changes, running servers and what they were asked, and the log."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import ContentSwitcher, Static

from mcp_optimizer.domain.search.queries import QueryView
from mcp_optimizer.domain.serving.presence import ServerView
from mcp_optimizer.domain.views import ChangeView, ProblemView, RunView, Scope
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.base import DetailArea
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.activity import Entry, entry_document
from mcp_optimizer.tui.details.serving import hit_words
from mcp_optimizer.tui.dialogs.check import CheckDialog
from mcp_optimizer.tui.dialogs.choose import Choice, ChooseDialog
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.dialogs.save import SaveDialog, SaveOffer, text_offer
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.exports import as_json, table_markdown, text_markdown
from mcp_optimizer.tui.format.tone import STYLES, Tone
from mcp_optimizer.tui.messages import Go, Say, Target
from mcp_optimizer.tui.renderers.activity import change_renderer, problem_renderer, run_renderer
from mcp_optimizer.tui.renderers.log import log_renderer
from mcp_optimizer.tui.renderers.serving import query_renderer, server_renderer
from mcp_optimizer.tui.state.confirmable_actions import reindex
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.state.log_buffer import LEVELS
from mcp_optimizer.tui.state.saved_state import ListState
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.line_input import FilterLine, LineInput
from mcp_optimizer.tui.widgets.table import Table

_LISTS = (Resource.RUNS, Resource.PROBLEMS, Resource.CHANGES, Resource.QUERIES)
_SERVERS = "servers"
_LOG = "log"
_PANES = (
    Resource.RUNS.value,
    Resource.PROBLEMS.value,
    Resource.CHANGES.value,
    _SERVERS,
    Resource.QUERIES.value,
    _LOG,
)
_REFRESH_SECONDS = 0.5
"""Seconds between two looks into the log."""


class ActivityArea(DetailArea):
    """Six lists that share a filter line and a detail."""

    area = Area.ACTIVITY
    needs = (Resource.OVERVIEW, *_LISTS)
    labels: ClassVar[dict[str, str]] = {"jump": "Server"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "step_pane(1)", show=False),
        Binding("shift+tab", "step_pane(-1)", show=False),
    ]

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
                    yield Table(server_renderer(clock), id=_SERVERS)
                    yield Table(query_renderer(clock), id=Resource.QUERIES.value)
                    yield Table(log_renderer(clock), id=_LOG)
                yield FilterLine(still=self.context.still)
            yield DetailPane()

    def on_mount(self) -> None:
        """Look into the log from time to time."""
        if not self.context.still:
            self.set_interval(_REFRESH_SECONDS, self._look_into_log)

    @property
    def table(self) -> Table:
        """The list that is shown."""
        return self.query_one(f"#{self.shown}", Table)

    @property
    def field(self) -> LineInput:
        """The filter."""
        return self.query_one(FilterLine).field

    def update(self) -> None:
        """Show the lists of the feed, or why there are none."""
        trouble = self.trouble()
        feed = self.context.feed
        lists: dict[str, Sequence[Entry]] = {
            Resource.RUNS: feed.runs or (),
            Resource.PROBLEMS: feed.problems or (),
            Resource.CHANGES: feed.changes or (),
            _SERVERS: feed.overview.servers if feed.overview else (),
            Resource.QUERIES: feed.queries or (),
        }
        for name, entries in lists.items():
            table = self.query_one(f"#{name}", Table)
            table.say(trouble or _nothing(name, filtered=bool(table.rows.filter_text)))
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

    def action_step_pane(self, by: int) -> None:
        """The next or the previous list."""
        (self.do_pane if by > 0 else self.do_pane_back)()

    def do_level(self) -> None:
        """Show the log from the next level up."""
        self.least = LEVELS[(LEVELS.index(self.least) + 1) % len(LEVELS)]
        self.show_pane(_LOG)
        self._put_log()
        self._tell_panes()

    def do_pane(self) -> None:
        """The next list."""
        self.show_pane(_PANES[(_PANES.index(self.shown) + 1) % len(_PANES)])

    def do_pane_back(self) -> None:
        """The list before."""
        self.show_pane(_PANES[_PANES.index(self.shown) - 1])

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
            self.screen.set_focus(self.table)

    def _tell_panes(self) -> None:
        tabs = []
        for name in _PANES:
            number = len(self.query_one(f"#{name}", Table).rows.all)
            style = "bold underline" if name == self.shown else STYLES[Tone.MUTED]
            level = f" ≥{self.least}" if name == self.shown == _LOG else ""
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
        self.table.say(self.trouble() or _nothing(self.shown, filtered=bool(event.value)))

    @on(LineInput.Left)
    def _filter_left(self) -> None:
        self.screen.set_focus(self.table)

    @on(Table.Changed)
    def _count(self) -> None:
        rows = self.table.rows
        self.query_one(FilterLine).tell(len(rows.visible), len(rows.all), 0, self.table.order)

    @on(Table.Highlighted)
    def _show_entry(self) -> None:
        entry = self.table.rows.cursor_row
        key = self.table.rows.cursor_key
        clock, keymap = self.context.clock, self.context.keymap
        build = (lambda width: entry_document(entry, clock, width, keymap)) if entry is not None else None
        self.pane.show(key, build)

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
        elif isinstance(entry, ServerView):
            self.show_pane(Resource.QUERIES.value)
        elif isinstance(entry, QueryView):
            self._jump_to_hit(entry)

    def _jump_to_hit(self, query: QueryView) -> None:
        """To the server of a tool that was returned; a person chooses among several."""
        choices = [
            Choice(str(place), hit.tool, hit.server, hit_words(hit), Tone.ACCENT)
            for place, hit in enumerate(query.hits)
        ]

        async def read() -> Sequence[Choice]:
            return choices

        def chosen(key: str | None) -> None:
            if key is not None:
                hit = query.hits[int(key)]
                area = Area.REGISTRY if hit.scope is Scope.REGISTRY else Area.WORKLOADS
                self.post_message(Go(Target(area, hit.server)))

        if not choices:
            self.post_message(Say("Nothing was returned: e asks the query again in Search.", Tone.MUTED))
        elif len(choices) == 1:
            chosen("0")
        else:
            self.app.push_screen(ChooseDialog(self.context, "Which tool that was returned?", read), chosen)

    def do_ask(self) -> None:
        """Ask the query under the cursor in Search, with its keywords and where it was asked."""
        entry = self.table.rows.cursor_row
        if isinstance(entry, QueryView) and self.shown == Resource.QUERIES:
            self.post_message(Go(Target(Area.SEARCH, None, entry.text, entry.search_query())))
        else:
            self.show_pane(Resource.QUERIES.value)

    def do_check(self) -> None:
        """Look at the whole database."""
        if self.context.service is not None:
            self.app.push_screen(CheckDialog(self.context, self.context.service))

    def do_reindex(self) -> None:
        """Rebuild the search index, after a look at them."""
        if self.context.service is not None:
            self.app.push_screen(ConfirmDialog(self.context, reindex(self.context.service)))

    def do_backup(self) -> None:
        """A copy of the database, compared with it."""
        service = self.context.service
        if service is None:
            return

        async def save(path: Path) -> str:
            report = await service.backup(path)
            return f"{count(report.rows)} rows, compared and the same"

        offer = SaveOffer("the database", "mcp-optimizer-backup.db", save)
        self.app.push_screen(SaveDialog(self.context, "Back up the database", [offer]))

    def do_filter(self) -> None:
        """Type a filter."""
        self.field.enter()

    def offers(self) -> list[SaveOffer]:
        """The list that is shown, and the entry under the cursor."""
        rows, name = self.table.rows, self.shown
        results = [
            text_offer(
                f"the list ({name}) as Markdown",
                f"{name}.md",
                lambda: table_markdown(name.capitalize(), rows.renderer, rows.visible),
            ),
            text_offer(f"the list ({name}) as JSON", f"{name}.json", lambda: as_json(rows.visible)),
        ]
        subject = self.subject
        if subject is not None:
            text = self.pane.text
            results.append(text_offer("the detail as Markdown", "entry.md", lambda: text_markdown(name, text)))
            results.append(text_offer("the detail as JSON", "entry.json", lambda: as_json(subject)))
        return results

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

    def clear(self) -> bool:
        """Take the filter away."""
        had = bool(self.field.value)
        self.field.value = ""
        return had


def _nothing(name: str, *, filtered: bool) -> list[tuple[str, Tone]]:
    if filtered:
        return [("No matches.", Tone.PLAIN), ("Esc clears the filter.", Tone.MUTED)]
    words: dict[str, str] = {
        Resource.RUNS: "No ingestion yet: press i.",
        Resource.PROBLEMS: "No open problems.",
        Resource.CHANGES: "Nothing has changed yet.",
        _SERVERS: "No MCP server runs on this database: mcp-optimizer serve starts one.",
        Resource.QUERIES: "No agent has asked anything yet.",
        _LOG: "Nothing has been logged of this level.",
    }
    return [(words[name], Tone.PLAIN)]
