"""Credentials in URLs become keyed hashes, everything else stays as it was given (I1, I2, S7)."""

import random
import string

import pytest

from mcp_optimizer.domain.identity import container_identity, identity_of, remote_identity
from mcp_optimizer.domain.masked_identities import masked_key
from mcp_optimizer.domain.matching import Reason, RegistryIndex, Subject, match, near_misses
from mcp_optimizer.domain.models import CatalogEntry, Cause, Kind, ObservedWorkload, RecordedRelation, Relation
from mcp_optimizer.domain.sealing import Sealer, is_sealed
from mcp_optimizer.redaction import has_credential, redact_text, redact_url
from mcp_optimizer.sources.toolhive.workload_items import endpoint_of
from tests.support.builders import catalog, entry, listing, tool, workload
from tests.unit.builders import server

SEALER, OTHER = Sealer(b"one key"), Sealer(b"another key")
CANARY = "canary-5b1e-not-a-real-secret"
HEX = "8f14e45fceea167a5a36dedd4bea2543"

KEYED = [
    "https://h.example/mcp?api_key={}", "https://h.example/mcp?a=1&access_token={}&b=2", "https://me:{}@h.example/mcp",
    "https://{}@h.example/mcp", "https://h.example/mcp/s/sk-1{}", "https://h.example/?q=sk-{}",
    "https://me:{}@h.example/mcp?token={}", "https://h.example/mcp?X-Amz-Signature={}",
]  # fmt: skip


@pytest.mark.parametrize("url", KEYED)
def test_s7_one_credential_is_one_identity_and_two_are_two(url: str) -> None:
    one, again, two = (SEALER.identity(remote_identity(url.format(v, v))) for v in (CANARY, CANARY, f"{CANARY}2"))
    assert one == again
    assert one.key != two.key
    assert one.key != OTHER.identity(remote_identity(url.format(CANARY, CANARY))).key, "the hash has a key"
    assert CANARY not in one.model_dump_json()
    assert is_sealed(one.raw)


TEXT_FIELDS = [
    (made, name)
    for made in (entry("one", "example.org/one:1"), workload("one", "example.org/one:1"))
    for name, field in type(made).model_fields.items()
    if field.annotation in {str, str | None} and name != "endpoint"  # an address: sealed, never redacted
]


@pytest.mark.parametrize(("made", "field"), TEXT_FIELDS, ids=[f"{type(m).__name__}.{name}" for m, name in TEXT_FIELDS])
@pytest.mark.parametrize("shape", ["Bearer {}", "https://me:{}@git.example/a", "https://h.example/x?api_key={}&b=1"])
def test_s7_no_text_of_an_item_gives_a_credential_away(
    made: CatalogEntry | ObservedWorkload, field: str, shape: str
) -> None:
    """Whatever text the model has, and will have: none is stored as it came."""
    given = made.model_copy(update={field: shape.format(CANARY)})
    sealed = SEALER.catalog(catalog(given)) if isinstance(given, CatalogEntry) else SEALER.listing(listing(given))
    assert CANARY not in sealed.model_dump_json()


@pytest.mark.parametrize("url", KEYED)
def test_s7_a_sealed_identity_is_settled_and_reads_back_as_it_is_elsewhere(url: str) -> None:
    sealed = SEALER.identity(remote_identity(url.format(CANARY, CANARY)))
    assert SEALER.identity(sealed) is sealed
    assert OTHER.identity(remote_identity(sealed.raw)) == sealed, "as a snapshot carries it to another database"
    assert redact_text(sealed.raw) == sealed.raw
    assert not has_credential(sealed.raw)


