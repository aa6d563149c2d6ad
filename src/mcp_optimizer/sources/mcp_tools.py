"""Asking running MCP servers for their tools: bounded in time, size and number, every failure one reason in words."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from mcp.client.session import ClientSession
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types import ListToolsRequest, ListToolsResult, PaginatedRequestParams

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload, ToolDefinition, Value, WorkloadListing, is_running
from mcp_optimizer.sources.base import LateAnswers, OnProgress
from mcp_optimizer.sources.bounded_http import Answers
from mcp_optimizer.sources.json_values import label_of, list_of, reason_of
from mcp_optimizer.sources.mcp_transports import CLIENT, Streams, shake_hands, transports_for
from mcp_optimizer.sources.tool_definitions import tool_definitions
from mcp_optimizer.text import public_url

_MAX_PAGES: Final = 1000
SLOW_AFTER_SECONDS: Final = 2.0
"""A server that is asked for longer makes no other wait, and no listing that can do without it."""


class ToolsError(Exception):
    """Why a server's tools could not be had: one short line that may be shown and stored."""


class FetchedTools(Value):
    """The tools of one server. ``cut`` tells that it lists more than were asked for."""

    tools: tuple[ToolDefinition, ...]
    cut: bool = False


async def fetch_tools(endpoint: str, transport: str, *, timeout: float, max_tools: int) -> FetchedTools:  # noqa: ASYNC109
    """The tools that the MCP server at ``endpoint`` lists, all pages of them, within ``timeout`` seconds.

    ``transport`` is ToolHive's proxy mode or transport; where it is not plain SSE, streamable HTTP is tried first and
    SSE once when the server does not know it. Raises :class:`ToolsError`.
    """
    answers = Answers()
    attempts = transports_for(endpoint, transport)
    try:
        async with asyncio.timeout(timeout):
            for place, attempt in enumerate(attempts):
                try:
                    return await _ask(attempt(endpoint, answers), max_tools)
                except Exception as error:  # noqa: BLE001 - SDK and server between them raise anything
                    last = place == len(attempts) - 1
                    if last or not answers.unknown_here:
                        raise ToolsError(failure_reason(error, answers)) from None
                    answers.forget()
    except TimeoutError:
        raise ToolsError(f"did not answer within {timeout:g} s") from None
    raise AssertionError("unreachable: there is at least one attempt")


async def with_tools(
    listing: WorkloadListing,
    settings: Settings,
    on_progress: OnProgress | None = None,
    late: LateAnswers | None = None,
) -> WorkloadListing:
    """The listing with the tools of those that run, asked as :func:`fetch_all` does, within what the settings allow."""
    asked = await fetch_all(
        listing.workloads,
        timeout=settings.mcp_timeout,
        max_tools=settings.max_tools_per_server,
        concurrency=settings.mcp_concurrency,
        on_progress=on_progress,
        late=late,
    )
    pending = sorted(task.get_name() for task in late.tasks) if late is not None else ()
    return listing.model_copy(update={"workloads": asked, "pending": tuple(pending)})


async def fetch_all(
    workloads: Sequence[ObservedWorkload],
    *,
    timeout: float,  # noqa: ASYNC109 - of each server, not of the call
    max_tools: int,
    concurrency: int,
    on_progress: OnProgress | None = None,
    late: LateAnswers | None = None,
    slow_after: float = SLOW_AFTER_SECONDS,
) -> tuple[ObservedWorkload, ...]:
    """``workloads`` in their order, with the tools of those that run and have none yet (L8).

    At most ``concurrency`` servers are asked side by side, not counting those that are asked for longer than
    ``slow_after`` seconds: a slow one delays none but itself. A failure is that workload's ``tools_problem``; so is a
    list that was cut at ``max_tools``. With ``late``, the slow ones are left there, each as a task of its name.
    """
    asked = [workload for workload in workloads if workload.tools is None and is_running(workload.status)]
    gate = asyncio.Semaphore(concurrency)
    done = 0

    async def ask(workload: ObservedWorkload, slow: asyncio.Event) -> ObservedWorkload:
        nonlocal done
        async with gate:
            work = asyncio.ensure_future(_with_tools(workload, timeout=timeout, max_tools=max_tools))
            try:
                await asyncio.wait({work}, timeout=slow_after)
            except BaseException:
                work.cancel()
                raise
        slow.set()
        try:
            observed = await work
        finally:
            work.cancel()
        done += 1
        if on_progress is not None:
            on_progress(done, len(asked))
        return observed

    slow = [asyncio.Event() for _ in asked]
    tasks = [asyncio.create_task(ask(*item), name=item[0].name) for item in zip(asked, slow, strict=True)]
    try:
        if late is None:
            await asyncio.gather(*tasks)
        else:
            await asyncio.gather(*(event.wait() for event in slow))
            on_progress = None  # what the caller does next is told from here on
    except BaseException:
        await _stop(tasks)
        raise
    answered = {task.get_name(): task.result() for task in tasks if task.done()}
    if late is not None:
        late.tasks |= {task for task in tasks if not task.done()}
    return tuple(answered.get(workload.name, workload) for workload in workloads)


