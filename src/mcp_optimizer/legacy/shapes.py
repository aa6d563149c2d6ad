"""Which shape a predecessor's database has. Its tables tell: its revisions were edited in place."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Final, NamedTuple


class Shape(StrEnum):
    """The shapes that the predecessor has left behind."""

    SPLIT = "split"
    """Registry and workloads in tables of their own, tools with ``mcpserver_id``."""
    UNIFIED = "unified"
    """One table ``mcpserver`` for both, one table ``tool``."""


class OldTables(NamedTuple):
    """The tables of a shape. ``core`` is sorted so that each table stands before those it refers to."""

    core: tuple[str, ...]
    search: tuple[str, ...]


TABLES: Final[Mapping[Shape, OldTables]] = {
    Shape.SPLIT: OldTables(
        core=("tools_workload", "tools_registry", "mcpservers_workload", "mcpservers_registry"),
        search=(
            "registry_server_vector",
            "registry_tool_vectors",
            "registry_tool_fts",
            "workload_server_vector",
            "workload_tool_vectors",
            "workload_tool_fts",
        ),
    ),
    Shape.UNIFIED: OldTables(core=("tool", "mcpserver"), search=("server_vector", "tool_vectors", "tool_fts")),
}

VERSION_TABLE: Final = "alembic_version"


def shape_of(columns: Mapping[str, AbstractSet[str]]) -> Shape | None:
    """The shape of a database with these columns by table; None when the predecessor did not make it.

    Columns may be missing, as its versions added them one by one; what makes a server a server may not.
    """
    places = {"url", "package", "workload_identifier"}
    if "mcpserver" in columns:
        server = columns["mcpserver"]
        return Shape.UNIFIED if {"id", "name"} <= server and places & server and _marks(columns) else None
    registry, workloads = columns.get("mcpservers_registry", set()), columns.get("mcpservers_workload", set())
    if "identity" in registry | workloads:  # of this program
        return None
    named = all({"id", "name"} <= table and places & table for table in (registry, workloads))
    tools = [columns[table] for table in ("tools_registry", "tools_workload") if table in columns]
    return Shape.SPLIT if named and all("mcpserver_id" in table for table in tools) else None


def _marks(columns: Mapping[str, AbstractSet[str]]) -> bool:
    """Whether something tells that ``mcpserver`` is the predecessor's: other programs have servers too."""
    return bool({"from_registry", "status"} & columns["mcpserver"]) and "mcpserver_id" in columns.get(
        "tool", {"mcpserver_id"}
    )
