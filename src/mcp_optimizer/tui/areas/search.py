"""Search: the right tool for a task, and why it was found."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from mcp_optimizer.domain.views import WEAK_WORDS, Scope, SearchHit, SearchQuery, are_weak
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.base import StyledText
from mcp_optimizer.tui.areas.table_area import ReadRow, TableArea
from mcp_optimizer.tui.context import Context
from mcp_optimizer.tui.details.document import Lines
from mcp_optimizer.tui.details.hit import hit_document
from mcp_optimizer.tui.details.why import why_document
from mcp_optimizer.tui.dialogs.choose import ChooseDialog
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.columns import Renderer
from mcp_optimizer.tui.format.tone import STYLES, Tone
from mcp_optimizer.tui.messages import Go, Say, Target
from mcp_optimizer.tui.renderers.hits import hit_key, hit_renderer
from mcp_optimizer.tui.state.choices import searched_servers, tools_of
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.state.saved_state import ListState
from mcp_optimizer.tui.widgets.detail import DetailPane
from mcp_optimizer.tui.widgets.footer import Hint
from mcp_optimizer.tui.widgets.line_input import AreaInput, LineInput
from mcp_optimizer.tui.widgets.table import Table

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

_HINTS = (
    Hint("↵", "to the results"),
    Hint("esc", "leave"),
    Hint("F2", "scope"),
    Hint("F3", "status"),
    Hint("F4", "group"),
)
_BELOW = 20
"""Hits that are shown below those an agent was given."""
_SCOPES = tuple(Scope)
_STATUSES: tuple[str | None, ...] = ("running", None)


class SearchArea(TableArea[SearchHit]):
    """A query, its results, and the tool under the cursor."""

    area = Area.SEARCH
    needs = (Resource.GROUPS,)
    labels: ClassVar[dict[str, str]] = {"jump": "Server", "filter": "Query"}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.query_filters = SearchQuery(text="")
        self.hits: tuple[SearchHit, ...] | None = None
        self.returned: int | None = None
        """How many of the hits an agent was given, where it is its query that is asked again (Q5)."""
        self.searched_tokens = 0
        """Tokens of all tools that scope and filters let through."""
        self.error: BaseException | None = None
        self._found_for: SearchQuery | None = None
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """The query, its filters, results, detail."""
        with Horizontal(id="query"):
            yield Static("›", classes="sign")
            yield AreaInput(
                placeholder="what should a tool do?", hints=_HINTS, still=self.context.still, id="query-text"
            )
        yield Static(id="query-filters")
        with Container(classes="split"):
            with Vertical(classes="list"):
                yield Table(self.renderer())
                yield Static(id="tokens")
            yield DetailPane()

    def on_mount(self) -> None:
        """Say what is searched."""
        self._tell_filters()

    @property
    def field(self) -> LineInput:
        """Where the query is typed."""
        return self.query_one("#query-text", LineInput)

    def renderer(self) -> Renderer[SearchHit]:
        """Tools that were found."""
        return hit_renderer(self._was_returned)

    def _was_returned(self, hit: SearchHit) -> bool:
        """Whether the agent was given the hit; a person is given every one that is shown."""
        return self.returned is None or hit in (self.hits or ())[: self.returned]

    def rows(self) -> Sequence[SearchHit]:
        """What was found last."""
        return self.hits or ()

    def update(self) -> None:
        """The catalog may have changed: search again."""
        self._tell_filters()
        self._say()
        if self.field.value and self.context.service is not None:
            self._start()

    def take_focus(self) -> None:
        """The results; a query is typed after its key, so that the keys of the areas work here too."""
        self.screen.set_focus(self.table)

    def must_wait(self, key: str) -> bool:
        """Whether hits are still on their way."""
        request = self._timer is not None or any(
            w.node is self and w.group == "search" and not w.is_finished for w in self.app.workers
        )
        return super().must_wait(key) or (request and self.needs_rows(key))

    def do_filter(self) -> None:
        """Type another query in place of the one that stands there."""
        self.field.enter()
        self.field.select_all()

    # Searching

    @on(LineInput.Changed, "#query-text")
    def _query_changed(self) -> None:
        if _is_agents(self.query_filters):  # another text is a person's own query
            self._ask_as_person()
        if self._timer is not None:
            self._timer.stop()
        if self.context.search_delay:
            self._timer = self.set_timer(self.context.search_delay, self._start)
        else:
            self._start()

    @on(LineInput.Left, "#query-text")
    def _query_left(self) -> None:
        self.screen.set_focus(self.table)

    def _start(self) -> None:
        self._timer = None
        text = self.field.value.strip()
        self.query_filters = self.query_filters.model_copy(update={"text": text})
        service = self.context.service
        if service is None:
            return
        if not text:
            self.workers.cancel_group(self, "search")
            self._found(None)
            return
        self.run_worker(
            partial(_answer, service, self.query_filters.model_copy(update={"compare": True})),
            name=text,
            group="search",
            exclusive=True,
            exit_on_error=False,
        )
        self._say()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what was found, or why nothing could be."""
        if event.worker.group == "why":
            self._why_answered(event.worker)
            return
        if event.worker.group != "search" or event.worker.name != self.query_filters.text:
            return
        if event.state is WorkerState.SUCCESS:
            hits, tokens, returned = event.worker.result or (None, 0, None)
            self._found(hits, tokens, returned=returned)
        elif event.state is WorkerState.ERROR:
            self._found(None, error=event.worker.error)

    def _found(
        self,
        hits: tuple[SearchHit, ...] | None,
        searched_tokens: int = 0,
        *,
        returned: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        self.hits, self.searched_tokens, self.returned, self.error = hits, searched_tokens, returned, error
        again, self._found_for = self.query_filters != self._found_for, self.query_filters
        if again:  # another question: its best answer first
            self.table.rows.sort_by(None)
        self.table.put(hits or ())
        if again:
            self.table.do_top()
        self._say()

    def _say(self) -> None:
        self.table.say(self.empty())
        self.query_one("#tokens", Static).update(self._tokens())

    def empty(self) -> StyledText:
        """Nothing asked, being asked, nothing found, or an error."""
        if self.error is not None:
            words, remedy = safe.error_words(self.error)
            return [("✗ The search failed", Tone.BAD), (words, Tone.PLAIN), (remedy, Tone.ACCENT)]
        if not self.query_filters.text:
            key = self.context.keymap.words_for("filter")
            return [
                (f"Press {key} and type what a tool should do, or its name.", Tone.PLAIN),
                ("Found by meaning and by words, both ranked; an exact name comes first.", Tone.MUTED),
            ]
        if self.hits is None:
            return [("Searching …", Tone.MUTED)]
        wider = "Only running workloads are searched: t widens that, o the scope." if self.query_filters.status else ""
        return [("No tool was found.", Tone.PLAIN), (wider, Tone.MUTED), ("w says why one is not.", Tone.MUTED)]

    def _tokens(self) -> Content:
        if not self.hits:
            return Content("")
        hits = self.hits[: self.returned]
        returned = sum(hit.tokens for hit in hits)
        whole = self.searched_tokens
        share = f" of {count(whole)} that all tools searched cost ({100 * returned / whole:.1f}%)" if whole else ""
        weak = Content.styled(f" ⚠ {WEAK_WORDS} ·", STYLES[Tone.WARN]) if are_weak(self.hits) else Content("")
        below = f"; not returned: {len(self.hits) - len(hits)} below" if self.returned is not None else ""
        moved = sum(hit.moved for hit in hits)
        learned = f" · {moved} places learned from use" if moved else ""
        words = f" {len(hits)} tools, {count(returned)} tokens{share}{below}{learned}"
        return weak + Content.styled(words, STYLES[Tone.MUTED])

    # Filters

    def do_scope(self) -> None:
        """Workloads, registry, both."""
        self._refilter(scope=_after(_SCOPES, self.query_filters.scope))

    def do_status(self) -> None:
        """Running workloads, any."""
        self._refilter(status=_after(_STATUSES, self.query_filters.status))

    def do_plain(self) -> None:
        """With what was learned from use, or without."""
        self._refilter(plain=not self.query_filters.plain)

    def do_group(self) -> None:
        """Any group, each group."""
        self._refilter(group=_after((None, *self.context.feed.groups), self.query_filters.group))

    def _refilter(self, **change: object) -> None:
        self.query_filters = self.query_filters.model_copy(update=change)
        self._tell_filters()
        self._start()

    def _ask_as_person(self) -> None:
        query = self.query_filters
        self.query_filters = SearchQuery(text=query.text, scope=query.scope, group=query.group, status=query.status)
        self._tell_filters()

    def _tell_filters(self) -> None:
        query = self.query_filters
        scope = {Scope.WORKLOAD: "workloads", Scope.REGISTRY: "registry", Scope.ALL: "both"}[query.scope]
        parts = [
            ("scope", scope, "scope"),
            ("status", query.status or "any", "status"),
            ("group", query.group or "any", "group"),
            *([("order", "plain", "plain")] if query.plain else []),
        ]
        words = [self._filter_words(label, value, action) for label, value, action in parts]
        if query.keywords:
            words.append(Content.assemble(("keywords ", STYLES[Tone.MUTED]), safe.line(query.keywords)))
        if query.visibility is not None:
            words.append(Content.assemble(("as the agent ", STYLES[Tone.MUTED]), safe.line(_agent_words(query))))
        self.query_one("#query-filters", Static).update(Content(" ") + Content("   ").join(words))

    def _filter_words(self, label: str, value: str, action_id: str) -> Content:
        action = self.context.keymap.named(action_id)
        key = action.keys[0] if action and action.keys else ""
        return Content.assemble((f"{key} ", "bold $text-accent"), (f"{label} ", STYLES[Tone.MUTED]), safe.line(value))

    def remember(self) -> dict[str, ListState]:
        """Scope and status; what was asked, and how its answer was sorted, is not kept."""
        query = self.query_filters
        return {self.area: ListState.of(query.status or "", None, query.scope)}

    def recall(self, lists: Mapping[str, ListState]) -> None:
        """The same, put back."""
        state = lists.get(self.area)
        if state is not None:
            scope = Scope(state.chosen) if state.chosen in _SCOPES else Scope.WORKLOAD
            self.query_filters = self.query_filters.model_copy(update={"scope": scope, "status": state.filter or None})
            self._tell_filters()

    # Results

    def read_detail(self, row: SearchHit) -> ReadRow | None:
        """A hit knows everything already."""
        return None

    def document(self, value: SearchHit, width: int) -> Lines:
        """The tool and why it was found."""
        return hit_document(value, width)

    def target(self) -> Target:
        """The query and the result under the cursor."""
        row = self.row
        return Target(self.area, self.row_name(row) if row else None, self.field.value)

    def reveal(self, target: Target) -> None:
        """Ask the query again unless it is what is shown."""
        if target.query is not None:
            self._ask(target.query)
            return
        if target.filter_text is not None and target.filter_text != self.field.value:
            self.field.value = target.filter_text
        if target.row is not None:
            self.table.move_to(target.row)

    def _ask(self, query: SearchQuery) -> None:
        """Ask what someone else asked, just as they did."""
        self.query_filters = query
        with self.prevent(LineInput.Changed):
            self.field.value = query.text
        self.hits = None
        self._tell_filters()
        self._start()
        self.screen.set_focus(self.table)

    def do_jump(self) -> None:
        """To the server of the tool."""
        hit = self.row
        if hit is not None:
            area = Area.REGISTRY if hit.scope is Scope.REGISTRY else Area.WORKLOADS
            self.post_message(Go(Target(area, hit.server)))

    def do_explain(self) -> None:
        """To why the tool's workload inherits from what it does."""
        hit = self.row
        if hit is not None:
            what = "server" if hit.scope is Scope.REGISTRY else "workload"
            self.post_message(Go(Target(Area.RELATIONSHIPS, f"{what}:{hit.server}", "")))

    def do_why(self) -> None:
        """Why a tool that was expected is not there: a person names its server, then the tool."""
        service, query = self.context.service, self.query_filters
        if service is None:
            return
        if not query.text:
            self.post_message(Say("Type a query first.", Tone.MUTED))
            return

        def tool_named(server: str, tool: str | None) -> None:
            if tool is not None:
                asking = partial(service.search_why, query, server, tool)
                self.run_worker(asking, name="why", group="why", exclusive=True, exit_on_error=False)

        def server_named(server: str | None) -> None:
            if server is not None:
                read = partial(tools_of, service, query.scope, server)
                self.app.push_screen(
                    ChooseDialog(self.context, f"Which tool of {server} did you expect?", read),
                    partial(tool_named, server),
                )

        read = partial(searched_servers, service, query.scope)
        self.app.push_screen(
            ChooseDialog(self.context, "Of which server is the tool you expected?", read), server_named
        )

    def _why_answered(self, worker: Worker) -> None:
        if worker.state is WorkerState.ERROR:
            self.post_message(Say(f"✗ {safe.error_line(worker.error)}", Tone.BAD))
        elif worker.result is not None:
            answer, query, keymap = worker.result, self.query_filters.text, self.context.keymap
            self.pane.show("why", lambda width: why_document(answer, query, width, keymap))
            self.screen.set_focus(self.pane)

    def close(self) -> bool:
        """Leave the detail; an answer to why gives way to the hit under the cursor."""
        left = super().close()
        if left:
            self._row_highlighted()
        return left


async def _answer(service: "DataService", query: SearchQuery) -> tuple[tuple[SearchHit, ...], int, int | None]:
    """What was found, the tokens of all that was searched, and how many of the hits an agent is given (Q5).

    An agent's query is asked with its own limit first: asked deeper, the order could be another.
    """
    counted = await service.search_counted(query)
    hits = counted.hits
    if query.visibility is None:
        return tuple(hits), counted.baseline_tokens, None
    deeper = await service.search(query.model_copy(update={"limit": min(query.limit + _BELOW, 200)}))
    given = {hit_key(hit) for hit in hits}
    below = [hit for hit in deeper if hit_key(hit) not in given]
    return (*hits, *below), counted.baseline_tokens, len(hits)


def _is_agents(query: SearchQuery) -> bool:
    """Whether it is asked as an agent asked it."""
    return query.visibility is not None or bool(query.keywords)


def _agent_words(query: SearchQuery) -> str:
    """The limits that an agent's query was asked with."""
    words = [f"at most {query.limit}"]
    if query.max_distance is not None:
        words.append(f"distance up to {query.max_distance:g}")
    seen = query.visibility
    if seen is not None and seen.groups is not None:
        words.append(f"groups {', '.join(sorted(seen.groups)) or 'none'}")
    if seen is not None and seen.skipped:
        words.append(f"without {', '.join(seen.skipped)}")
    return "; ".join(words)


def _after[V](values: Sequence[V], present: V) -> V:
    """The value after the present one, round and round."""
    place = values.index(present) + 1 if present in values else 0
    return values[place % len(values)]
