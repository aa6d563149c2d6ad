"""JSON-RPC messages as bytes: bounded in size, in number of values and in depth, parsed where nobody waits for it."""

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json

from mcp_optimizer.sources.json_values import kind_of

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
MAX_VALUES: Final = 500_000
"""JSON values of one message."""
MAX_LISTS: Final = 200_000
_INLINE_BYTES: Final = 256 * 1024
_QUIET_VALUES: Final = 50_000
"""So many values are parsed without a break: that takes some 10 ms."""
_WIDE_SHARE: Final = 0.6
"""How much of that a message with characters beyond 16 bits may have: Python takes four bytes for each character."""
_WIDE: Final = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4", b"\\ud", b"\\uD")
"""What such characters begin with, in UTF-8 and escaped."""
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_PARSER: Final = ThreadPoolExecutor(2, thread_name_prefix="mcp-parser")


class MessageError(Exception):
    """Why a message is not used, as what the server did: ``sent an answer that is not MCP``."""


NOT_MCP: Final = "sent an answer that is not MCP"


async def parse_message(data: bytes | bytearray) -> Any:
    """The JSON of a message. Raises MessageError.

    A large one is parsed in a thread. The C parser holds the interpreter's lock, so with many values it is made to
    call back into Python for every object, which lets others have their turn.
    """
    if len(data) <= _INLINE_BYTES:
        return _parsed(data, yielding=False)
    return await asyncio.get_running_loop().run_in_executor(_PARSER, _parse_large, data)


def _parse_large(data: bytes | bytearray) -> Any:
    values, lists = count_values(data)
    if values > MAX_VALUES or lists > MAX_LISTS:
        raise MessageError(f"sent more than {MAX_VALUES if values > MAX_VALUES else MAX_LISTS:,} JSON values at once")
    if len(data) > _WIDE_SHARE * MAX_MESSAGE_BYTES and any(start in data for start in _WIDE):
        raise MessageError(f"sent more than {int(_WIDE_SHARE * MAX_MESSAGE_BYTES):,} bytes with emoji in them")
    try:
        value = from_json(data)  # of the bytes: no copy as text
    except ValueError:  # it knows no halves of characters, and fewer levels
        return _parsed(data, yielding=values > _QUIET_VALUES)
    if isinstance(data, bytearray):  # nobody needs it any more
        data.clear()
    return value


def _parsed(data: bytes | bytearray, *, yielding: bool) -> Any:
    try:
        text = data.decode("utf-8-sig")
        if isinstance(data, bytearray):  # nobody needs it any more, and it may be large
            data.clear()
        value = json.loads(text, object_pairs_hook=_object) if yielding else json.loads(text)
        return _encodable(value) if "\\ud" in text or "\\uD" in text else value
    except RecursionError:
        raise MessageError(f"{NOT_MCP}: it is nested too deeply") from None
    except ValueError:
        raise MessageError(NOT_MCP) from None


def _encodable(value: Any) -> Any:
    """The value with halves of characters replaced, which JSON can escape and UTF-8 can't hold."""
    if isinstance(value, str):
        return _HALVES.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(member) for key, member in value.items()}
    return [_encodable(member) for member in value] if isinstance(value, list) else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs)


def count_values(data: bytes | bytearray) -> tuple[int, int]:
    """About how many values, and how many lists, a JSON text holds: commas and brackets outside of texts.

    Counting stops where there are too many.
    """
    values, lists = data.count(b","), data.count(b"[")
    if values <= MAX_VALUES and lists <= MAX_LISTS:
        return values, lists
    values = lists = start = 0
    in_text = False
    while start < len(data) and values <= MAX_VALUES and lists <= MAX_LISTS:
        end = start + _INLINE_BYTES
        while data[end - 1 : end] == b"\\":  # an escape is not cut in two
            end += 1
        parts = bytes(data[start:end]).replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[int(in_text) :: 2])
        values += outside.count(b",")
        lists += outside.count(b"[")
        in_text ^= len(parts) % 2 == 0
        start = end
    return values, lists


def as_messages(value: Any) -> list[dict[str, Any]]:
    """The messages in what was sent: one, or the batch that older versions allow. Raises MessageError."""
    messages = value if isinstance(value, list) and value else [value]
    for message in messages:
        if not isinstance(message, dict):
            raise MessageError(f"{NOT_MCP}: expected a JSON-RPC message, got {kind_of(message)}")
    return messages


@dataclass(frozen=True)
class SseEvent:
    """One event of a stream. ``data`` is empty for one that only gives an id to resume from."""

    data: bytes | bytearray
    event: str = "message"
    id: str = ""
    retry_ms: int | None = None


class SseDecoder:
    """Bytes in, events out. An event of more than ``max_bytes`` is refused before it is whole."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._after_return = False
        self._first = True
        self._clear()

    def _clear(self) -> None:
        self._data: bytearray | None = None
        self._event = ""
        self._id = ""
        self._retry_ms: int | None = None

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """The events that this chunk ends. Raises MessageError."""
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r") if chunk else self._after_return
        *ended, rest = _LINE_END.split(chunk)
        for part in ended:
            line, self._line = self._line, bytearray()
            line += part
            event = self._taken(line)
            if event is not None:
                yield event
        self._line += rest
        if len(self._line) + len(self._data or b"") > self._max_bytes:
            raise MessageError(f"sent more than {self._max_bytes:,} bytes")

    def _taken(self, line: bytearray) -> SseEvent | None:
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            return self._ended()
        if line.startswith(b"data:"):  # may be large: cut in place, not copied
            del line[: 6 if line.startswith(b"data: ") else 5]
            self._take_data(line)
            return None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._take_data(value)
        elif name == b"event":
            self._event = value[:100].decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value[:2000].decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self._retry_ms = int(value[:6])
        return None

    def _take_data(self, value: bytearray) -> None:
        if self._data is None:
            self._data = value
        else:
            self._data += b"\n"
            self._data += value

    def _ended(self) -> SseEvent | None:
        if self._data is None and not self._id and self._retry_ms is None:
            self._clear()
            return None
        event = SseEvent(self._data or b"", self._event or "message", self._id, self._retry_ms)
        self._clear()
        return event
