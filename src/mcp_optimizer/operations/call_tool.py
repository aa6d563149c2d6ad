"""Calling a tool of a running workload: may agents call it, is it there, and what it answers."""

import asyncio
import difflib
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mcp_optimizer.config import Settings
from mcp_optimizer.db import search_reads
from mcp_optimizer.db.search_index import Side
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.models import Workload, is_running
from mcp_optimizer.domain.progress import CallProgressCallback
from mcp_optimizer.domain.sealing import is_sealed
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.tools.calls import CallPeer, RawResult, announced_transport
from mcp_optimizer.domain.tools.response_limit import Item, limited
from mcp_optimizer.errors import CallError, NotFoundError, SourceError
from mcp_optimizer.sources.base import AddressBook, Source
from mcp_optimizer.text import one_line, shorten
from mcp_optimizer.tokens import count_text_tokens

if TYPE_CHECKING:
    from mcp_optimizer.sources.mcp.calls import Connections


class ToolCaller:
    """Calls tools. Connections to their servers are kept between calls, until :meth:`close`."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._visibility = settings.visibility()
        self._connections: Connections | None = None
        self.source: str | Source | None = None
        """What is asked for addresses that are not stored; None: what the settings say."""
        self.on_tools_changed: Callable[[str], None] | None = None
        """Told of an endpoint whose server says that its tools are others now."""

    async def call(
        self,
        server: str,
        tool: str,
        parameters: dict[str, Any],
        *,
        meta: Mapping[str, Any] | None = None,
        on_progress: CallProgressCallback | None = None,
        peer: CallPeer | None = None,
        visibility: AgentVisibility | None = None,
    ) -> RawResult:
        """The tool's own result, as it came. ``visibility``: what the caller sees, else what settings let agents see.

        Raises NotFoundError, CallError.
        """
        workload = await self._callable(server, tool, visibility or self._visibility)
        endpoint = await self._endpoint(workload)
        if self._connections is None:  # the SDK takes a second to import
            module = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.mcp.calls")
            self._connections = self._connections or module.Connections(on_tools_changed=self._tools_changed)
        try:
            result = await self._connections.call(
                endpoint,
                announced_transport(workload.transport, workload.proxy_mode),
                tool,
                parameters,
                seconds=self._settings.tool_call_timeout,
                connect_seconds=self._settings.mcp_timeout,
                meta=meta,
                on_progress=on_progress,
                peer=peer,
            )
        except CallError as error:
            raise CallError(f"{one_line(server)} {error.message}") from None
        most = self._settings.max_tool_response_tokens
        return result if most is None else await asyncio.to_thread(_limited, result, most)

    def _tools_changed(self, endpoint: str) -> None:
        if self.on_tools_changed is not None:
            self.on_tools_changed(endpoint)

    async def close(self) -> None:
        """End the connections."""
        if self._connections is not None:
            await self._connections.close()

    async def _endpoint(self, workload: Workload) -> str:
        """Where it answers. An address that holds a credential is not stored, and asked of its source again (S7)."""
        if workload.endpoint is None:
            raise CallError(f"{_named(workload.name)} has no endpoint that could be called")
        if not is_sealed(workload.endpoint):
            return workload.endpoint
        source = self.source
        if source is None or isinstance(source, str):
            locate = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.open_source")
            source = locate.open_source(source, self._settings)
        try:
            endpoint = await source.endpoint(workload.name) if isinstance(source, AddressBook) else None
        except SourceError as error:
            raise CallError(f"{_named(workload.name)}: its address can't be asked for: {error.message}") from None
        if endpoint is None or is_sealed(endpoint):
            raise CallError(
                f"{_named(workload.name)} has an address with a credential, which is not stored, and the source does "
                "not give it",
                remedy="serve with the source that lists it: `serve --from SOURCE`",
            )
        return endpoint

    async def _callable(self, server: str, tool: str, visibility: AgentVisibility) -> Workload:
        """The workload, when agents may call it and it has the tool. Raises NotFoundError, CallError."""
        async with self._store.database.reading() as connection:
            rows = await search_reads.server_rows(connection, Side.WORKLOAD)
            exposed = {row.name: row.status or "" for row in visibility.exposed(rows)}
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
        return workload


def _limited(result: RawResult, most: int) -> RawResult:
    """The result, or what of it fits into ``most`` tokens, a notice first."""
    content = result.get("content")
    given = content if isinstance(content, list) else []
    items = [_item(item) for item in given]
    structured = result.get("structuredContent")
    empty = {"type": "text", "text": ""}
    cached = limited(
        items,
        None if structured is None else _json(structured),
        most=most,
        count=count_text_tokens,
        notice_frame=_item(empty).frame,
    )
    if cached.notice is None:
        return result
    shown: list[Any] = [{**empty, "text": cached.notice}]
    shown += [given[place] if text is None else {**given[place], "text": text} for place, text in cached.items]
    left = {key: member for key, member in result.items() if key != "structuredContent" or cached.structured}
    return {**left, "content": shown}


def _item(content: Any) -> Item:
    if not isinstance(content, dict) or content.get("type") != "text" or not isinstance(content.get("text"), str):
        return Item(frame=_json(content))
    return Item(frame=_json({**content, "text": ""}), text=content["text"])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _named(name: str) -> str:
    return shorten(one_line(name), 120)


def _nearest(name: str, names: Sequence[str]) -> str:
    """The names that were probably meant, in words."""
    near = difflib.get_close_matches(name[:200], names[:2000], n=3, cutoff=0.5)
    return f"; did you mean {', '.join(map(_named, near))}?" if near else ""
