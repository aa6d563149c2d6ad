"""The six areas."""

from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.areas.activity import ActivityArea
from mcp_optimizer.tui.areas.base import AreaView
from mcp_optimizer.tui.areas.overview import OverviewArea
from mcp_optimizer.tui.areas.registry import RegistryArea
from mcp_optimizer.tui.areas.relationships import RelationshipsArea
from mcp_optimizer.tui.areas.search import SearchArea
from mcp_optimizer.tui.areas.workloads import WorkloadsArea

AREAS: dict[Area, type[AreaView]] = {
    view.area: view for view in (OverviewArea, RegistryArea, WorkloadsArea, RelationshipsArea, SearchArea, ActivityArea)
}
"""Which view shows which area."""
