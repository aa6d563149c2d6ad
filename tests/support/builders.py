"""Catalogs and listings, built from what a test wants to say about them."""

from collections.abc import Iterable
from typing import Any

from mcp_optimizer.domain.identity import container_identity, remote_identity
from mcp_optimizer.domain.models import (
    Catalog,
    CatalogEntry,
    Evidence,
    Identity,
    ItemProblem,
    ObservedWorkload,
    ToolDefinition,
    WorkloadListing,
)
from mcp_optimizer.domain.tools.text import parts_of, tool_text

type Tool = str | ToolDefinition
"""A tool, or just its name: then it has a description made from the name."""


def identity(where: str) -> Identity:
    """The identity of a URL, or of an image where it is none."""
    return remote_identity(where) if "://" in where else container_identity(where)


def tool(name: str, description: str | None = None, **parameters: str) -> ToolDefinition:
    """A tool; ``parameters`` are the descriptions of its parameters."""
    details: dict[str, Any] = {
        "name": name,
        "description": f"{name} does what it says." if description is None else description,
        "inputSchema": {
            "type": "object",
            "properties": {key: {"type": "string", "description": about} for key, about in parameters.items()},
        },
    }
    return ToolDefinition(name=name, details=details)


def tools(*given: Tool) -> tuple[ToolDefinition, ...]:
    """Tools, or tools of these names."""
    return tuple(tool(item) if isinstance(item, str) else item for item in given)


def parts_of_tools(context: str, *names: str) -> list[str]:
    """What is embedded for tools of these names, part by part and sorted; a sentence that several share stands once."""
    parts = {part for name in names for part in parts_of(tool_text(context, tool(name)))}
    return sorted(parts)


def entry(name: str, where: str, given: Iterable[Tool] = (), **fields: Any) -> CatalogEntry:
    """An entry of a catalog: ``where`` is its image, or its URL."""
    about = {"description": f"The server {name}.", "transport": "streamable-http"} | fields
    return CatalogEntry(name=name, identity=identity(where), tools=tools(*given), **about)


def catalog(*entries: CatalogEntry, complete: bool = True, skipped: Iterable[ItemProblem] = ()) -> Catalog:
    """A catalog of these entries."""
    return Catalog(source="memory", entries=entries, complete=complete, skipped=tuple(skipped))


def workload(name: str, where: str, given: Iterable[Tool] | None = ("ping",), **fields: Any) -> ObservedWorkload:
    """A workload that runs; ``where`` is its image, or its URL. ``given`` None: its tools were not fetched."""
    about = {"status": "running", "transport": "streamable-http", "endpoint": f"http://127.0.0.1:9/{name}"} | fields
    provenance = about.pop("recorded", None)
    return ObservedWorkload(
        name=name,
        identity=identity(where),
        tools=None if given is None else tools(*given),
        evidence=Evidence(recorded_registry_server=provenance),
        **about,
    )


def listing(
    *workloads: ObservedWorkload, complete: bool = True, problems: Iterable[ItemProblem] = ()
) -> WorkloadListing:
    """A listing of these workloads."""
    return WorkloadListing(source="memory", workloads=workloads, complete=complete, problems=tuple(problems))
