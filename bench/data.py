"""Catalogs and workloads of any size, made up from words, the same for the same numbers."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp_optimizer.domain.identity import container_identity, remote_identity
from mcp_optimizer.domain.models import Catalog, CatalogEntry, ObservedWorkload, ToolDefinition, WorkloadListing
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.sources.base import LateAnswers

_VERBS: Final = (
    "list", "get", "create", "update", "delete", "search", "export", "import", "merge", "close", "assign", "archive",
    "restart", "scale", "deploy", "rotate", "validate", "translate", "summarize", "convert", "schedule", "cancel",
)  # fmt: skip
_NOUNS: Final = (
    "issue", "ticket", "invoice", "customer", "pull request", "branch", "pod", "bucket", "table", "query", "dashboard",
    "alert", "page", "document", "calendar event", "message", "channel", "contact", "order", "shipment", "flight",
    "weather report", "time zone", "image", "video", "playlist", "recipe", "repository", "pipeline", "secret", "domain",
    "certificate", "user", "role", "permission", "webhook", "feature flag", "experiment", "model", "dataset",
)  # fmt: skip
_PLACES: Final = ("project", "workspace", "organization", "cluster", "account", "region", "folder", "tenant", "team")
_ENDS: Final = (
    "and return it as JSON", "with optional filters", "by its identifier", "that changed since a given date",
    "without waiting for it to finish", "including archived ones", "sorted by last update", "in a single call",
)  # fmt: skip


def tool(rng: random.Random, number: int) -> ToolDefinition:
    """A tool with a name, two sentences and a small schema."""
    verb, noun, place, end = rng.choice(_VERBS), rng.choice(_NOUNS), rng.choice(_PLACES), rng.choice(_ENDS)
    name = f"{verb}_{noun.replace(' ', '_')}_{number}"
    description = (
        f"{verb.capitalize()} a {noun} in the {place} {end}. "
        f"Needs permission to {verb} in that {place}; fails when the {noun} is locked by somebody else."
    )
    properties = {
        noun.replace(" ", "_"): {"type": "string", "description": f"The {noun} to {verb}"},
        place: {"type": "string", "description": f"Name of the {place}"},
        "limit": {"type": "integer", "description": "At most so many results"},
    }
    schema = {"type": "object", "properties": properties, "required": [place]}
    return ToolDefinition.trusted(name=name, details={"name": name, "description": description, "inputSchema": schema})


def phrases() -> list[tuple[str, str, str, str]]:
    """Every way to put a verb, a noun, a place and an end together: 63,360 things to ask for."""
    return list(itertools.product(_VERBS, _NOUNS, _PLACES, _ENDS))


def tools(seed: int, count: int) -> tuple[ToolDefinition, ...]:
    """``count`` tools, the same for the same seed."""
    rng = random.Random(seed)
    return tuple(tool(rng, number) for number in range(count))


def catalog(servers: int, tools_each: int, *, version: int = 1) -> Catalog:
    """A catalog, every fourth entry remote. Entry N of every version has the same name; ``version`` is its tag."""
    entries = []
    for number in range(servers):
        name = f"server-{number:05d}"
        remote = number % 4 == 0
        identity = (
            remote_identity(f"https://{name}.example/mcp?v={version}")
            if remote
            else container_identity(f"registry.example/{name}:{version}.0")
        )
        rng = random.Random(number)
        entries.append(
            CatalogEntry(
                name=name,
                identity=identity,
                transport="streamable-http",
                description=f"Works with every {rng.choice(_NOUNS)} of a {rng.choice(_PLACES)}",
                tags=tuple(rng.sample(_VERBS, 3)),
                tools=tools(number, tools_each),
            )
        )
    return Catalog(source="made up", entries=tuple(entries))


def listing(made: Catalog, workloads: int, tools_each: int) -> WorkloadListing:
    """Workloads of the catalog's entries, one in ten of an image that no entry names."""
    items = []
    for number in range(workloads):
        entry = made.entries[number % len(made.entries)]
        identity = container_identity(f"elsewhere.example/own-{number}:1") if number % 10 == 9 else entry.identity
        items.append(
            ObservedWorkload(
                name=f"workload-{number:05d}",
                identity=identity,
                endpoint=f"http://127.0.0.1:{20000 + number}/mcp",
                transport="streamable-http",
                status="running" if number % 20 else "stopped",
                group=f"team-{number % 7}",
                tools=entry.tools if number < len(made.entries) else tools(number, tools_each),
            )
        )
    return WorkloadListing(source="made up", workloads=tuple(items))


@dataclass
class MadeUpSource:
    """A source that gives what it was given."""

    made: Catalog | None = None
    listed: WorkloadListing | None = None
    label: str = "made up"

    async def catalog(self, on_progress: ProgressCallback | None = None) -> Catalog | None:
        """The catalog."""
        return self.made

    async def workloads(
        self, on_progress: ProgressCallback | None = None, late: LateAnswers | None = None
    ) -> WorkloadListing | None:
        """The workloads."""
        return self.listed


def as_document(made: Catalog) -> dict[str, Any]:
    """The catalog as a registry document."""
    servers: dict[str, Any] = {}
    remotes: dict[str, Any] = {}
    for entry in made.entries:
        common = {
            "description": entry.description,
            "transport": entry.transport,
            "tags": list(entry.tags),
            "tool_definitions": [tool.details for tool in entry.tools],
        }
        if entry.identity.kind == "remote":
            remotes[entry.name] = {**common, "url": entry.identity.raw}
        else:
            servers[entry.name] = {**common, "image": entry.identity.raw}
    return {"servers": servers, "remote_servers": remotes}


def texts(servers: Sequence[CatalogEntry]) -> list[str]:
    """Every tool's description, for measuring embedding."""
    return [f"{entry.name}: {item.name} {item.description}" for entry in servers for item in entry.tools]
