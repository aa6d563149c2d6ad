"""A process that searches, as the server sees it: it is asked over its pipes, and found out to be gone."""

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Callable
from typing import Final, Self

import structlog

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.views import CountedHits, SearchQuery
from mcp_optimizer.server.workers.messages import (
    MAX_MESSAGE_BYTES,
    READY,
    SearchRequest,
    decode_response,
    encode_request,
)

_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 5.0
"""How long a process may take to end once its input has."""

log = structlog.get_logger(__name__)


class WorkerExitedError(Exception):
    """The process has ended, or was ended, before it answered."""


class WorkerClient:
    """A running process. Make one with :meth:`started`."""

    def __init__(self, process: asyncio.subprocess.Process, monotonic: Callable[[], float]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._monotonic = monotonic
        self._numbers = itertools.count(READY + 1)
        self._waiting: dict[int, asyncio.Future[CountedHits]] = {}
        self._listening: asyncio.Task[None] | None = None
        self.gone = False
        self.last_heard = monotonic()
        """When it last answered, or was asked while it had nothing to do; of the same clock as ``monotonic``."""

    @property
    def outstanding(self) -> int:
        """Searches that it has not answered yet."""
        return len(self._waiting)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @classmethod
    async def started(cls, settings: Settings, monotonic: Callable[[], float]) -> Self:
        """A process that is ready to search. Raises WorkerExitedError, OSError, TimeoutError, or its own error."""
        instance = cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mcp_optimizer", "search-process",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=MAX_MESSAGE_BYTES,
            ),
            monotonic,
        )  # fmt: skip
        ready = instance._waiting[READY] = asyncio.get_running_loop().create_future()
        instance._listening = asyncio.create_task(instance._listen(), name="searcher")
        try:
            instance._input.write(settings.model_dump_json(exclude={"mcp_token"}).encode() + b"\n")
            async with asyncio.timeout(_START_SECONDS):
                await ready
        except BaseException:
            await asyncio.shield(instance.end())
            raise
        return instance

    async def counted(self, query: SearchQuery) -> CountedHits:
        """What the search finds. Raises WorkerExitedError, and what the search raises."""
        if not self._waiting:
            self.last_heard = self._monotonic()
        number = next(self._numbers)
        self._ask(SearchRequest(number, query))
        result = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            return await result
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None:
                with contextlib.suppress(WorkerExitedError):
                    self._ask(SearchRequest(number, None))
            raise

    def _ask(self, asked: SearchRequest) -> None:
        """Raises WorkerExitedError, also where the process has ended and nobody has noticed yet."""
        if self.gone:
            raise WorkerExitedError
        try:
            self._input.write(encode_request(asked))
        except (OSError, RuntimeError) as error:  # loops differ in what a closed pipe is to them
            raise WorkerExitedError from error

    async def _listen(self) -> None:
        try:
            while line := await self._output.readline():
                self.last_heard = self._monotonic()
                number, result = decode_response(line)
                value = self._waiting.pop(number, None)
                if value is None or value.done():
                    continue
                if isinstance(result, CountedHits):
                    value.set_result(result)
                else:
                    value.set_exception(result)
        except Exception:  # whatever it said, it can't be understood
            log.exception("a process that searches is not understood", pid=self.pid)
            self.kill()
        finally:
            self.gone = True
            waiting, self._waiting = self._waiting, {}
            for value in waiting.values():
                if not value.done():
                    value.set_exception(WorkerExitedError())

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """End it in order; at once where it does not."""
        self._input.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening
