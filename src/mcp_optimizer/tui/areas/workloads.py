"""Workloads: what runs, and what it inherits from."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from mcp_optimizer.domain.views import WorkloadView
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.base import StyledText
from mcp_optimizer.tui.areas.relating import RelatingArea
from mcp_optimizer.tui.areas.table_area import ReadRow
from mcp_optimizer.tui.details.document import Lines
from mcp_optimizer.tui.details.workload import workload_document
from mcp_optimizer.tui.format.columns import Renderer, Sort
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Go, Say, Target
from mcp_optimizer.tui.renderers.workloads import workload_renderer
from mcp_optimizer.tui.state import confirmable_actions as questions
from mcp_optimizer.tui.state.feed import Resource


class WorkloadsArea(RelatingArea[WorkloadView]):
    """All workloads, rejected ones included."""

    area = Area.WORKLOADS
    needs = (Resource.WORKLOADS,)
    labels: ClassVar[dict[str, str]] = {"jump": "Server"}

    def renderer(self) -> Renderer[WorkloadView]:
        """Workloads."""
        return workload_renderer(self.context.clock)

    def first_sort(self) -> Sort:
        """By name."""
        return Sort("name")

    def rows(self) -> Sequence[WorkloadView]:
        """All of them."""
        return self.context.feed.workloads or ()

    def row_name(self, row: WorkloadView) -> str:
        """Its name."""
        return row.name

    def empty(self) -> StyledText:
        """How to get some."""
        way = (
            "The database is read-only."
            if self.context.read_only
            else "Press i to ingest them, or start ToolHive first."
        )
        return [("No workloads yet.", Tone.STRONG), (way, Tone.PLAIN)]

    def read_detail(self, row: WorkloadView) -> ReadRow | None:
        """Tools, evidence, live against catalog."""
        service = self.context.service
        return partial(service.workload, row.name) if service else None

    def document(self, value: WorkloadView, width: int) -> Lines:
        """The workload."""
        return workload_document(value, self.context.clock, width)

    def do_jump(self) -> None:
        """To its registry server, or to the one it is linkable to; else to why there is none."""
        row = self.row
        if row is None:
            return
        server = row.registry_server or row.linkable_to
        if server is not None:
            self.post_message(Go(Target(Area.REGISTRY, server)))
        else:
            self.post_message(Say(f"{row.name} inherits from nothing; this is why.", Tone.MUTED))
            self.do_explain()

    def do_explain(self) -> None:
        """To why it inherits from that entry, or from none."""
        if self.row is not None:
            self.post_message(Go(Target(Area.RELATIONSHIPS, f"workload:{self.row.name}", "")))

    def chosen_workloads(self) -> Sequence[WorkloadView]:
        """Those marked, or the one under the cursor."""
        return self.table.selection

    def do_delete(self) -> None:
        """Ask, with what it means, and delete."""
        names = tuple(row.name for row in self.table.selection)
        service = self.context.service
        if names and service is not None:
            self.confirm(questions.delete_workloads(service, names))
