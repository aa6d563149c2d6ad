"""Asking running MCP servers for their tools: bounded in time, size and number, every failure one reason in words."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import ObservedWorkload, ToolDefinition, Value, WorkloadListing, is_running
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.domain.tools.calls import announced_transport
from mcp_optimizer.sources.base import LateAnswers
from mcp_optimizer.sources.json_values import kind_of, label_of
from mcp_optimizer.sources.mcp.failures import McpServerError
from mcp_optimizer.sources.mcp.session import Session, open_session
from mcp_optimizer.sources.tool_definitions import examined_tools
from mcp_optimizer.text import redact_url

_MAX_PAGES: Final = 1000
_MAX_EMPTY_PAGES: Final = 20
"""Pages in a row on which there is nothing new."""
_CLOSING_SECONDS: Final = 5.0
SLOW_AFTER_SECONDS: Final = 2.0
"""A server that is asked for longer makes no other wait, and no listing that can do without it."""


class ToolsError(Exception):
    """Why a server's tools could not be had: one short line that may be shown and stored."""


class FetchedTools(Value):
    """The tools of one server. ``cut`` tells that it lists more than were asked for."""

    tools: tuple[ToolDefinition, ...]
    cut: bool = False
    problem: str | None = None
    """What was wrong with the listing, or with single tools of it; what could be used is in ``tools``."""
    partial: bool = False
    """Whether the listing ended early."""


async def fetch_tools(endpoint: str, transport: str, *, timeout: float, max_tools: int) -> FetchedTools:  # noqa: ASYNC109
    """The tools that the MCP server at ``endpoint`` lists, all pages of them, within ``timeout`` seconds.

    ``transport`` is the one that its source announces, tried first; the other one is tried when the server does not
    speak it. What was read before a page failed is kept, with the reason. Raises :class:`ToolsError`.
    """
    pages = _Pages(max_tools)
    session: Session | None = None
    try:
        async with asyncio.timeout(timeout):
            session = await open_session(endpoint, transport)
            await pages.read(session)
    except TimeoutError:
        pages.problem = f"did not answer within {timeout:g} s"
    except McpServerError as failure:
        pages.problem = str(failure)
    finally:
        if session is not None:
            closing = asyncio.create_task(session.close(), name="mcp-connection")
            await asyncio.wait({closing}, timeout=_CLOSING_SECONDS)
    if pages.problem and not pages.given:
        raise ToolsError(pages.problem)
    tools, problems = await asyncio.to_thread(examined_tools, pages.given)
    if pages.problem:
        problems = [f"{pages.problem}; the tools read before are kept", *problems]
    return FetchedTools(
        tools=tools[:max_tools],
        cut=pages.more or len(tools) > max_tools,
        problem="; ".join(problems) or None,
        partial=pages.problem is not None,
    )


async def with_tools(
    listing: WorkloadListing,
    settings: Settings,
    on_progress: ProgressCallback | None = None,
    late: LateAnswers | None = None,
) -> WorkloadListing:
    """The listing with the tools of those that run, asked as :func:`fetch_all` does, within what the settings allow."""
    request = await fetch_all(
        listing.workloads,
        timeout=settings.mcp_timeout,
        max_tools=settings.max_tools_per_server,
        concurrency=settings.mcp_concurrency,
        on_progress=on_progress,
        late=late,
    )
    pending = sorted(task.get_name() for task in late.tasks) if late is not None else ()
    return listing.model_copy(update={"workloads": request, "pending": tuple(pending)})


async def fetch_all(
    workloads: Sequence[ObservedWorkload],
    *,
    timeout: float,  # noqa: ASYNC109 - of each server, not of the call
    max_tools: int,
    concurrency: int,
    on_progress: ProgressCallback | None = None,
    late: LateAnswers | None = None,
    slow_after: float = SLOW_AFTER_SECONDS,
) -> tuple[ObservedWorkload, ...]:
    """``workloads`` in their order, with the tools of those that run and have none yet (L8).

    At most ``concurrency`` servers are asked side by side, not counting those that are asked for longer than
    ``slow_after`` seconds: a slow one delays none but itself. A failure is that workload's ``tools_problem``; so is a
    list that was cut at ``max_tools``. With ``late``, the slow ones are left there, each as a task of its name.
    """
    request = [workload for workload in workloads if workload.tools is None and is_running(workload.status)]
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
            on_progress(done, len(request))
        return observed

    slow = [asyncio.Event() for _ in request]
    tasks = [asyncio.create_task(ask(*item), name=item[0].name) for item in zip(request, slow, strict=True)]
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
    transport = announced_transport(workload.transport, workload.proxy_mode)
    try:
        fetched = await fetch_tools(workload.endpoint, transport, timeout=timeout, max_tools=max_tools)
    except ToolsError as error:
        structlog.get_logger().info(
            "tools not fetched",
            endpoint=redact_url(workload.endpoint),
            reason=str(error),
            workload=label_of(workload.name),
        )
        return workload.model_copy(update={"tools_problem": str(error)})
    cut = f"it lists more than {max_tools} tools; the others are left out" if fetched.cut else None
    problems = [problem for problem in (cut, fetched.problem) if problem]
    problem = "; ".join(problems) or None
    return workload.model_copy(
        update={"tools": fetched.tools, "tools_problem": problem, "tools_partial": fetched.partial}
    )


class _Pages:
    """The pages of a listing: the tools given so far, and why it ended early."""

    def __init__(self, max_tools: int) -> None:
        self.given: list[Any] = []
        self.problem: str | None = None
        self.more = False
        """Whether there were more tools than were asked for."""
        self._max_tools = max_tools
        self._names: set[str] = set()

    async def read(self, session: Session) -> None:
        """Read page after page. Raises McpServerError."""
        cursor: Any = None
        cursors: set[str] = set()
        idle = 0
        for _ in range(_MAX_PAGES):
            page = await self._page(session, cursor)
            idle = 0 if self._take(page.get("tools")) else idle + 1
            cursor = page.get("nextCursor")
            if self.problem or self.more or cursor is None or cursor == "":
                return
            if not isinstance(cursor, str):
                self.problem = f"its tools/list pagination is not MCP: nextCursor is {kind_of(cursor)}"
                return
            if cursor in cursors or idle >= _MAX_EMPTY_PAGES:
                self.problem = "tools/list pagination loops"
                return
            cursors.add(cursor)
        self.problem = f"it gives more than {_MAX_PAGES} pages of tools"

    async def _page(self, session: Session, cursor: str | None) -> dict[str, Any]:
        try:
            return await session.request("tools/list", {} if cursor is None else {"cursor": cursor})
        except McpServerError as failure:
            if failure.error is None or "tools" in session.capabilities:
                raise
            return {"tools": []}  # it never said that it had any

    def _take(self, tools: object) -> bool:
        """Add a page's tools; whether any was new. More than were asked for are left out."""
        if not isinstance(tools, list):
            self.problem = f"its list of tools is {kind_of(tools)}, not a list"
            return False
        room = max(self._max_tools + 1 - len(self.given), 0)
        names = {_name(tool) for tool in tools[:room]}
        news = bool(names - self._names)
        if news:  # a page that repeats says nothing about its tools that was not said
            self.given += tools[:room]
        self._names |= names
        self.more = len(self.given) > self._max_tools or len(tools) > room
        return news


def _name(tool: object) -> str:
    name = tool.get("name") if isinstance(tool, dict) else None
    return name if isinstance(name, str) else repr(tool)[:200]
