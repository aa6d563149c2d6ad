"""Servers that say that their tools are others now: they are listed again soon, and not too often."""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from mcp_optimizer.clock import Runtime

if TYPE_CHECKING:
    from mcp_optimizer.service import Poller

_COLLECT_SECONDS: Final = 0.5
"""Changes within so long are listed together."""
_PAUSE_SECONDS: Final = 10.0
"""From one listing that a server asked for to the next."""

log = structlog.get_logger(__name__)


class ToolChanges:
    """Polls workloads when one of them says that its tools changed."""

    def __init__(self, polling: "Poller", runtime: Runtime) -> None:
        self._polling = polling
        self._runtime = runtime
        self._noted = asyncio.Event()

    def note(self, endpoint: str) -> None:
        """The server at an endpoint says so."""
        del endpoint  # a poll asks all of them
        self._noted.set()

    async def run(self) -> None:
        """List them again, until cancelled."""
        while True:
            await self._noted.wait()
            await self._runtime.sleep(_COLLECT_SECONDS)
            self._noted.clear()
            refreshed = await self._polling.refresh()
            log.info("tools listed again", answered=refreshed.answered, reason=refreshed.reason)
            await self._runtime.sleep(_PAUSE_SECONDS)
