"""Relationships: what inherits from what, and beside it why."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.worker import Worker, WorkerState

from mcp_optimizer.domain.matching import Explanation
from mcp_optimizer.domain.models import Value
from mcp_optimizer.domain.views import RegistryServerView, WorkloadView
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.base import StyledText
from mcp_optimizer.tui.areas.relating import RelatingArea
from mcp_optimizer.tui.areas.table_area import ReadRow
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.details.explanation import explanation_document
from mcp_optimizer.tui.details.registry import registry_document
from mcp_optimizer.tui.format.columns import Renderer, Sort
from mcp_optimizer.tui.format.filter import Filter, parse
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Go, Say, Target
from mcp_optimizer.tui.renderers.workloads import workload_renderer
from mcp_optimizer.tui.state.advice_preview import tried
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.state.outline import Line, Relationships, opened_at_first, outline_renderer
from mcp_optimizer.tui.widgets.table import Table


class RelationshipsArea(RelatingArea[Line]):
    """An outline of registry servers and workloads, with Explain for the one under the cursor."""

    area = Area.RELATIONSHIPS
    needs = (Resource.REGISTRY, Resource.WORKLOADS)
    labels: ClassVar[dict[str, str]] = {"jump": "Go to", "explain": "Read"}

    trials: tuple[str, dict[str, str]] = ("", {})
    """The workload that was tried last, and what each way on would do to it."""
    relationships: Relationships | None = None
    opened: set[str] | None = None
    filter = Filter()
    _sort: Sort | None = None

    def renderer(self) -> Renderer[Line]:
        """Lines of the outline."""
        return outline_renderer()

    def rows(self) -> Sequence[Line]:
        """The lines that are open."""
        feed = self.context.feed
        before = self.relationships.by_server if self.relationships else {}
        self.relationships = Relationships.of(feed.registry or (), feed.workloads or ())
        if self.opened is not None:  # what was linked meanwhile stands open, as all did at first
            self.opened |= {f"linked/{name}" for name in self.relationships.by_server if name not in before}
        if self.opened is None and self.relationships.groups:
            self.opened = opened_at_first(self.relationships)
            self._wanted = self._wanted or self._first()
        return self._lines()

    def _first(self) -> str | None:
        """The first workload or server: the head of a group tells little."""
        return next((self.row_name(line) for line in self._lines() if line.depth), None)

    def _lines(self) -> Sequence[Line]:
        if self.relationships is None:
            return ()
        self._sort = self.table.rows.sort
        workloads = workload_renderer(self.context.clock)
        return self.relationships.lines(self.opened or set(), self.filter, workloads, self._sort)

    @on(Table.Changed)
    def _order_changed(self) -> None:
        """Lines are sorted here, below what they stand under."""
        if self.table.rows.sort != self._sort:
            self.table.put(self._lines())

    def empty(self) -> StyledText:
        """How to get some."""
        if self.filter:
            return [("No matches.", Tone.PLAIN), ("Esc clears the filter.", Tone.MUTED)]
        way = "The database is read-only." if self.context.read_only else "Press i to ingest registry and workloads."
        return [("No registry servers and no workloads yet.", Tone.STRONG), (way, Tone.PLAIN)]

    def apply_filter(self, text: str) -> None:
        """Filter workloads and servers, and keep what they stand under."""
        self.filter = parse(text, workload_renderer(self.context.clock).field_names)
        self.table.rows.filter_text = text
        self.table.put(self._lines())
        self._say_why_empty(self.trouble())

    def row_name(self, row: Line) -> str:
        """``workload:NAME``, ``server:NAME``, or the key of a group."""
        if row.workload is not None:
            return f"workload:{row.workload.name}"
        return f"server:{row.server.name}" if row.server else row.key

    def go_to_row(self, name: str) -> bool:
        """Open what a workload or server stands under, and put the cursor there."""
        what, colon, plain = name.partition(":")
        if self.relationships is None or not colon:
            return super().go_to_row(name)
        place = self.relationships.place(plain, workload=what == "workload")
        if place is None:
            return False
        self.opened = (self.opened or set()) | set(place[:-1])
        self.table.put(self._lines())
        return self.table.move_to(place[-1])

    # Explain

    def read_detail(self, row: Line) -> ReadRow | None:
        """The explanation of a workload, the detail of a server."""
        service = self.context.service
        if service is None:
            return None
        if row.workload is not None:
            return partial(service.explain, row.workload.name)
        return partial(service.registry_server, row.server.id or row.server.name) if row.server else None

    def document(self, value: Line | Explanation | RegistryServerView, width: int) -> Lines:
        """Why a workload inherits from that entry; a server with its workloads; what a group is."""
        clock = self.context.clock
        if isinstance(value, Explanation):
            trials = self.trials[1] if self.trials[0] == value.workload else {}
            return explanation_document(value, width, clock, self.context.keymap, trials)
        if isinstance(value, RegistryServerView):
            return registry_document(value, clock, width)
        if value.server is not None:
            return registry_document(value.server, clock, width)
        page = Document(width)
        page.title(value.label, ("" if value.workload else str(value.children), Tone.MUTED))
        page.paragraph("…" if value.workload else value.hint, Tone.MUTED)
        return page.lines

    def detail_was_read(self, value: Explanation | RegistryServerView) -> None:
        """Once an explanation has been read for a while, what each way on would do is found out, too."""
        service = self.context.service
        if service is None or self.context.read_only or not isinstance(value, Explanation):
            return

        async def trying() -> dict[str, str]:
            await asyncio.sleep(self.context.trial_delay)
            return await tried(service, value)

        self.run_worker(trying, name=value.workload, group="trials", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what the ways on would do beside them."""
        super().on_worker_state_changed(event)
        worker, explanation = event.worker, self.detail
        if worker.group == "trials" and event.state is WorkerState.SUCCESS and worker.result is not None:
            self.trials = (worker.name, worker.result)
            if isinstance(explanation, Explanation) and explanation.workload == worker.name:
                self.pane.show(self.table.rows.cursor_key, lambda width: self.document(explanation, width))

    def export_values(self) -> list[Value]:
        """The servers and workloads of the lines that are shown, each once."""
        results = {self.row_name(line): line.workload or line.server for line in self.table.rows.visible}
        return [value for value in results.values() if value is not None]

    # Actions

    def chosen_workloads(self) -> Sequence[WorkloadView]:
        """Those of the marked lines, or of the line under the cursor: a server or group stands for all under it."""
        results = {}
        for line in self.table.selection:
            for workload in self.relationships.under(line) if self.relationships else ():
                results[workload.name] = workload
        return tuple(results.values())

    def chosen_server(self) -> RegistryServerView | None:
        """The one under the cursor."""
        return self.row.server if self.row else None

    def do_expand(self) -> None:
        """Show what is under the line, or go to it."""
        line = self.row
        if line is None or not line.children:
            return
        if line.open:
            self.table.do_down()
        else:
            self._set_open(line.key, is_open=True)

    def do_collapse(self) -> None:
        """Hide what is under the line, or go to what it stands under."""
        line = self.row
        if line is None:
            return
        if line.open and not self.filter:
            self._set_open(line.key, is_open=False)
        elif "/" in line.key:
            above = [
                row.key
                for row in self.table.rows.visible
                if row.depth == line.depth - 1 and line.key.startswith(row.key + "/")
            ]
            if above:
                self.table.move_to(above[-1])

    def _set_open(self, key: str, *, is_open: bool) -> None:
        opened = self.opened or set()
        self.opened = opened | {key} if is_open else opened - {key}
        self.table.put(self._lines())

    def do_jump(self) -> None:
        """A group opens or closes; a server leads to its entry, a workload to its registry server or to itself."""
        line = self.row
        if line is None:
            return
        if line.server is not None:
            self.post_message(Go(Target(Area.REGISTRY, line.server.name)))
        elif line.workload is not None:
            server = line.workload.registry_server or line.workload.linkable_to
            there = Target(Area.REGISTRY, server) if server else Target(Area.WORKLOADS, line.workload.name)
            self.post_message(Go(there))
        else:
            self._set_open(line.key, is_open=not line.open)

    def do_nearest(self) -> None:
        """To the registry server that comes nearest to being the one."""
        explanation = self.detail
        if isinstance(explanation, Explanation) and explanation.near_misses:
            self.post_message(Go(Target(Area.REGISTRY, explanation.near_misses[0].registry_server)))
        else:
            self.post_message(Say("There is no near miss.", Tone.MUTED))

    def do_explain(self) -> None:
        """Into the explanation, to read it."""
        self.screen.set_focus(self.pane)

    @property
    def subject(self) -> Value | None:
        """The explanation or the server, once it was read; before that the row of the workload or server."""
        line = self.row
        return self.detail or ((line.workload or line.server) if line else None)
