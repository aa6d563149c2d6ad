"""What is a credential is decided by whole words of names and by the look of values (S7)."""

import json
import time
from pathlib import Path

import pytest

from mcp_optimizer.redaction import has_credential, redact_json, redact_text, redact_url, replace_credentials
from mcp_optimizer.text import redact_message
from mcp_optimizer.text import redact_url as redact_shown_url

HEX = "8f14e45fceea167a5a36dedd4bea2543"
UUID = "550e8400-e29b-41d4-a716-446655440000"
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
BODY = "4eC39HqLyjWDarjtT1zdp7dc4eC39HqLyjWD"
AWS = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"

PLAIN_FIELDS = [
    "projectKey=alpha", "author=a", "tokenizer=cl100k", "session_type=long", "monkey=1", "keyword=k", "keywords=a,b",
    "signature_style=plain", "key=alpha", "sig=left", "code=de", "auth=oauth2", "session=morning", "authority=eu",
    "passenger=2", "secretary=ann", "design=flat", "sigma=3", "compass=north", "turkey=1", "max_tokens=1000",
    "token_type=bearer", "token_limit=5", "password_policy=strict", "sortKey=name", "primaryKey=id", "api_keyring=x",
    "authorId=7", "cookieless=true", "bearing=90", "assignee=bob", "credentialed=no", "sessions=3", "monkeyKey=banana",
    "v=2024-11-05", "api_version=2024-11-05-preview", "toolsets=core,issues", "profile=quick-brown-fox", "readonly",
    "api_key={API_KEY}", "token=%7BTOKEN%7D", "access_token=YOUR_ACCESS_TOKEN", "key=${KEY}", "token=",
    "author_key=smith",
]  # fmt: skip

SECRET_FIELDS = [
    ("api_key", "sk-abc"), ("apiKey", HEX), ("APIKEY", "x1"), ("X-Api-Key", "abc"), ("access_token", "a"),
    ("accessToken", "q"), ("token", "hunter2"), ("password", "hunter2"), ("pwd", "x"), ("PASSWD", "y"),
    ("client_secret", "s"), ("clientSecret", "s"), ("x-amz-signature", "abc"), ("X-Amz-Security-Token", "abc"),
    ("X-Amz-Credential", "abc"), ("sig", "dGhpc2lzYXRlc3Q%2Bc2lnbmF0dXJl%3D"), ("key", HEX), ("session", UUID),
    ("code", AWS), ("auth", JWT), ("jwt", "abc"), ("q", GITHUB), ("anything", JWT), ("projectKey", GITHUB),
    ("subscription-key", "abc"), ("t%6Fken", "abc"), ("token2", "abc"), ("secret_value", "abc"), ("sessionKey", HEX),
    ("auth", "Basic%20dXNlcjpwYXNz"), ("a", "1;token=abc"), ("auth[token]", "abc"), ("amp;api_key", "abc"),
    ("passkey", "x"),
    ("next", "https%3A%2F%2Fu%3Apw1%40h"), ("next", "%2Fx%3Ftoken%3Dabc"),
]  # fmt: skip


@pytest.mark.parametrize("field", PLAIN_FIELDS)
def test_s7_a_name_that_holds_the_letters_of_a_secret_one_is_none(field: str) -> None:
    url = f"https://h.example/mcp?a=1&{field}"
    assert redact_shown_url(url) == redact_url(url) == url
    assert redact_text(f"see {url} for more") == f"see {url} for more"
    assert not has_credential(url)
    assert replace_credentials(url, lambda _: "gone") == url


