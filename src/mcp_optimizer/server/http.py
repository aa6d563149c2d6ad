"""HTTP/1.1 as the server speaks it: parsed in C; what comes before a body is bounded, which the parser leaves to us."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD: Final = 64 * 1024
"""Bytes of the headers and trailers of one request, and of a piece of them that does not end."""


class BoundedHttp(HttpToolsProtocol):
    """A connection. A request with too long a head is answered with 400, and the connection closed."""

    _head = 0
    """Bytes of the present request's headers."""
    _unread = 0
    """Bytes that were received since the parser last told of a header or of a body."""

    def data_received(self, data: bytes) -> None:
        """Parse, unless nothing but an endless line comes."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("Too long a line before the body.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer. Raising has the parser end the connection with a 400."""
        self._unread = 0
        self._head += len(name) + len(value)
        if self._head > MOST_HEAD:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of a body, which is bounded further up."""
        self._unread = 0
        super().on_body(body)
