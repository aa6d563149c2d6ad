"""Telling clients that what they would find has changed: each of what it may see, and not more often than it helps."""

import asyncio
import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import structlog
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ToolsListChanged

from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService, VisibleTools

_WATCH_SECONDS: Final = 1.0
_DEBOUNCE_SECONDS: Final = 1.0
"""An ingestion may be followed by another at once; clients are told of both together."""
_RETRY_SECONDS: Final = 10.0
_SEND_SECONDS: Final = 5.0
"""How long one client may take; one that does not read is left."""
_MAX_CLIENTS: Final = 1000

log = structlog.get_logger(__name__)


class ListChanges:
    """Sends ``notifications/tools/list_changed`` for as long as :meth:`run` does."""

    def __init__(self, service: "DataService") -> None:
        self._service = service
        self._clients: OrderedDict[str, tuple[ServerSession, AgentVisibility]] = OrderedDict()
        self._seen: dict[AgentVisibility, VisibleTools] = {}
        self.bus = InMemorySubscriptionBus()
        """For clients of the revision that asks for such events by a request."""

    def add_client(self, key: str, session: ServerSession, visibility: AgentVisibility) -> None:
        """A client is to be told. ``key``: of its session; one that is over is told nothing."""
        self._clients[key] = (session, visibility)
        self._clients.move_to_end(key)
        if len(self._clients) > _MAX_CLIENTS:
            self._clients.popitem(last=False)

    async def run(self) -> None:
        """Watch the store until cancelled. Whatever is wrong with it, watching begins again."""
        while True:
            try:
                await self._watch()
            except OptimizerError as error:
                log.warning("changes are not seen for a while", reason=redact_message(str(error)))
            await self._service.runtime.sleep(_RETRY_SECONDS)

    async def _watch(self) -> None:
        everything = self._service.settings.visibility()
        (self._seen[everything],) = await self._service.visible_tools([everything])
        async with contextlib.aclosing(self._service.watch(_WATCH_SECONDS)) as batches:
            async for batch in batches:  # what changes meanwhile is in the next batch
                if any(change.entity != "serving" for change in batch):
                    await self._service.runtime.sleep(_DEBOUNCE_SECONDS)
                    await self.tell()

    async def tell(self) -> None:
        """Tell every client whose tools differ from those it was last told of."""
        everything = self._service.settings.visibility()
        exposures = list({everything, *(visibility for _, visibility in self._clients.values())})
        now = dict(zip(exposures, await self._service.visible_tools(exposures), strict=True))
        # What a client saw before it was first told of anything is not known: the whole says whether it may differ.
        whole = self._seen.get(everything) != now[everything]
        changed = {
            visibility
            for visibility in exposures
            if (self._seen[visibility] != now[visibility] if visibility in self._seen else whole)
        }
        self._seen = now
        if not changed:
            return
        clients = [session for session, visibility in self._clients.values() if visibility in changed]
        await asyncio.gather(*map(_send, clients))
        await self.bus.publish(ToolsListChanged())


async def _send(session: ServerSession) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SEND_SECONDS):
            await session.send_tool_list_changed()