@pytest.mark.parametrize(("name", "value"), SECRET_FIELDS)
def test_s7_a_credential_in_a_query_is_masked_for_eyes_and_replaced_for_identity(name: str, value: str) -> None:
    url = f"https://h.example/mcp?a=1&{name}={value}&b=2"
    assert redact_shown_url(url) == f"https://h.example/mcp?a=1&{name}=…&b=2"
    assert redact_message(f"no answer from {url}") == f"no answer from https://h.example/mcp?a=1&{name}=…&b=2"
    assert replace_credentials(url, lambda _: "gone") == f"https://h.example/mcp?a=1&{name}=gone&b=2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/mcp/s/sk-abc123def456ghi789", "https://h.example/mcp/s/…"),
        (f"https://h.example/{GITHUB}/mcp", "https://h.example/…/mcp"),
        ("https://h.example/api/mcp/s/NDk4YzE2ZjAtNWQ5Ny00MTg2LWI0/mcp", "https://h.example/api/mcp/s/…/mcp"),
        (f"https://h.example/token/{HEX}/mcp", "https://h.example/token/…/mcp"),
        ("https://h.example/bot123456789:AAEabcdefghijklmnopqrstuvwxyz12345/x", "https://h.example/…/x"),
    ],
)
def test_s7_a_segment_of_a_path_that_looks_like_a_token_is_one(url: str, shown: str) -> None:
    assert redact_url(url) == shown
    assert redact_text(url) == shown
    assert has_credential(url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://h.example/{UUID}/mcp", f"https://h.example/commit/{HEX}", "https://h.example/token/refresh",
        "https://h.example/s/about", "https://h.example/sk-learn/docs", "https://h.example/@scope/pkg@1.2.3",
        "https://h.example/keys/primary", "https://h.example/user:name/x", "ghcr.io/a/b:1@sha256:" + HEX * 2,
        "npx://x@0.3.1", "uvx://mcp-server@latest", "postgresql://db.example:5432/name", "sqlite:////a/b.db",
    ],
)  # fmt: skip
def test_s7_what_only_looks_like_one_at_a_glance_is_none(url: str) -> None:
    assert redact_shown_url(url) == url
    assert redact_message(f"see {url} now") == f"see {url} now"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql:/me:hunter2@h/db", "postgres//me:hunter2@h", "postgres//hunter2@h", "postgresql:me:hunter2@h/db",
        "postgresql:///me:hunter2@h/db", "postgresql:\\\\me:hunter2@h/db", "me:hunter2@h/db", "me:hun/hunter2@h/db",
        "sqlite:///x?password=hunter2", "postgresql://h/db?password=hunter2", "host=h password=hunter2 user=x",
        "host=h password='my hunter2' user=x", "postgresql+asyncpg:/me:hunter2@h", "ftp://u:hunter2@h/x",
        "postgresql ://me:hunter2@h", "mysql:me:hunter2@h", "db=postgresql://me:hunter2@h/x",
    ],
)  # fmt: skip
def test_s7_a_broken_url_shows_no_password(text: str) -> None:
    assert "hunter2" not in redact_shown_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}", "authorization: basic {}", '--header "Authorization: Bearer {}"', "Bearer {}",
        "-H 'X-Api-Key: {}'", "X-Auth-Token: {}", "PASSWORD={}", "export API_KEY={}", "--token {}", "--api-key={}",
        "--password {} --verbose", '{{"password": "{}"}}', "Cookie: session={}; a=b", "password: {}", "secret={},",
        "Exited (1): env GITHUB_TOKEN={} was refused", "Proxy-Authorization: Digest {}", "pgpassword={}", "token = {}",
        "https://h.example/#{}", "https://h.example/x#access_token={}", "amqp://me:{}@mq.example/", "pw='{}' pass={}",
        "login me:{}@mq.example failed", "Set-Cookie: sid={}; Path=/", 'api_key: "{}"', "ACCESS-TOKEN: {}",
        "curl -u me:{} https://h.example", "token => '{}'", "AccountName=x;AccountKey={};EndpointSuffix=y",
        "secret := {}",
        "mongodb://ann@example.com:{}@h.example/db", 'docker run -e "API_TOKEN={}" x',
        "{{'Authorization': 'Bearer {}'}}",
    ],
)  # fmt: skip
def test_s7_a_credential_in_a_text_is_masked(text: str) -> None:
    for canary in ("canary-5b1e-not-a-real-secret", "Hunter2Hunter2", GITHUB, JWT, HEX):
        assert canary not in redact_text(text.format(canary, canary)), canary
        assert canary not in redact_message(text.format(canary, canary)), canary


@pytest.mark.parametrize(
    "beginning",
    [
        "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk-", "sk-proj-", "sk-ant-api03-", "xoxb-", "xoxp-", "AIzaSy",
        "npm_", "hf_", "ya29.", "shpat_", "sk_live_", "rk_test_", "lin_api_", "eyJhbGciOi.eyJzdWIiOi.", "dop_v1_",
        "gsk_", "pplx-", "tvly-", "hvs.", "dckr_pat_", "sbp_", "nvapi-", "figd_", "xapp-1-",
    ],
)  # fmt: skip
def test_s7_a_token_of_a_known_maker_is_masked_wherever_it_stands(beginning: str) -> None:
    token = f"{beginning}{BODY}"
    for text in ("{}", "it said {}.", "({})", '"{}"', "a={}&b=1", "https://h.example/{}/x"):
        assert token not in redact_text(text.format(token)), text


