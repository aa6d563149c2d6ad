"""A process that searches for a server, spoken to over its pipes (see ``searcher``).

It reads the same database and changes nothing. It does one thing at a time, in one thread: nothing else waits for its
loop. It ends when its input does, so also when the server is killed.
"""

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.views import CountedHits, SearchQuery
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.event_loop import make_loop, spare_what_stays
from mcp_optimizer.server.workers.messages import (
    MAX_MESSAGE_BYTES,
    READY,
    SearchRequest,
    SearchResponse,
    decode_request,
    encode_response,
)
from mcp_optimizer.text import redact_message

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

_CONCURRENCY: Final = 4
"""Searches under way at once, where the database is asked over a network."""


class SearchResponder:
    """SearchResponder searches in the order in which they were asked. ``output`` takes lines."""

    def __init__(self, service: "DataService", output: Any) -> None:
        self._service = service
        self._output = output
        self._asked: asyncio.Queue[int] = asyncio.Queue()
        self._queries: dict[int, SearchQuery] = {}

    def take(self, asked: SearchRequest) -> None:
        """Remember a search, or that nobody waits for it any more."""
        number, query = asked
        if query is None:
            self._queries.pop(number, None)
        else:
            self._queries[number] = query
            self._asked.put_nowait(number)

    async def go_on(self) -> None:
        """Answer one after the other. Never ends by itself."""
        while True:
            number = await self._asked.get()
            query = self._queries.pop(number, None)
            if query is not None:
                self._output.write(encode_response(SearchResponse(number, await self._result(query))))
            await asyncio.sleep(0)  # new lines are read even where no search waits for anything

    async def _result(self, query: SearchQuery) -> CountedHits | OptimizerError:
        try:
            return await self._service.search_counted(query)
        except OptimizerError as error:
            return error
        except Exception as error:  # noqa: BLE001 (a mistake of ours ends one search, not the process)
            return OptimizerError(f"the search failed unexpectedly: {redact_message(repr(error))}")


async def answer(lines: asyncio.StreamReader, output: Any, settings: Settings) -> None:
    """Answer until the input ends."""
    from mcp_optimizer.service import DataService  # noqa: PLC0415 (its messages are needed without it)

    async with DataService(settings, read_only=True, single_threaded=True) as service, asyncio.TaskGroup() as group:
        await service.warm_up()
        spare_what_stays()
        answers = SearchResponder(service, output)
        workers = [group.create_task(answers.go_on()) for _ in range(_CONCURRENCY)]
        output.write(encode_response(SearchResponse(READY, CountedHits([], 0))))
        while line := await lines.readline():
            answers.take(decode_request(line))
        for worker in workers:
            worker.cancel()


async def _over_pipes() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=MAX_MESSAGE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    own = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is none of the answers
    output, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, own)
    await answer(lines, output, Settings.model_validate_json(await lines.readline()))


def run() -> None:
    """Be that process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server decides when this ends
        signal.signal(number, signal.SIG_IGN)
    asyncio.run(_over_pipes(), loop_factory=make_loop)
