"""Messages as bytes: values counted outside of texts, events put together from any pieces (B)."""

import json

import pytest

from mcp_optimizer.sources.mcp import messages as mcp_messages
from mcp_optimizer.sources.mcp.messages import MessageError, SseDecoder, SseEvent, count_values, parse_message


def test_commas_within_texts_are_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_messages, "MAX_VALUES", 10)
    monkeypatch.setattr(mcp_messages, "_INLINE_BYTES", 7)
    for text in ("a," * 500, '\\",\\\\",[' * 50, "\\" * 99 + "," * 20, '"' * 31 + "[," * 20):
        assert count_values(json.dumps({"a": text, "b": [1, 2]}).encode()) == (2, 1)
    assert count_values(json.dumps(["a,b"] * 12).encode())[0] > 10


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_come_whatever_the_pieces(size: int, end: str) -> None:
    lines = [
        "\ufeffevent: a",
        "data: 1",
        "data:2",
        "id: 7",
        "",
        ": comment",
        "",
        "retry: 50",
        "data",
        "",
        "data: ü",
        "",
    ]
    data = end.join([*lines, "data: unfinished"]).encode()
    decoder = SseDecoder(1000)
    events = [event for start in range(0, len(data), size) for event in decoder.feed(data[start : start + size])]
    assert events == [SseEvent(b"1\n2", "a", "7"), SseEvent(b"", retry_ms=50), SseEvent("ü".encode())]


def test_an_event_that_does_not_end_is_refused() -> None:
    decoder = SseDecoder(100)
    for _ in range(10):
        assert list(decoder.feed(b"data: xxxxxxx\n")) == []
    with pytest.raises(MessageError, match="sent more than 100 bytes"):
        list(decoder.feed(b"data: " + b"x" * 30))


async def test_halves_of_characters_are_replaced_and_nul_is_kept() -> None:
    """A lone surrogate can't be sent on as UTF-8."""
    assert await parse_message(b'{"a":"x\\ud800y\\u0000","\\ud83d\\ude00":1}') == {"a": "x\ufffdy\0", "\U0001f600": 1}


@pytest.mark.parametrize("start", ["\U0001f600", "\\ud83d\\ude00", "\U000f0000"])
async def test_long_messages_with_wide_characters_are_refused(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes four bytes for each character of such a text."""
    monkeypatch.setattr(mcp_messages, "MAX_MESSAGE_BYTES", 1_000_000)
    text = '"%s' + "a" * 700_000 + '"'
    assert await parse_message((text % "é").encode()) == "é" + "a" * 700_000
    with pytest.raises(MessageError, match="more than 600,000 bytes with emoji"):
        await parse_message((text % start).encode())
