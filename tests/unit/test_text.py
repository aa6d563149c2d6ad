"""Text from outside: nothing that a terminal obeys and no secret passes (B, S7)."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.text import (
    lines,
    one_line,
    printable,
    redact_message,
    redact_url,
    shorten,
    to_storable,
    to_storable_json,
)

FAST = settings(max_examples=150, deadline=None)
HOSTILE = "\x1b[31m\x00\x07\x7f\x9b\u200b\u200d\u202e\u2066\ufeff\u2028\ud800\ue000\u00ad\U000e0001"
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
anything = st.text(alphabet=st.one_of(st.characters(), st.sampled_from(HOSTILE + "\r\n\t ab")), max_size=40)


def hostile(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) in FORBIDDEN]


def test_b_one_line_makes_room_of_everything_a_terminal_obeys() -> None:
    assert one_line(f"a{HOSTILE}b") == "a" + " [31m".ljust(len(HOSTILE)) + "b"


@FAST
@given(anything)
def test_b_one_line_is_printable_as_long_and_settled(text: str) -> None:
    found = one_line(text)
    assert not hostile(found)
    assert len(found) == len(text)
    assert one_line(found) == found


@FAST
@given(anything)
def test_b_printable_keeps_line_ends_and_nothing_else(text: str) -> None:
    found = printable(text)
    assert set(hostile(found)) <= {"\n"}
    assert printable(found) == found
    assert all(not hostile(line) for line in lines(text))


@pytest.mark.parametrize(
    ("text", "kept"),
    [("a\r\nb\n\n", "a\nb\n\n"), ("\n", "\n"), ("", ""), ("a\tb", "a b"), ("a\u2028b\x0bc", "a\nb\nc")],
)
def test_b_printable_line_ends(text: str, kept: str) -> None:
    assert printable(text) == kept


def test_lines_are_never_none() -> None:
    assert (lines(""), lines("a\n"), lines("a\n\x1bb")) == ([""], ["a"], ["a", " b"])


@FAST
@given(anything)
def test_b_storable_text_can_be_encoded(text: str) -> None:
    found = to_storable(text)
    assert "\0" not in found
    assert found.encode().decode() == found
    assert to_storable(found) == found


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), anything),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(anything, inner, max_size=3)),
    max_leaves=8,
)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for member in value.values() for text in strings(member))]
    if isinstance(value, list):
        return [text for member in value for text in strings(member)]
    return [value] if isinstance(value, str) else []


@FAST
@given(json_values)
def test_b_storable_json_reaches_every_string_keys_too(value: object) -> None:
    found = to_storable_json(value)
    assert all(to_storable(text) == text for text in strings(found))
    assert to_storable_json(found) == found


def test_b_storable_json_leaves_the_rest_alone() -> None:
    value = {"a": [1, 2.5, True, None, {"b": "c"}]}
    assert to_storable_json(value) == value
    assert to_storable_json({"\ud800": ["x\0y"]}) == {"\N{REPLACEMENT CHARACTER}": ["xy"]}


@FAST
@given(st.text(max_size=12), st.integers(min_value=-1, max_value=14))
def test_shorten_is_never_longer_than_asked(text: str, length: int) -> None:
    found = shorten(text, length)
    assert len(found) <= max(length, 0)
    assert found == text or len(text) > length


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://user:hunter2@h.example/x", "https://h.example/x"),
        ("https://hunter2@h.example", "https://h.example"),
        ("https://user:hun@ter2@h.example/", "https://h.example/"),
        ("https://user:hun/ter2@h.example/", "https://h.example/"),
        ("https://user:hun#ter2@h.example/", "https://h.example/"),
        ("https://user:hun?ter2@h.example/", "https://h.example/"),
        ("https://user:hun ter2@h.example/", "https://h.example/"),
        ("https://user:hunter2@[bad/", "https://[bad/"),
        ("https://user:hunter2℀@h.example/", "https://h.example/"),
        ("postgresql+asyncpg://me:hunter2@db:5432/x", "postgresql+asyncpg://db:5432/x"),
        ("//user:hunter2@h.example/", "//h.example/"),
        ("user:hunter2@h.example", "h.example"),
        ("https://proxy.example/https://user:hunter2@h.example/", "https://proxy.example/https://h.example/"),
        ("https://h.example/?token=hunter2", "https://h.example/?token=…"),
        ("https://h.example/?a=1&API_KEY=hunter2&b=2", "https://h.example/?a=1&API_KEY=…&b=2"),
        ("https://h.example/?t%6Fken=hunter2", "https://h.example/?t%6Fken=…"),
        ("https://h.example/?token=x;hunter2", "https://h.example/?token=…"),
        ("https://h.example/?X-Amz-Signature=hunter2", "https://h.example/?X-Amz-Signature=…"),
        ("https://h.example/?next=https%3A%2F%2Fu%3Ahunter2%40h", "https://h.example/?next=…"),
        ("https://h.example/?next=/x%3Ftoken%3Dhunter2", "https://h.example/?next=…"),
        ("https://h.example/x#access_token=hunter2", "https://h.example/x"),
        ("https://h.example/#/x?token=hunter2", "https://h.example/"),
    ],
)
def test_s7_secrets_are_cut_from_a_url_and_from_a_message_that_holds_it(url: str, public: str) -> None:
    assert redact_url(url) == public
    if url.startswith(("https", "postgresql")) and " " not in url:
        assert redact_message(f"can't read {url} (refused)") == f"can't read {public} (refused)".replace(" )", ")")
        for quoted in ('"{}"', "'{}'", "<{}>", "({})\n"):
            assert "hunter2" not in redact_message(quoted.format(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://h.example:8443/a/@scope/pkg?a=1&b",
        "https://[::1]:8443/@scope/x",
        "https://h.example/mail?to=someone@example.com",
        "sqlite:////data/optimizer.db",
        "sqlite:///relative.db",
        "http://localhost:8080",
        "unix:///run/x.sock",
        "ghcr.io/a/b:1",
        "",
    ],
)
def test_s7_a_url_without_secrets_is_shown_as_it_is(url: str) -> None:
    assert redact_url(url) == url


urls = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["https://", "http://", "//", "postgresql://", ""]),
    st.text(alphabet="ab:@/?#=&;.%[] '\"\x00\u200b", max_size=25),
    st.sampled_from(["", "?", "?token=", "?k%65y=x&b=", "#"]),
    st.text(alphabet="ab:@/?#=&;.%'\"", max_size=12),
)


@FAST
@given(urls)
def test_s7_public_url_is_settled_and_printable(url: str) -> None:
    found = redact_url(url)
    assert redact_url(found) == found
    assert not hostile(found)
    assert "#" not in found


@FAST
@given(st.lists(st.one_of(urls, anything), max_size=4))
def test_s7_public_message_is_settled_and_printable(parts: list[str]) -> None:
    found = redact_message(" ".join(parts))
    assert redact_message(found) == found
    assert not hostile(found)


words = st.text(alphabet="abcXYZ019", min_size=1, max_size=8)


@settings(max_examples=80, deadline=None)
@given(
    secret=st.text(alphabet="QVJ!$*+,~%", min_size=6, max_size=12),
    host=words,
    name=st.sampled_from(["token", "api_key", "client_secret", "Password", "x-auth-token", "credentials"]),
    before=st.sampled_from(["", "a=1&", "b&"]),
)
def test_s7_no_secret_of_any_spelling_is_left_in_a_sentence(secret: str, host: str, name: str, before: str) -> None:
    for url in (f"https://me:{secret}@{host}.example/x", f"https://{host}.example/?{before}{name}={secret}&z=1"):
        assert secret not in redact_url(url)
        assert secret not in redact_message(f"the server at {url} said no")


def test_b_long_hostile_messages_take_no_time() -> None:
    start = time.perf_counter()
    for text in ("a" * 100_000, 'x://a:b"' * 5_000, "x://" * 10_000, "https://h?key" * 5_000, "https://u:p/w@" * 2_000):
        redact_message(text)
    assert time.perf_counter() - start < 5