def test_s7_a_url_that_would_grow_too_long_is_sealed_as_a_whole() -> None:
    url = f"https://h.example:8443/a?{'&'.join(['token=a'] * 200)}"
    one, again, two = (SEALER.identity(remote_identity(text)) for text in (url, url, f"{url}b"))
    assert one == again
    assert one.key != two.key
    assert one.canonical.startswith("https://h.example:8443/redacted~")
    assert SEALER.identity(one) is one
    assert masked_key(remote_identity(url)) == remote_identity(url).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h.example/?api_key=a%2Fb~c", "HTTPS://H.example:443/?api_key=a%2fb%7Ec#x"),
        ("https://me:p%40w@h.example/", "https://me:p%40w@H.EXAMPLE"),
    ],
)
def test_i2_spellings_of_one_credential_are_one_identity(one: str, other: str) -> None:
    assert SEALER.identity(remote_identity(one)).key == SEALER.identity(remote_identity(other)).key


@pytest.mark.parametrize(
    "name", ["projectKey", "author", "tokenizer", "session_type", "monkey", "keyword", "signature_style", "key", "code"]
)
def test_m5_urls_that_differ_in_a_field_are_two_and_near_misses(name: str) -> None:
    index = RegistryIndex([server("entry", f"https://h.example/mcp?{name}=alpha")])
    running = remote_identity(f"https://h.example/mcp?{name}=beta")
    assert SEALER.identity(running) is running
    assert match(running, index).verdict is Relation.AUTONOMOUS
    (miss,) = near_misses(Subject(name="w", kind=Kind.REMOTE, identity=running), index)
    assert (miss.reason, miss.running) == (Reason.QUERY_DIFFERS, running.raw)


def test_m5_another_credential_is_a_near_miss_that_shows_none() -> None:
    sealed = map(SEALER.url, ("https://me:one@h.example/mcp", "https://k.example/?token=1"))
    index = RegistryIndex(server(f"entry-{place}", url) for place, url in enumerate(sealed))
    for url in ("https://me:two@h.example/mcp", "https://h.example/mcp", "https://k.example/?token=2"):
        running = SEALER.identity(remote_identity(url))
        (miss,) = near_misses(Subject(name="w", kind=Kind.REMOTE, identity=running), index)
        assert miss.reason is Reason.QUERY_DIFFERS
        assert "two" not in miss.model_dump_json()


def test_s7_every_field_of_a_catalog_is_made_storable() -> None:
    bearer, away = f"Bearer {CANARY}", f"https://u:{CANARY}@h.example/x?token={CANARY}#{CANARY}"
    whole = catalog(
        entry(
            f"name token={CANARY}", away, [tool("t", f"Authorization: {bearer}", p=away)], transport=bearer,
            description=f"see {away} and API_KEY={CANARY}", title=bearer, tags=(bearer, away), tier=bearer,
            repository=f"https://u:{CANARY}@git.example/x#{CANARY}", group=bearer,
        )
    )  # fmt: skip
    identity = remote_identity(away)
    given = whole.model_copy(update={"resolutions": ((identity, bearer),), "aliases": ((identity, bearer, identity),)})
    assert CANARY not in SEALER.catalog(given).model_dump_json()
    assert SEALER.catalog(SEALER.catalog(given)) == SEALER.catalog(given)
    (sealed,) = SEALER.catalog(given).entries
    assert sealed.repository == "https://git.example/x"
    assert redact_url(sealed.identity.raw) == sealed.identity.raw


def test_s7_every_field_of_a_listing_is_made_storable() -> None:
    bearer, away = f"Bearer {CANARY}", f"https://u:{CANARY}@h.example/x?token={CANARY}"
    relation = RecordedRelation(identity=remote_identity(away), cause=Cause.FIRST_MATCH)
    given = listing(
        workload(
            f"name token={CANARY}", away, [tool("t", f"password: {CANARY}")], endpoint=away, transport=bearer,
            proxy_mode=bearer, status=bearer, status_reason=f"env PASSWORD={CANARY}", group=bearer, recorded=bearer,
            relation=relation, tools_problem=f"said {away}",
        )
    )  # fmt: skip
    assert CANARY not in SEALER.listing(given).model_dump_json()
    assert SEALER.listing(SEALER.listing(given)) == SEALER.listing(given)


