"""Who may ask the MCP server, and where it may be bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.server.rules import host_allowed, is_loopback, origin_allowed, token_matches, why_not_bound


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_needs_nothing(host: str) -> None:
    assert is_loopback(host)
    assert why_not_bound(host, token=None, allowed_hosts=()) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org"])
def test_any_other_address_needs_a_token_and_allowed_hosts(host: str) -> None:
    refused = why_not_bound(host, token=None, allowed_hosts=())
    assert refused is not None
    assert "mcp_token" in refused
    assert "allowed_hosts" in refused
    assert "mcp_token" in str(why_not_bound(host, token="  ", allowed_hosts=("a",)))
    assert "allowed_hosts" in str(why_not_bound(host, token="secret", allowed_hosts=()))
    assert why_not_bound(host, token="secret", allowed_hosts=("a",)) is None


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:9900", True),
        ("localhost", True),
        ("[::1]:9900", True),
        ("LocalHost:1", True),
        ("optimizer.example:9900", True),
        ("any.example", True),
        ("any.example:1234", True),
        ("optimizer.example:9901", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example:9900", False),
        ("localhost.evil.example", False),
        ("[::2]:9900", False),
        ("", False),
        (None, False),
    ],
)
def test_hosts_that_are_not_ours_are_refused(host: str | None, allowed: bool) -> None:
    assert host_allowed(host, ("optimizer.example:9900", "any.example")) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:9900", True),
        ("https://inspector.example", True),
        ("http://any.example:77", True),
        ("null", False),
        ("", False),
        ("http://evil.example", False),
        ("https://inspector.example.evil.example", False),
        ("file://localhost", False),
        ("http://[", False),
    ],
)
def test_pages_of_other_sites_are_refused(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, ("any.example",), ("https://inspector.example",)) is allowed


def test_a_token_is_compared_whole() -> None:
    assert token_matches("Bearer s3cret", "s3cret")
    assert token_matches("bearer  s3cret ", "s3cret")
    for wrong in (None, "", "Bearer", "Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer \ud800"):
        assert not token_matches(wrong, "s3cret")


@given(st.text(max_size=60))
def test_no_header_breaks_the_guard(text: str) -> None:
    host_allowed(text, ("any.example",))
    origin_allowed(text, ("any.example",), ())
    assert not token_matches(text, "a token that is longer than sixty characters, so that no text is ever this one")
