"""Real tools to search among: real catalogs, real MCP servers started here, and the project's own sample.

Nothing of it is kept in the project. What can't be had on a machine is left out, and said so.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from mcp_optimizer.demo.sample import sample_snapshot
from mcp_optimizer.domain.identity import container_identity
from mcp_optimizer.domain.models import Catalog, ObservedWorkload, ToolDefinition, WorkloadListing
from mcp_optimizer.sources.registry.documents import parse_catalog
from mcp_optimizer.sources.snapshots import parse_snapshot

CATALOGS: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "registry"
"""Where real catalogs are, if there are any: beside the checkout."""

_START: Final = 90.0
"""Seconds a server may take: the first time it is fetched."""


class Program(NamedTuple):
    """An MCP server that speaks over stdio. ``environment``: what it refuses to start without; no real keys."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def _npm(name: str, package: str, *arguments: str, **environment: str) -> Program:
    return Program(name, ("npx", "--yes", package, *arguments), tuple(environment.items()))


PROGRAMS: Final = (
    Program("time-live", ("uvx", "mcp-server-time")),
    Program("git-live", ("uvx", "mcp-server-git")),
    Program("fetch-live", ("uvx", "mcp-server-fetch")),
    _npm("everything-live", "@modelcontextprotocol/server-everything"),
    _npm("filesystem-live", "@modelcontextprotocol/server-filesystem", "."),
    _npm("memory-live", "@modelcontextprotocol/server-memory"),
    _npm("thinking-live", "@modelcontextprotocol/server-sequential-thinking"),
    _npm("github-live", "@modelcontextprotocol/server-github", GITHUB_PERSONAL_ACCESS_TOKEN="none"),
    _npm("gitlab-live", "@modelcontextprotocol/server-gitlab", GITLAB_PERSONAL_ACCESS_TOKEN="none"),
    _npm("maps-live", "@modelcontextprotocol/server-google-maps", GOOGLE_MAPS_API_KEY="none"),
    _npm("brave-live", "@modelcontextprotocol/server-brave-search", BRAVE_API_KEY="none"),
    _npm("playwright-live", "@playwright/mcp"),
    _npm("notion-live", "@notionhq/notion-mcp-server", NOTION_TOKEN="none"),
)


class Corpus(NamedTuple):
    """What is searched, and what could not be had."""

    catalog: Catalog
    listing: WorkloadListing
    missing: tuple[str, ...]

    @property
    def described(self) -> int:
        """Tools with a description."""
        results = [*self.catalog.entries, *self.listing.workloads]
        return sum(bool(tool.description) for server in results for tool in server.tools or ())


async def gather(programs: Sequence[Program] = PROGRAMS) -> Corpus:
    """Everything that can be had here; servers are started two at a time."""
    missing: list[str] = []
    gate = asyncio.Semaphore(2)

    async def ask(program: Program) -> ObservedWorkload | None:
        async with gate:
            tools = await _listed(program)
        if tools is None:
            missing.append(program.name)
            return None
        return _workload(program.name, tools)

    live = await asyncio.gather(*(ask(program) for program in programs))
    catalog = _catalog()
    if not catalog.entries:
        missing.append("real catalogs")
    workloads = (*_sample(), *(item for item in live if item is not None))
    return Corpus(catalog, WorkloadListing(source="bench", workloads=workloads), tuple(missing))


async def _listed(program: Program) -> tuple[ToolDefinition, ...] | None:
    """The tools of a server, started for the occasion; None when it can't be started here."""
    with tempfile.TemporaryDirectory() as directory, (Path(directory) / "stderr").open("w") as errors:
        parameters = StdioServerParameters(
            command=program.command[0],
            args=list(program.command[1:]),
            env={**os.environ, **dict(program.environment)},
            cwd=directory,
        )
        with suppress(Exception):
            async with asyncio.timeout(_START), Client(stdio_client(parameters, errlog=errors)) as client:
                result = await client.list_tools()
                details = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in result.tools]
                return tuple(ToolDefinition(name=item["name"], details=item) for item in details)
    return None


def _workload(name: str, tools: Sequence[ToolDefinition]) -> ObservedWorkload:
    return ObservedWorkload(
        name=name, identity=container_identity(f"bench.example/{name}:1"), status="running", tools=tuple(tools)
    )


def _sample() -> list[ObservedWorkload]:
    """The running workloads of the demonstration's sample."""
    listing = parse_snapshot(sample_snapshot(), source="sample").listing
    result = listing.workloads if listing else ()
    return [
        _workload(item.name, item.tools)
        for item in result
        if item.tools and item.status == "running" and not item.name.startswith("[")
    ]


def _catalog() -> Catalog:
    """The newest of the real catalogs."""
    paths = sorted(CATALOGS.glob("toolhive-*.json"))
    if not paths:
        return Catalog(source="none")
    return parse_catalog(json.loads(paths[-1].read_text(encoding="utf-8")), source=paths[-1].name)