def test_what_holds_no_secret_stays_the_same_object() -> None:
    plain = catalog(entry("a", "https://h.example/mcp?author=a", ["ping"], repository="https://git.example/a"))
    assert SEALER.catalog(plain).entries[0] is plain.entries[0]
    listed = listing(workload("w", "x/a:1"))
    assert SEALER.listing(listed).workloads[0] is listed.workloads[0]


# Round trip


def made_up_url(dice: random.Random) -> str:
    """A URL without credentials: names and values of words and numbers, some of them near those of credentials."""

    def word() -> str:
        return dice.choice(WORDS)

    host = dice.choice([f"{word()}.example", f"{word()}-{word()}.{word()}.example", "127.0.0.1", "[::1]", "localhost"])
    port = dice.choice(["", "", ":8443", ":443", ":80"])
    segments = [word(), f"{word()}_{word()}", f"@{word()}", f"v{dice.randint(1, 9)}", "a%2Fb", "~x"]
    path = "".join(f"/{dice.choice(segments)}" for _ in range(dice.randint(0, 4))) + dice.choice(["", "/"])
    values = [word(), str(dice.randint(0, 9999)), f"{word()}-{word()}", f"{word()},{word()}", "a%20b", ""]
    fields = [f"{dice.choice(NAMES)}={dice.choice(values)}" for _ in range(dice.randint(0, 3))]
    return f"{dice.choice(['http', 'https', 'HTTPS'])}://{host}{port}{path}{'?' + '&'.join(fields) if fields else ''}"


def made_up_image(dice: random.Random) -> str:
    registry = dice.choice(["", "ghcr.io/", "localhost:5000/", "quay.io/", "registry.example:443/"])
    tag = dice.choice(["", ":latest", f":v{dice.randint(0, 9)}.{dice.randint(0, 9)}", f"@sha256:{'ab' * 32}"])
    return f"{registry}{dice.choice(WORDS)}/{dice.choice(WORDS)}-key{tag}"


WORDS = ["alpha", "beta", "token", "key", "author", "session", "monkey", "secretary", "auth", "passport", "mcp"]
NAMES = [
    "projectKey", "author", "tokenizer", "session_type", "monkey", "keyword", "signature_style", "key", "sig", "code",
    "auth", "region", "session", "max_tokens", "sort_key", "keyring", "design", "authority", "turkey", "passenger", "q",
]  # fmt: skip


def test_i1_what_is_given_is_stored_called_exported_and_shown() -> None:
    dice = random.Random(13)
    for _ in range(1000):
        url = made_up_url(dice)
        identity = SEALER.identity(remote_identity(url))
        assert identity.raw == url, "stored, exported and shown"
        assert endpoint_of(url) in {url, None if url.startswith("HTTPS") else url}
        assert SEALER.url(url) == redact_text(url) == redact_url(url) == url, "called and logged"
        assert identity_of(Kind.REMOTE, identity.raw) == identity, "read from a snapshot"
        image = made_up_image(dice)
        assert SEALER.identity(container_identity(image)).raw == redact_text(image) == image


def test_s7_a_real_credential_in_any_url_is_the_only_thing_that_goes() -> None:
    dice = random.Random(14)
    letters = string.ascii_letters + string.digits
    for _ in range(300):
        url = made_up_url(dice)
        secret = "".join(dice.choices(letters, k=32))
        name = dice.choice(["api_key", "apiKey", "token", "access_token", "client_secret", "password", "X-Api-Key"])
        keyed = f"{url}{'&' if '?' in url else '?'}{name}={secret}"
        sealed = SEALER.identity(remote_identity(keyed)).raw
        assert sealed.startswith(f"{url}{'&' if '?' in url else '?'}{name}=redacted~")
        assert secret not in redact_text(f"can't reach {keyed}: refused")
