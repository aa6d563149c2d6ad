"""Where a server searches: by itself while few ask at once, and in processes of their own while many do.

Searching is work for the processor, and Python does one thing at a time in a process: without others, searches would
wait for each other on one core, and everything else would wait for them. As long as nobody needs another process there
is none: each takes the memory of a model and of the vectors.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from mcp_optimizer.domain.views import CountedHits, SearchQuery
from mcp_optimizer.errors import OptimizerError, TooBusyError
from mcp_optimizer.server.workers.client import WorkerClient, WorkerExitedError
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.service import CountedSearch, DataService

_MAX_LOCAL_SEARCHES: Final = 8
"""Searches under way, for each process there is, before another is started."""
_IDLE_SECONDS: Final = 600.0
"""Seconds without a search after which a process is ended."""
_COOLDOWN_SECONDS: Final = 60.0
"""Seconds after a process has failed until another is started; and between looks for idle ones."""

_BUSY_SHARE: Final = 0.9
"""A process is asked a moment after the time of a search began."""

log = structlog.get_logger(__name__)


def another_wanted(under_way: int, *, processes: int, most: int) -> bool:
    """Whether another process should search. ``under_way``: searches; ``processes``: those that run or are started."""
    return processes < most and under_way > _MAX_LOCAL_SEARCHES * (processes + 1)


class SearchPool:
    """Searches for agents. ``most``: processes beside this one; none are started outside :meth:`kept`."""

    def __init__(self, service: "DataService", *, most: int) -> None:
        self._service = service
        self._most = most
        self._under_way = 0
        self.searchers: list[WorkerClient] = []
        """The processes that search, beside this one."""
        self.starting: asyncio.Task[None] | None = None
        self._cooldown_until = 0.0
        self._open = False

    @property
    def processes(self) -> int:
        """How many they are."""
        return len(self.searchers)

    async def counted(self, query: SearchQuery) -> CountedHits:
        """What the search finds, wherever it is done. Raises TooBusyError, TooSlowError, and what searches raise."""
        most = self._service.settings.max_searches_at_once
        if self._under_way >= most:
            raise TooBusyError(f"{most} searches are under way already", remedy="ask again in a second")
        self._under_way += 1
        try:
            self._grow()
            return await self._service.search_counted(query, self._dispatch)
        finally:
            self._under_way -= 1

    async def _dispatch(self, query: SearchQuery, here: "CountedSearch") -> CountedHits:
        """Search in another process; ``here`` where there is none."""
        while searcher := self._least_busy():
            try:
                return await searcher.counted(query)
            except WorkerExitedError:
                self._forget(searcher)
            except asyncio.CancelledError:
                self._kill_if_stuck(searcher)
                raise
        return await here(query)

    def _least_busy(self) -> WorkerClient | None:
        return min(self.searchers, key=lambda searcher: searcher.outstanding, default=None)

    def _forget(self, searcher: WorkerClient) -> None:
        """It has ended by itself: that is logged once, and not repeated at once."""
        if searcher in self.searchers:
            self.searchers.remove(searcher)
            searcher.kill()
            self._cooldown_until = self._service.runtime.monotonic() + _COOLDOWN_SECONDS
            log.warning("a process that searches has ended", pid=searcher.pid)

    def _kill_if_stuck(self, searcher: WorkerClient) -> None:
        """A process that has not answered anything for as long as one search may take is given up."""
        silent = self._service.runtime.monotonic() - searcher.last_heard
        if silent >= _BUSY_SHARE * self._service.settings.search_timeout:
            searcher.kill()

    def _grow(self) -> None:
        if self.starting is not None or not self._open:
            return
        if not another_wanted(self._under_way, processes=self.processes, most=self._most):
            return
        if self._service.runtime.monotonic() >= self._cooldown_until:
            self.starting = asyncio.create_task(self._start(), name="start a searcher")

    async def _start(self) -> None:
        runtime = self._service.runtime
        try:
            searcher = await WorkerClient.started(self._service.settings, runtime.monotonic)
        except (WorkerExitedError, OSError, TimeoutError, OptimizerError) as error:
            self._cooldown_until = runtime.monotonic() + _COOLDOWN_SECONDS
            log.warning("no process to search in could be started", reason=redact_message(repr(error)))
        else:
            self.searchers.append(searcher)
            log.info("searching in another process", pid=searcher.pid, processes=self.processes)
        finally:
            self.starting = None

    async def _reap_idle(self) -> None:
        runtime = self._service.runtime
        while True:
            await runtime.sleep(_COOLDOWN_SECONDS)
            await self.end_idle(runtime.monotonic())

    async def end_idle(self, now: float) -> None:
        """End the processes that have had nothing to do for long."""
        for searcher in list(self.searchers):
            if not searcher.outstanding and now - searcher.last_heard > _IDLE_SECONDS:
                self.searchers.remove(searcher)
                log.info("an idle process that searches is ended", pid=searcher.pid, processes=self.processes)
                await searcher.end()

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None]:
        """Processes may be started for as long as the block runs, and have ended when it has."""
        self._open = True
        tending = asyncio.create_task(self._reap_idle(), name="end idle searchers")
        try:
            yield
        finally:
            self._open = False
            tasks = [task for task in (tending, self.starting) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            searchers, self.searchers = self.searchers, []
            await asyncio.gather(*(searcher.end() for searcher in searchers))