@pytest.mark.parametrize(
    "text",
    [
        "token: the API token to use", "password: string", "Authorization: Bearer <token>", "Bearer token required",
        "Authorization: Bearer YOUR_API_KEY", "api_key (required): the key", "key: value pairs", "--token TOKEN",
        "Basic authentication", "set GITHUB_TOKEN=<your token>", "API_KEY=${API_KEY}", "e.g. ghp_xxxxxxxxxxxxxxxxxxxx",
        "Bearer ntn_****", "sk-learn and sk-toggleable-container", "secret: false", "contact: ann@example.com",
        "mailto:ann@example.com", "git@github.com:a/b.git", "docker.io/a/b:1@sha256:" + HEX, "commit " + HEX,
        "The session id, e.g. abc", "sort key: name, partition key: id", "password must have 8 characters",
        "postgresql://user:password@localhost:5432/db", "Token: required. Secret: optional.", "auth: oauth2",
        "call search(token=token, limit=5)", "tokens: 1200", "pass: 12, fail: 3", "the id is " + UUID,
        "the image's hash: " + HEX, "docker run -u 1000:1000 x", "sha256 hash=" + HEX * 2, "state: " + HEX,
        "Uses the bearer scheme. Tokens expire after 60 s.", '{"token": {"type": "string"}, "required": ["token"]}',
    ],
)  # fmt: skip
def test_s7_prose_about_credentials_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("repeated", "last"),
    [
        ('x://a:b"', ""), ('x://a:b"', "@h"), ("x://a:b\"x://a:b' @", ""), ("x://a:b<", " x@h"), ("a:b@", ""),
        ("https://h/?next=//a:b@", ""), ("authorization: a ", ""), ("a=b&", ""), ('token="', ""), ("cookie: a=b;", ""),
    ],
)  # fmt: skip
def test_s7_a_hostile_text_of_twice_the_length_takes_about_twice_as_long(repeated: str, last: str) -> None:
    def seconds(length: int) -> float:
        text = (repeated * (length // len(repeated) + 1))[:length] + last
        start = time.process_time()
        redact_text(text)
        return time.process_time() - start

    once = min(seconds(80_000) for _ in range(3))
    twice = min(seconds(160_000) for _ in range(3))
    assert twice < max(4 * once, 0.2)


@pytest.mark.parametrize("length", [10, 4_000, 8_000])
def test_s7_a_long_password_is_masked_in_a_url(length: int) -> None:
    password = ("Zq9" * length)[:length]
    for url in (f"amqp://me:{password}@h.example/x", f"amqp://me:a/{password}@h.example/x"):
        assert password not in redact_text(f"at '{url}' and so on")


def test_s7_json_is_redacted_by_names_and_texts_and_else_the_same_object() -> None:
    plain = {
        "properties": {"password": {"type": "string"}},
        "required": ["token"],
        "description": "token: the token, https://x.y/?a=1",
    }
    assert redact_json(plain) is plain
    given = {"a": [{"password": "hunter2-x"}, f"use {GITHUB}"], "n": 1, "default": {"Authorization": "Bearer hunter2x"}}
    assert redact_json(given) == {
        "a": [{"password": "…"}, "use …"], "n": 1, "default": {"Authorization": "Bearer …"},
    }  # fmt: skip
    names = {f"use {GITHUB}": 1, "https://me:hunter2-x@h.example/": {"API_KEY=hunter2-x": []}, "id": 2}
    assert redact_json(names) == {"use …": 1, "https://h.example/": {"API_KEY=…": []}, "id": 2}, "names of members too"


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for member in value.values() for text in strings(member)]
    if isinstance(value, list):
        return [text for member in value for text in strings(member)]
    return [value] if isinstance(value, str) else []


REAL_CATALOGS = sorted((Path(__file__).parents[4] / "shared" / "data" / "registry").glob("*.json"))


@pytest.mark.skipif(
    not REAL_CATALOGS, reason="the real catalogs are not beside this checkout (../shared/data/registry)"
)
def test_s7_nothing_of_real_catalogs_is_redacted() -> None:
    texts = [text for path in REAL_CATALOGS for text in strings(json.loads(path.read_text()))]
    assert len(texts) > 700
    assert [text for text in texts if redact_text(text) is not text] == []
    assert [text for text in texts if "://" in text and " " not in text and has_credential(text)] == []
