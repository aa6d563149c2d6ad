"""What is a JSON-RPC message, and what answers what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.server.transport.jsonrpc import Malformed, error_message, id_key, read_message
from mcp_optimizer.server.transport.stdio import LineSplitter


@pytest.mark.parametrize(
    ("content", "code", "request_id"),
    [
        (b"", -32700, None),
        (b"{", -32700, None),
        (b"nonsense", -32700, None),
        (b"\xff\xfe{}", -32700, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "\xff"}', -32700, None),
        (b"[" * 100_000, -32700, None),
        (b"null", -32600, None),
        (b"1", -32600, None),
        (b'"text"', -32600, None),
        (b"[]", -32600, None),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600, None),
        (b"{}", -32600, None),
        (b'{"id": 1, "method": "ping"}', -32600, 1),
        (b'{"jsonrpc": "1.0", "id": "a", "method": "ping"}', -32600, "a"),
        (b'{"jsonrpc": 2.0, "id": "a", "method": "ping"}', -32600, "a"),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600, 1),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}', -32602, 1),
        (b'{"jsonrpc": "2.0", "id": 1, "result": []}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1, "error": "x"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": "y"}}', -32600, None),
    ],
)
def test_what_is_no_message_has_its_error(content: bytes, code: int, request_id: str | int | None) -> None:
    malformed = read_message(content)
    assert isinstance(malformed, Malformed)
    assert (malformed.code, malformed.id) == (code, request_id)
    answer = json.loads(error_message(*malformed))
    assert (answer["error"]["code"], answer["id"]) == (code, request_id)
    assert len(answer["error"]["message"]) < 300


@pytest.mark.parametrize(
    "content",
    [
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": "a", "method": "ping", "params": null}',
        b'{"jsonrpc": "2.0", "method": "notifications/initialized", "params": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
        b'{"jsonrpc": "2.0", "id": null, "error": {"code": -1, "message": "x"}}',
    ],
)
def test_messages_are_taken(content: bytes) -> None:
    assert read_message(content) == json.loads(content)


def test_ids_that_look_alike_are_one() -> None:
    assert id_key(1) == id_key("1") != id_key(2)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 12))
def test_lines_are_the_same_however_they_come_in_parts(parts: list[bytes], most: int) -> None:
    splitter = LineSplitter(most)
    lines = [line for part in parts for line in splitter.feed(part)] + splitter.rest()
    whole = [line for line in b"".join(parts).split(b"\n") if line.strip() or len(line) > most]
    assert lines == [line if len(line) <= most else None for line in whole]
