"""What a failure of an MCP server means for the connection and the call."""

import pytest

from mcp_optimizer.sources.mcp.failures import McpServerError, first_cause, rpc_failure, status_failure


@pytest.mark.parametrize(
    "message",
    ["Session not found", "session has expired", "Invalid session ID", "Server not initialized", "No active session"],
)
def test_words_that_tell_a_lost_session(message: str) -> None:
    failure = rpc_failure({"code": -32000, "message": message})
    assert (failure.lost_session, failure.retires, failure.retries) == (True, True, True)


@pytest.mark.parametrize("message", ["city not found", "the session room is full", "file is not readable", ""])
def test_words_that_tell_no_lost_session(message: str) -> None:
    failure = rpc_failure({"code": -32000, "message": message})
    assert (failure.lost_session, failure.retires, failure.retries) == (False, False, False)


@pytest.mark.parametrize(
    ("status", "retires", "retries"),
    [(400, True, True), (401, True, True), (404, True, True), (429, True, False), (500, True, False)],
)
def test_what_a_bare_status_means(status: int, retires: bool, retries: bool) -> None:
    failure = status_failure(status, {}, b"")
    assert (failure.retires, failure.retries) == (retires, retries)


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("text/plain", b"too many\nrequests", "answered HTTP 429: too many"),
        ("text/html", b"<html>secret</html>", "answered HTTP 429"),
        ("application/json", b'{"error":"quota","error_description":"used up"}', "answered HTTP 429: used up"),
        ("application/json", b'{"error":{"code":1,"message":"m","data":{"a":1}}}', 'answered HTTP 429: m ({"a": 1})'),
        ("application/json", b"[[[", "answered HTTP 429"),
    ],
)
def test_the_servers_own_words_are_told(kind: str, body: bytes, reason: str) -> None:
    assert str(status_failure(429, {"content-type": kind}, body)) == reason


def test_the_first_cause_counts_unless_it_says_nothing() -> None:
    bare, told = status_failure(404, {}, b""), McpServerError("needs authentication")
    worded = status_failure(400, {}, b'{"error":{"message":"licence expired"}}')
    assert first_cause(bare, told) is told
    assert first_cause(bare, status_failure(405, {}, b"")) is bare
    assert first_cause(worded, told) is worded
