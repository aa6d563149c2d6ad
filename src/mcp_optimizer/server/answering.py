"""Answers to calls of the server's own tools: what is searched, what is returned, what is noted of it."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from mcp_types import CallToolResult

from mcp_optimizer.domain.queries import query_record
from mcp_optimizer.domain.views import CountedHits, Scope, SearchHit, SearchQuery
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.polling import Polling
from mcp_optimizer.server.arguments import Arguments, BadArgumentsError, Call, Install, NoArguments, Wanted
from mcp_optimizer.server.metrics import Metrics
from mcp_optimizer.server.passing import Caller, raw_result
from mcp_optimizer.server.results import TokenMetrics, found, listed, offered, told
from mcp_optimizer.service import DataService
from mcp_optimizer.text import shorten

_LONGEST_QUERY: Final = 10_000
"""Characters of a description or of keywords that are looked at."""
_INSTALL_SECONDS: Final = 60.0
"""How long a started server is waited for."""


@dataclass
class Answering:
    """Answers. ``server_id`` is the server's own, by which its queries are told from those of others."""

    service: DataService
    metrics: Metrics
    polling: Polling
    search: Callable[[SearchQuery], Awaitable[CountedHits]]
    server_id: str = ""

    async def answer(self, arguments: Arguments, *, request_id: str, caller: Caller, tool: str) -> CallToolResult:
        """The result of a call. Raises OptimizerError with a message for whoever called."""
        match arguments:
            case Wanted():
                return await self._search(tool, arguments, request_id)
            case NoArguments():
                return await self._list()
            case Call():
                result = await self.service.call_tool(
                    arguments.server_name,
                    arguments.tool_name,
                    arguments.parameters,
                    meta=caller.meta,
                    on_progress=caller.on_progress,
                    peer=caller,
                )
                return raw_result(result)
            case Install():
                return await self._install(arguments.server_name)
        raise AssertionError(f"no answer for {type(arguments)}")

    def _query(self, wanted: Wanted, scope: Scope) -> SearchQuery:
        settings = self.service.settings
        return SearchQuery(
            text=wanted.tool_description[:_LONGEST_QUERY].strip(),
            keywords=wanted.tool_keywords[:_LONGEST_QUERY].strip(),
            scope=scope,
            limit=settings.max_tools_to_return,
            exposure=settings.exposure(),
            semantic_ratio=settings.hybrid_search_semantic_ratio,
            max_distance=settings.tool_distance_threshold,
        )

    async def _search(self, tool: str, wanted: Wanted, request_id: str) -> CallToolResult:
        installable = tool == "search_registry"
        query = self._query(wanted, Scope.REGISTRY if installable else Scope.WORKLOAD)
        if not query.text and not query.keywords:
            raise BadArgumentsError(f"{tool}: say what the tool should do (tool_description), or how it may be named")
        start = time.perf_counter()
        hits: list[SearchHit] = []
        metrics = TokenMetrics.of(baseline=0, returned=0)
        error: str | None = None
        try:
            hits, baseline = await self.search(query)
            metrics = TokenMetrics.of(baseline=baseline, returned=sum(hit.tokens for hit in hits))
        except OptimizerError as refusal:
            error = refusal.message
            raise
        finally:
            self.service.note_query(
                query_record(
                    tool,
                    wanted.tool_description,
                    keywords=wanted.tool_keywords,
                    hits=hits,
                    baseline_tokens=metrics.baseline_tokens,
                    returned_tokens=metrics.returned_tokens,
                    milliseconds=1000 * (time.perf_counter() - start),
                    error=error,
                    request_id=request_id,
                    server_id=self.server_id,
                )
            )
        tools = [offered(hit.details, name=hit.tool, server=hit.server) for hit in hits]
        if installable:
            return listed(tools)
        self.metrics.saved(metrics)
        return found(tools, metrics)

    async def _list(self) -> CallToolResult:
        settings = self.service.settings
        query = SearchQuery(text="", exposure=settings.exposure())
        tools = await self.service.offered_tools(query, most=settings.max_tools_listed)
        return listed(offered(tool.details, name=tool.name, server=tool.server) for tool in tools)

    async def _install(self, name: str) -> CallToolResult:
        report = await self.service.install_server(name)
        if report.running:
            return told(report.said)
        refreshed = await self.polling.refresh(report.workload, within=_INSTALL_SECONDS)
        if refreshed.answered:
            return told(f"{report.said} It answers, and its tools are found.")
        return told(f"{report.said} It does not answer yet: {shorten(refreshed.reason or 'no reason given', 300)}.")


def known_arguments(arguments: dict[str, Any] | None) -> list[str]:
    """The names of a call's arguments, fit for a log: their values may be secret."""
    return sorted(shorten(str(name), 64) for name in arguments or {})[:20]
