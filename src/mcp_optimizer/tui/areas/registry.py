"""Registry: the entries of the catalog."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from mcp_optimizer.domain.views import RegistryServerView
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.base import StyledText
from mcp_optimizer.tui.areas.relating import RelatingArea
from mcp_optimizer.tui.areas.table_area import ReadRow
from mcp_optimizer.tui.details.document import Lines
from mcp_optimizer.tui.details.registry import registry_document
from mcp_optimizer.tui.format.columns import Renderer, Sort
from mcp_optimizer.tui.format.filter import quoted
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Go, Say, Target
from mcp_optimizer.tui.renderers.registry import registry_renderer
from mcp_optimizer.tui.state import confirmable_actions as questions
from mcp_optimizer.tui.state.feed import Resource


class RegistryArea(RelatingArea[RegistryServerView]):
    """All registry servers; who inherits from each."""

    area = Area.REGISTRY
    needs = (Resource.REGISTRY,)
    labels: ClassVar[dict[str, str]] = {"jump": "Workloads", "explain": "Relations"}

    def renderer(self) -> Renderer[RegistryServerView]:
        """Registry servers."""
        return registry_renderer(self.context.clock)

    def first_sort(self) -> Sort:
        """By name."""
        return Sort("name")

    def rows(self) -> Sequence[RegistryServerView]:
        """All of them."""
        return self.context.feed.registry or ()

    def row_name(self, row: RegistryServerView) -> str:
        """Its name."""
        return row.name

    def empty(self) -> StyledText:
        """How to get a catalog."""
        way = (
            "The database is read-only."
            if self.context.read_only
            else "Press i to ingest the registry from ToolHive or a file."
        )
        return [("No registry servers yet.", Tone.STRONG), (way, Tone.PLAIN)]

    def read_detail(self, row: RegistryServerView) -> ReadRow | None:
        """Tools, tags, who inherits."""
        service = self.context.service
        return partial(service.registry_server, row.id or row.name) if service else None

    def document(self, value: RegistryServerView, width: int) -> Lines:
        """The registry server."""
        return registry_document(value, self.context.clock, width)

    def do_jump(self) -> None:
        """To the workloads that inherit from it."""
        row = self.row
        if row is None:
            return
        if row.workloads:
            self.post_message(Go(Target(Area.WORKLOADS, None, f"server:={quoted(row.name)}")))
        else:
            self.post_message(Say(f"No workload inherits from {row.name}.", Tone.MUTED))

    def do_explain(self) -> None:
        """To its place among the relationships."""
        if self.row is not None:
            self.post_message(Go(Target(Area.RELATIONSHIPS, f"server:{self.row.name}", "")))

    def chosen_server(self) -> RegistryServerView | None:
        """The one under the cursor."""
        return self.row

    def do_delete(self) -> None:
        """Ask, with what it means, and delete."""
        names = tuple(row.id or row.name for row in self.table.selection)
        service = self.context.service
        if names and service is not None:
            self.confirm(questions.delete_registry_servers(service, names))
