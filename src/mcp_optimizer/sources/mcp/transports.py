"""The ways to an MCP server: streamable HTTP, and SSE with a second URL for what is posted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import httpx2

from mcp_optimizer.sources.bounded_http import HttpEndpoint, is_stream, within_origin
from mcp_optimizer.sources.http_bodies import body_chunks, body_start, read_body
from mcp_optimizer.sources.mcp.failures import BROKEN_OFF, McpServerError, status_failure
from mcp_optimizer.sources.mcp.messages import (
    MAX_MESSAGE_BYTES,
    NOT_MCP,
    SseDecoder,
    SseEvent,
    as_messages,
    parse_message,
)
from mcp_optimizer.text import redact_url

type Message = dict[str, Any]
type OnMessage = Callable[[Message], Awaitable[None]]
"""Told of every message that is not the answer waited for."""

_ACCEPT: Final = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
_SESSION_ID: Final = "mcp-session-id"
_ENDPOINT_SECONDS: Final = 5.0
"""How long an SSE server may take to say where to post."""
_CLOSING_SECONDS: Final = 3.0
_MAX_RESUMES: Final = 2
_MAX_RETRY_SECONDS: Final = 5.0
_MAX_EVENTS: Final = 100_000
"""Events of one answer."""
_EVENTS_AT_ONCE: Final = 50
"""So many events are looked at before others get their turn."""
_MAX_IDLE_EVENTS: Final = 10_000
"""Events within a minute of a stream that nobody waits for."""


class Transport(Protocol):
    """A way to send messages to one server."""

    ended: asyncio.Event
    """Set when the server has ended the connection."""

    async def open(self) -> None:
        """Connect. Raises McpServerError."""

    async def exchange(self, message: Message, headers: Mapping[str, str], on_message: OnMessage) -> Message:
        """The answer to a request. Raises McpServerError."""
        ...

    async def post(self, message: Message, headers: Mapping[str, str]) -> None:
        """Send a notification or an answer. Raises McpServerError."""

    async def listen(self, headers: Mapping[str, str]) -> None:
        """Take what the server sends by itself, for as long as it does. Never raises McpServerError."""

    async def close(self) -> None:
        """End the connection."""


def transports_for(endpoint: str, announced: str) -> "tuple[Callable[[str, OnMessage], Transport], ...]":
    """The transports to try at an endpoint, in order: the one that is announced, then the other."""
    says_sse = endpoint.partition("?")[0].rstrip("/").endswith("/sse")
    if announced == "sse" or (says_sse and not announced.startswith("streamable")):
        return (SseTransport, StreamableTransport)
    return (StreamableTransport, SseTransport)


async def _events(response: httpx2.Response, *, waited_for: bool) -> AsyncIterator[SseEvent]:
    """The events of a stream, bounded in size and number: of the whole where it is one answer, else of a minute."""
    decoder = SseDecoder(MAX_MESSAGE_BYTES)
    clock = asyncio.get_running_loop().time
    since, size, number = clock(), 0, 0
    most = _MAX_EVENTS if waited_for else _MAX_IDLE_EVENTS
    async for chunk in body_chunks(response, 2**62):
        if not waited_for and clock() - since > 60.0:
            since, size, number = clock(), 0, 0
        size += len(chunk)
        if size > 2 * MAX_MESSAGE_BYTES:
            raise McpServerError(f"sent more than {2 * MAX_MESSAGE_BYTES:,} bytes")
        for event in decoder.feed(chunk):
            number += 1
            if number > most:
                raise McpServerError(f"sent more than {most:,} events")
            if number % _EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)
            yield event


async def _refuse_status(response: httpx2.Response) -> None:
    if not response.is_success:
        raise status_failure(response.status_code, response.headers, await body_start(response))


def _refuse_no_stream(response: httpx2.Response) -> None:
    if not is_stream(response):
        raise McpServerError(f"{NOT_MCP}: no SSE stream", executed=False, other_transport=True)


def _is_answer(message: Message) -> bool:
    return "method" not in message and ("result" in message or "error" in message)


class StreamableTransport:
    """Streamable HTTP: each request is posted, and its answer is JSON or a stream of its own."""

    def __init__(self, endpoint: str, on_message: OnMessage) -> None:
        self._http = HttpEndpoint(endpoint)
        self._on_message = on_message
        self._session_id: str | None = None
        self.ended = asyncio.Event()

    async def open(self) -> None:
        """Nothing: the first request connects."""

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        session = {_SESSION_ID: self._session_id} if self._session_id else {}
        return {**_ACCEPT, **session, **headers}

    async def exchange(self, message: Message, headers: Mapping[str, str], on_message: OnMessage) -> Message:
        """The answer to a request, however its server chose to send it."""
        last: SseEvent | None = None
        request = self._headers(headers)
        if message["method"] == "initialize":
            request.pop(_SESSION_ID, None)
        async with self._http.send("POST", request, message) as response:
            await _refuse_status(response)
            if message["method"] == "initialize":
                self._session_id = response.headers.get(_SESSION_ID)
            if not is_stream(response):
                return await self._answer_in_body(response, on_message)
            answer, last = await self._answer_in_stream(response, on_message)
        for _ in range(_MAX_RESUMES):
            if answer is not None or last is None:
                break
            await asyncio.sleep(min((last.retry_ms or 0) / 1000, _MAX_RETRY_SECONDS))
            async with self._http.send("GET", {**self._headers(headers), "last-event-id": last.id}) as response:
                await _refuse_status(response)
                answer, last = await self._answer_in_stream(response, on_message)
        if answer is None:
            raise McpServerError(BROKEN_OFF)
        return answer

    async def _answer_in_body(self, response: httpx2.Response, on_message: OnMessage) -> Message:
        body = await read_body(response, MAX_MESSAGE_BYTES)
        if not body.strip():
            raise McpServerError(f"answered HTTP {response.status_code} without a response", other_transport=True)
        answer: Message | None = None
        for message in as_messages(await parse_message(body)):
            if _is_answer(message):
                answer = message
            else:
                await on_message(message)
        if answer is None:
            raise McpServerError(f"{NOT_MCP}: it has neither result nor error", other_transport=True)
        return answer

    async def _answer_in_stream(
        self, response: httpx2.Response, on_message: OnMessage
    ) -> tuple[Message | None, SseEvent | None]:
        """The answer, or the last event from which the stream can be resumed."""
        last: SseEvent | None = None
        try:
            async for event in _events(response, waited_for=True):
                last = event if event.id else last
                if event.event != "message" or not event.data:
                    continue
                for message in as_messages(await parse_message(event.data)):
                    if _is_answer(message):
                        return message, last
                    await on_message(message)
        except (httpx2.HTTPError, OSError):
            if last is None:
                raise
        return None, last

    async def post(self, message: Message, headers: Mapping[str, str]) -> None:
        """Send a notification or an answer."""
        async with self._http.send("POST", self._headers(headers), message) as response:
            await _refuse_status(response)

    async def listen(self, headers: Mapping[str, str]) -> None:
        """Take what the server sends by itself, if it has a session and offers such a stream."""
        if not self._session_id:
            return
        with suppress(McpServerError):
            async with self._http.send("GET", {**self._headers(headers), "accept": "text/event-stream"}) as response:
                if not response.is_success or not is_stream(response):
                    return
                async for event in _events(response, waited_for=False):
                    if event.event == "message" and event.data:
                        for message in as_messages(await parse_message(event.data)):
                            await self._on_message(message)

    async def close(self) -> None:
        """Tell the server that the session ends, and close."""
        try:
            if self._session_id:
                async with asyncio.timeout(_CLOSING_SECONDS):
                    async with self._http.send("DELETE", self._headers({})):
                        pass
        except (McpServerError, TimeoutError):
            pass
        finally:
            await self._http.close()


class SseTransport:
    """SSE: one stream for all that the server sends, and the URL that it names for what is posted."""

    def __init__(self, endpoint: str, on_message: OnMessage) -> None:
        self._http = HttpEndpoint(endpoint)
        self._on_message = on_message
        self._post_url: asyncio.Future[httpx2.URL] = asyncio.get_running_loop().create_future()
        self._waiting: dict[Any, tuple[asyncio.Future[Message], OnMessage]] = {}
        self._failure = McpServerError(BROKEN_OFF)
        self._reading: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()

    async def open(self) -> None:
        """Open the stream, and wait until the server says where to post."""
        self._reading = asyncio.create_task(self._read(), name="mcp-connection")
        done, _ = await asyncio.wait({self._post_url}, timeout=_ENDPOINT_SECONDS)
        if not done:
            raise McpServerError(
                f"sent no SSE endpoint event within {_ENDPOINT_SECONDS:g} s", executed=False, other_transport=True
            )
        self._post_url.result()

    async def _read(self) -> None:
        try:
            async with self._http.send("GET", {"accept": "text/event-stream", "cache-control": "no-store"}) as response:
                await _refuse_status(response)
                _refuse_no_stream(response)
                async for event in _events(response, waited_for=False):
                    await self._take(event)
        except McpServerError as failure:
            self._failure = failure
        except Exception as error:  # noqa: BLE001 - whatever ends the stream is its reason
            self._failure = McpServerError(f"can't be read: {type(error).__name__}")
        finally:
            self.ended.set()
            if not self._post_url.done():
                self._post_url.set_exception(self._failure)
                self._post_url.exception()  # it may be that nobody waits any more
            for future, _ in self._waiting.values():
                if not future.done():
                    future.set_exception(self._failure)
                    future.exception()

    async def _take(self, event: SseEvent) -> None:
        if event.event == "endpoint":
            if not self._post_url.done():
                self._post_url.set_result(self._endpoint(event.data.decode("utf-8", "replace").strip()))
            return
        if event.event != "message" or not event.data:
            return
        for message in as_messages(await parse_message(event.data)):
            if not _is_answer(message):
                await self._on_message(message)
                continue
            future, _ = self._waiting.get(_key(message.get("id")), (None, None))
            if future is not None and not future.done():
                future.set_result(message)

    def _endpoint(self, location: str) -> httpx2.URL:
        base = self._http.url
        try:
            target = base.join(location)
        except (httpx2.InvalidURL, ValueError):
            raise McpServerError("names an SSE endpoint that is no URL", executed=False) from None
        inside = within_origin(target, base)
        if inside is None:
            raise McpServerError(
                f"names an SSE endpoint on another host, which is not followed: {redact_url(str(target))}",
                executed=False,
            )
        return inside

    async def exchange(self, message: Message, headers: Mapping[str, str], on_message: OnMessage) -> Message:
        """The answer to a request, which comes over the stream. What its POST is answered with counts more."""
        if self.ended.is_set():
            raise McpServerError(str(self._failure), executed=False)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[_key(message["id"])] = (future, on_message)
        posting = asyncio.create_task(self.post(message, headers))
        try:
            await asyncio.wait({future, posting}, return_when=asyncio.FIRST_COMPLETED)
            if future.done() and future.exception() is not None:
                # A server that was restarted ends the stream of before, and then says that it does not know it.
                await asyncio.wait({posting}, timeout=1.0)
            if posting.done() and posting.exception() is not None and (not future.done() or future.exception()):
                posting.result()
            return await future
        finally:
            posting.cancel()
            future.cancel()
            with suppress(asyncio.CancelledError, McpServerError):
                await posting
            del self._waiting[_key(message["id"])]

    async def post(self, message: Message, headers: Mapping[str, str]) -> None:
        """Post to the URL that the server named."""
        async with self._http.send("POST", {**_ACCEPT, **headers}, message, url=await self._post_url) as response:
            await _refuse_status(response)

    async def listen(self, headers: Mapping[str, str]) -> None:
        """Nothing: there is one stream for everything."""

    async def close(self) -> None:
        """End the stream."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        await self._http.close()


def _key(identifier: Any) -> Any:
    """Some servers give a request's number back as a text."""
    return str(identifier) if isinstance(identifier, int | str) else None
