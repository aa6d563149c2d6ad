"""What the server's own tools do: one method a tool, from its arguments to its result."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp_types import CallToolResult

from mcp_optimizer.domain.search.queries import query_record
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.views import CountedHits, Scope, SearchHit, SearchQuery
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.server.arguments import (
    CallToolArguments,
    FindToolArguments,
    InstallServerArguments,
    NoArguments,
    nothing_asked,
)
from mcp_optimizer.server.metrics import Metrics
from mcp_optimizer.server.passing import ClientPeer, raw_result
from mcp_optimizer.server.results import TokenMetrics, found, listed, told
from mcp_optimizer.server.tokens import Access
from mcp_optimizer.server.tool_shape import to_tool
from mcp_optimizer.text import shorten

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService, Poller

_MAX_QUERY_CHARACTERS: Final = 10_000
"""Of a description or of keywords; the rest is not looked at."""
_INSTALL_SECONDS: Final = 60.0
"""How long a started server is waited for."""


@dataclass(frozen=True)
class Caller:
    """Who calls a tool, and how it is asked and told. ``given``: the call's arguments as they came.

    ``session``: tells the client's session from others; empty where it has none.
    """

    request_id: str
    access: Access
    peer: ClientPeer
    given: dict[str, Any] | None = None
    session: str = ""


@dataclass
class ToolHandlers:
    """Each raises OptimizerError and BadArgumentsError with a message for the caller.

    ``server_id`` is the server's own, by which its queries are distinguished from those of others.
    """

    service: "DataService"
    metrics: Metrics
    polling: "Poller"
    search: Callable[[SearchQuery], Awaitable[CountedHits]]
    server_id: str = ""

    async def find_tool(self, arguments: FindToolArguments, caller: Caller) -> CallToolResult:
        """The best tools of running workloads, and what was saved by naming only them."""
        result, metrics = await self._search("find_tool", arguments, Scope.WORKLOAD, caller)
        self.metrics.saved(metrics)
        return found(_tools(result.hits), metrics, weak=result.weak)

    async def search_registry(self, arguments: FindToolArguments, caller: Caller) -> CallToolResult:
        """The best tools of registry servers, which have to be started before they can be called."""
        result, _ = await self._search("search_registry", arguments, Scope.REGISTRY, caller)
        return listed(_tools(result.hits))

    async def list_tools(self, _: NoArguments, caller: Caller) -> CallToolResult:
        """Every tool of the running workloads that the caller may see."""
        query = SearchQuery(text="", visibility=self.visibility(caller.access))
        tools = await self.service.offered_tools(query, most=self.service.settings.max_tools_listed)
        return listed(to_tool(tool.details, name=tool.name, server=tool.server) for tool in tools)

    async def call_tool(self, arguments: CallToolArguments, caller: Caller) -> CallToolResult:
        """The called tool's own result."""
        peer = caller.peer
        result = await self.service.call_tool(
            arguments.server_name,
            arguments.tool_name,
            arguments.parameters,
            meta=peer.meta,
            on_progress=peer.on_progress,
            peer=peer,
            visibility=self.visibility(caller.access),
        )
        shaped = raw_result(result)
        if not shaped.is_error:
            self.service.note_call(caller.session, arguments.server_name, arguments.tool_name)
        return shaped

    async def install_server(self, arguments: InstallServerArguments, _: Caller) -> CallToolResult:
        """Have a registry server started, and say whether it answers."""
        report = await self.service.install_server(arguments.server_name)
        if report.running:
            return told(report.said)
        refreshed = await self.polling.refresh(report.workload, within=_INSTALL_SECONDS)
        if refreshed.answered:
            return told(f"{report.said} It answers, and its tools are found.")
        return told(f"{report.said} It does not answer yet: {shorten(refreshed.reason or 'no reason given', 300)}.")

    def visibility(self, access: Access) -> AgentVisibility:
        """Which workloads the settings and the caller's token let it see."""
        return self.service.settings.visibility().within(access.groups)

    async def _search(
        self, tool: str, arguments: FindToolArguments, scope: Scope, caller: Caller
    ) -> tuple[CountedHits, TokenMetrics]:
        """What a search gives; whatever becomes of it is noted in the query log."""
        query = self._query(arguments, scope, caller.access)
        if not query.text and not query.keywords:
            raise nothing_asked(tool, caller.given)
        start = time.perf_counter()
        hits: list[SearchHit] = []
        metrics = TokenMetrics.of(baseline=0, returned=0)
        error: str | None = None
        try:
            result = await self.search(query)
            hits = result.hits
            metrics = TokenMetrics.of(baseline=result.baseline_tokens, returned=sum(hit.tokens for hit in hits))
        except OptimizerError as refusal:
            error = refusal.message
            raise
        finally:
            self.service.note_query(
                query_record(
                    tool,
                    arguments.tool_description,
                    keywords=arguments.tool_keywords,
                    hits=hits,
                    query=query,
                    baseline_tokens=metrics.baseline_tokens,
                    returned_tokens=metrics.returned_tokens,
                    milliseconds=1000 * (time.perf_counter() - start),
                    error=error,
                    request_id=caller.request_id,
                    server_id=self.server_id,
                    token=caller.access.name,
                    session=caller.session,
                )
            )
        return result, metrics

    def _query(self, arguments: FindToolArguments, scope: Scope, access: Access) -> SearchQuery:
        settings = self.service.settings
        return SearchQuery(
            text=arguments.tool_description[:_MAX_QUERY_CHARACTERS].strip(),
            keywords=arguments.tool_keywords[:_MAX_QUERY_CHARACTERS].strip(),
            scope=scope,
            limit=settings.max_tools_to_return,
            visibility=self.visibility(access),
            semantic_ratio=settings.hybrid_search_semantic_ratio,
            max_distance=settings.tool_distance_threshold,
        )


def _tools(hits: list[SearchHit]) -> list[dict[str, Any]]:
    return [to_tool(hit.details, name=hit.tool, server=hit.server) for hit in hits]
