"""Who may ask the MCP server, and where it may be bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.server.access_rules import bind_refusal, host_allowed, is_loopback, origin_allowed, preflight_headers
from mcp_optimizer.server.tokens import Access, AccessToken, access_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_needs_nothing(host: str) -> None:
    assert is_loopback(host)
    assert bind_refusal(host, has_token=False, allowed_hosts=()) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org"])
def test_any_other_address_needs_a_token_and_allowed_hosts(host: str) -> None:
    refused = bind_refusal(host, has_token=False, allowed_hosts=())
    assert refused is not None
    assert "mcp_token" in refused
    assert "allowed_hosts" in refused
    assert "mcp_token" in str(bind_refusal(host, has_token=False, allowed_hosts=("a",)))
    assert "allowed_hosts" in str(bind_refusal(host, has_token=True, allowed_hosts=()))
    assert bind_refusal(host, has_token=True, allowed_hosts=("a",)) is None


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
        ("[::1]evil", False),
        ("[::1]:9900evil", False),
        ("[::1", False),
        ("[::1]]", False),
        ("[127.0.0.1]", False),
        ("127.0.0.1:abc", False),
        ("127.0.0.1:99999", False),
        ("127.0.0.1:9900:9900", False),
        ("127.0.0.1:-1", False),
        ("127.0.0.1:٣", False),
        ("user@127.0.0.1", False),
        ("user:secret@localhost:9900", False),
        ("localhost/evil", False),
        ("localhost?", False),
        ("localhost#a", False),
        ("localhost,evil.example", False),
        ("localhost evil.example", False),
        (" localhost", False),
        ("localhost\n", False),
        ("any.example:abc", False),
        ("me@any.example", False),
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
        ("http://[::1]evil", False),
        ("http://user@localhost", False),
        ("http://localhost:abc", False),
        ("http://localhost/page", False),
        ("http://localhost http://evil.example", False),
    ],
)
def test_pages_of_other_sites_are_refused(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, ("any.example",), ("https://inspector.example",)) is allowed


ADMIN, DEV = Access("admin"), Access("dev", frozenset({"dev"}))
TOKENS = (AccessToken("s3cret", ADMIN), AccessToken("0ther", DEV))


def test_a_token_is_compared_whole() -> None:
    assert access_of("Bearer s3cret", TOKENS) == ADMIN
    assert access_of("bearer  s3cret ", TOKENS) == ADMIN
    assert access_of("Bearer 0ther", TOKENS) == DEV
    for wrong in (None, "", "Bearer", "Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer \ud800"):
        assert access_of(wrong, TOKENS) is None


def test_a_page_may_send_what_mcp_needs_and_nothing_else() -> None:
    asked = (
        "Authorization, Mcp-Protocol-Version,last-event-id, Mcp-Session-Id, Mcp-Method, Content-Type, Cookie, X-Evil"
    )
    allowed = preflight_headers(asked)["access-control-allow-headers"]
    assert allowed.split(", ") == [
        "authorization", "content-type", "last-event-id", "mcp-method", "mcp-protocol-version", "mcp-session-id"
    ]  # fmt: skip


@given(st.text(max_size=60))
def test_no_header_breaks_the_guard(text: str) -> None:
    host_allowed(text, ("any.example",))
    origin_allowed(text, ("any.example",), ())
    assert (
        access_of(text, (AccessToken("a token that is longer than sixty characters, so that no text is it", ADMIN),))
        is None
    )
