"""Rows of an older database keep the ids they had, wherever these are ids as this program makes them (S1)."""

from collections.abc import Iterable

from mcp_optimizer.domain.lifecycle import WorkloadChange
from mcp_optimizer.domain.models import StoredTool, ToolDefinition
from mcp_optimizer.domain.tools.plan import ToolPlan
from mcp_optimizer.legacy import OldRow
from mcp_optimizer.legacy.old_values import created_at, kept_id
from mcp_optimizer.legacy.placement import OldServer, Placement
from mcp_optimizer.operations.change_set import RegistryServerChange, WorkloadServerChange


class KeptIds:
    """Puts old ids, and the times rows were made, into what is about to be written. Each id is given once."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._taken: set[str] = set()

    def registry(self, write: RegistryServerChange) -> RegistryServerChange:
        """A registry server and its tools."""
        _, old = self._placement.entries[write.server.identity.key, write.server.name]
        server = write.server.model_copy(
            update={
                "id": self._id(old.row, write.server.id),
                "created_at": created_at(old.row) or write.server.created_at,
            }
        )
        return RegistryServerChange(write.plan, server, write.text, self._tools(write.tools, server.id, old))

    def change(self, change: WorkloadChange) -> WorkloadChange:
        """A workload."""
        row = self._placement.workloads[change.after.name][1].row
        remaining = {
            "id": self._id(row, change.after.id),
            "created_at": created_at(row) or change.after.created_at,
        }
        return change.model_copy(update={"after": change.after.model_copy(update=remaining)})

    def workload(self, write: WorkloadServerChange) -> WorkloadServerChange:
        """A workload's tools."""
        after = write.change.after
        return WorkloadServerChange(
            write.change, self._tools(write.tools, after.id, self._placement.workloads[after.name][1])
        )

    def _tools(self, plan: ToolPlan, server_id: str, old: OldServer) -> ToolPlan:
        rows = _by_name(old.tools)
        ids = {tool.id: self._id(rows[tool.name], tool.id) for tool in plan.add}

        def kept(tool: StoredTool) -> StoredTool:
            return tool.model_copy(update={"id": ids[tool.id], "server_id": server_id})

        return plan.model_copy(
            update={
                "add": tuple(map(kept, plan.add)),
                "texts": {ids[identifier]: text for identifier, text in plan.texts.items()},
            }
        )

    def _id(self, row: OldRow, made: str) -> str:
        """The row's own id, unless it has none that serves, or the other half of the row has it."""
        own = kept_id(row)
        result = made if own is None or own in self._taken else own
        self._taken.add(result)
        return result


def _by_name(tools: Iterable[tuple[ToolDefinition, OldRow]]) -> dict[str, OldRow]:
    return {tool.name: row for tool, row in tools}
