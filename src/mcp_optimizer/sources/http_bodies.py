"""Bodies of HTTP responses, read no further than they may be: what is counted is what they unpack to.

A client asks for no encoding at all (:data:`IDENTITY`). Some servers compress all the same: one gzip or deflate is
unpacked piece by piece, any other encoding and any chain of them is refused.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx2

IDENTITY: Final = "identity"
"""The value of ``Accept-Encoding``."""
_PIECE_BYTES: Final = 256 * 1024
"""So much is unpacked before others get their turn."""
_GZIP: Final = zlib.MAX_WBITS | 16


class BodyError(Exception):
    """Why a body is not read, as what the server did: ``sent more than 100 bytes``."""


class TooLargeError(BodyError):
    """The body is larger than it may be."""


async def body_chunks(response: httpx2.Response, max_bytes: int) -> AsyncIterator[bytes]:
    """The pieces of a body, unpacked, ``max_bytes`` at most. Raises BodyError, httpx2.HTTPError."""
    decoder = _decoder(response)
    size = 0
    async for raw in response.aiter_raw():
        pieces = [raw] if decoder is None else decoder.pieces(raw)
        for place, piece in enumerate(pieces):
            size += len(piece)
            if size > max_bytes:
                raise TooLargeError(f"sent more than {max_bytes:,} bytes")
            if piece:
                yield piece
            if place:
                await asyncio.sleep(0)
    if decoder is not None and not decoder.complete:
        raise BodyError("sent a body that can't be decompressed")


async def read_body(response: httpx2.Response, max_bytes: int) -> bytearray:
    """The whole body, unpacked. Raises BodyError, httpx2.HTTPError."""
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise TooLargeError(f"sent more than {max_bytes:,} bytes")
    body = bytearray()
    async for piece in body_chunks(response, max_bytes):
        body += piece
    return body


async def body_start(response: httpx2.Response, max_bytes: int = 4096) -> bytes:
    """What a body begins with; empty where it can't be read."""
    start = b""
    try:
        async for piece in body_chunks(response, max_bytes):
            start += piece
    except (BodyError, httpx2.HTTPError, httpx2.StreamError, OSError):
        pass
    return start


def _decoder(response: httpx2.Response) -> "_Decoder | None":
    names = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
    encodings = [name for name in names if name and name != IDENTITY]
    if not encodings:
        return None
    if len(encodings) == 1 and encodings[0] in {"gzip", "x-gzip", "deflate"}:
        return _Decoder(gzip=encodings[0] != "deflate")
    raise BodyError(f"sent a body in an encoding that was not asked for: {', '.join(encodings)[:60]}")


class _Decoder:
    """Unpacks gzip or deflate, never more than a piece at once."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._begun = False
        self._inner = zlib.decompressobj(_GZIP if gzip else zlib.MAX_WBITS)

    @property
    def complete(self) -> bool:
        """Whether the end of the data was seen, or nothing was sent at all."""
        return self._inner.eof or not self._begun

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What this much of the body unpacks to."""
        try:
            while data:
                if self._inner.eof:  # gzip may consist of several members
                    if not self._gzip:
                        return
                    self._inner = zlib.decompressobj(_GZIP)
                yield self._unpack(data)
                data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
        except zlib.error:
            raise BodyError("sent a body that can't be decompressed") from None

    def _unpack(self, data: bytes) -> bytes:
        first, self._begun = not self._begun, True
        try:
            return self._inner.decompress(data, _PIECE_BYTES)
        except zlib.error:
            if self._gzip or not first:
                raise
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)  # some send deflate without its zlib frame
            return self._inner.decompress(data, _PIECE_BYTES)