async def _stop(tasks: Sequence[asyncio.Task[ObservedWorkload]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _with_tools(workload: ObservedWorkload, *, timeout: float, max_tools: int) -> ObservedWorkload:  # noqa: ASYNC109
    if workload.endpoint is None:
        return workload.model_copy(update={"tools_problem": "the source names no endpoint to ask for tools"})
    transport = workload.proxy_mode or workload.transport
    try:
        fetched = await fetch_tools(workload.endpoint, transport, timeout=timeout, max_tools=max_tools)
    except ToolsError as error:
        structlog.get_logger().info(
            "tools not fetched",
            endpoint=public_url(workload.endpoint),
            reason=str(error),
            workload=label_of(workload.name),
        )
        return workload.model_copy(update={"tools_problem": str(error)})
    problem = f"it lists more than {max_tools} tools; the others are left out" if fetched.cut else None
    return workload.model_copy(update={"tools": fetched.tools, "tools_problem": problem})


class _ToolCollector(JSONRPCDispatcher[Any]):
    """Keeps the tools of a listing as the server sent them.

    The session checks a page as a whole and would refuse all tools for one odd one, so it is shown a page without
    tools, and each tool is looked at by itself.
    """

    def __init__(self, read_stream: Any, write_stream: Any) -> None:
        super().__init__(read_stream, write_stream)
        self.tools: list[Any] = []

    async def send_raw_request(
        self, method: str, params: Any, opts: CallOptions | None = None, **context: Any
    ) -> dict[str, Any]:
        raw = await super().send_raw_request(method, params, opts, **context)
        if method == "tools/list":
            self.tools.extend(list_of(raw.get("tools")))
            raw["tools"] = [] if isinstance(raw.get("tools"), list) else raw.get("tools")
        return raw


async def _ask(connection: Streams, max_tools: int) -> FetchedTools:
    async with connection as (read_stream, write_stream):
        collector = _ToolCollector(read_stream, write_stream)
        async with ClientSession(dispatcher=collector, client_info=CLIENT) as session:
            await shake_hands(session)
            cursor: str | None = None
            seen: set[str] = set()
            for _ in range(_MAX_PAGES):
                page = await session.send_request(
                    ListToolsRequest(params=PaginatedRequestParams(cursor=cursor)), ListToolsResult
                )
                cursor = page.next_cursor
                if not cursor or len(collector.tools) > max_tools:
                    break
                if cursor in seen:
                    raise ToolsError("its pages of tools go round in a circle")
                seen.add(cursor)
            else:
                raise ToolsError(f"it gives more than {_MAX_PAGES} pages of tools")
            tools = tool_definitions(collector.tools)
            return FetchedTools(tools=tools[:max_tools], cut=len(tools) > max_tools or bool(cursor))


def failure_reason(error: BaseException, answers: Answers) -> str:
    """One line out of whatever the SDK raised: exception groups unwrapped, the HTTP status before its wording."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ToolsError):
        return reason_of(error)
    if answers.reason:
        return reason_of(answers.reason)
    words = f"{error}".partition("\n")[0] or type(error).__name__
    if isinstance(error, ValueError) or words.startswith("Failed to parse JSON response"):
        return "sent an answer that is not MCP"
    return reason_of(f"answered with an error: {words}" if isinstance(error, MCPError) else words)
