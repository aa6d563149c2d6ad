"""Calling a tool of a running workload: may agents call it, is it there, and what it answers."""

import asyncio
import difflib
import importlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcp_optimizer.config import Settings
from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.exposure import Exposure
from mcp_optimizer.domain.models import Workload, is_running
from mcp_optimizer.domain.response_limit import Item, limited
from mcp_optimizer.errors import CallError, NotFoundError
from mcp_optimizer.text import one_line, shorten
from mcp_optimizer.tokens import count_text_tokens

if TYPE_CHECKING:
    from mcp_types import CallToolResult

    from mcp_optimizer.sources.mcp_calls import Connections

type OnProgress = Callable[[float, float | None, str | None], Awaitable[None]]


class Calling:
    """Calls tools. Connections to their servers are kept between calls, until :meth:`close`."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._exposure = settings.exposure()
        self._connections: Connections | None = None

    async def call(
        self,
        server: str,
        tool: str,
        parameters: dict[str, Any],
        *,
        on_progress: OnProgress | None = None,
        exposure: Exposure | None = None,
    ) -> "CallToolResult":
        """The tool's own result. ``exposure``: what the caller sees, else what the settings let agents see.

        Raises NotFoundError, CallError.
        """
        workload = await self._callable(server, tool, exposure or self._exposure)
        assert workload.endpoint is not None
        if self._connections is None:  # the SDK takes a second to import
            module = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.mcp_calls")
            self._connections = self._connections or module.Connections()
        try:
            result = await self._connections.call(
                workload.endpoint,
                workload.proxy_mode or workload.transport,
                tool,
                parameters,
                seconds=self._settings.tool_call_timeout,
                connect_seconds=self._settings.mcp_timeout,
                on_progress=on_progress,
            )
        except CallError as error:
            raise CallError(f"{one_line(server)} {error.message}") from None
        most = self._settings.max_tool_response_tokens
        return result if most is None else await asyncio.to_thread(_limited, result, most)

    async def close(self) -> None:
        """End the connections."""
        if self._connections is not None:
            await self._connections.close()

    async def _callable(self, server: str, tool: str, exposure: Exposure) -> Workload:
        """The workload, when agents may call it and it has the tool. Raises NotFoundError, CallError."""
        async with self._store.database.reading() as connection:
            rows = await search_reads.server_rows(connection, Side.WORKLOAD)
            exposed = {row.name: row.status or "" for row in exposure.exposed(rows)}
            if server not in exposed:
                running = [name for name, status in exposed.items() if is_running(status)]
                # The same words whether it is hidden or not there: what is hidden is not told.
                raise NotFoundError(
                    f"no MCP server named {_named(server)}{_nearest(server, running)}",
                    remedy="find_tool and list_tools give the names of servers",
                )
            (workload,) = await self._store.workloads.named(connection, [server])
            if not is_running(exposed[server]):
                why = f" ({shorten(one_line(workload.status_reason), 200)})" if workload.status_reason else ""
                raise NotFoundError(f"{_named(server)} is not running: its status is {one_line(exposed[server])}{why}")
            names = await self._store.workload_tools.names_of_server(connection, workload.id)
        if names and tool not in names:
            raise NotFoundError(f"{_named(server)} has no tool {_named(tool)}{_nearest(tool, names)}")
        if workload.endpoint is None:
            raise CallError(f"{_named(server)} has no endpoint that could be called")
        return workload


def _limited(result: "CallToolResult", most: int) -> "CallToolResult":
    """The result, or what of it fits into ``most`` tokens, a notice first."""
    from mcp_types import TextContent  # noqa: PLC0415 (takes a second, and only what was called has results)

    items = [_item(content) for content in result.content]
    structured = None if result.structured_content is None else _json(result.structured_content)
    empty = TextContent(type="text", text="")
    kept = limited(items, structured, most=most, count=count_text_tokens, notice_frame=_item(empty).frame)
    if kept.notice is None:
        return result
    content = [empty.model_copy(update={"text": kept.notice})]
    for place, text in kept.items:
        whole = result.content[place]
        content.append(whole if text is None else whole.model_copy(update={"text": text}))
    left = {"content": content} if kept.structured else {"content": content, "structured_content": None}
    return result.model_copy(update=left)


def _item(content: Any) -> Item:
    members = content.model_dump(mode="json", by_alias=True, exclude_none=True)
    if members["type"] != "text":
        return Item(frame=_json(members))
    return Item(frame=_json({**members, "text": ""}), text=content.text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _named(name: str) -> str:
    return shorten(one_line(name), 120)


def _nearest(name: str, names: Sequence[str]) -> str:
    """The names that were probably meant, in words."""
    near = difflib.get_close_matches(name[:200], names[:2000], n=3, cutoff=0.5)
    return f"; did you mean {', '.join(map(_named, near))}?" if near else ""
