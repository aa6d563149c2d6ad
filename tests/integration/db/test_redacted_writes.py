"""Whatever is written, a credential does not get into the database, and an identity loses nothing (S7, I1)."""

import pytest

from mcp_optimizer.db.logs.change_log import Logged, Writing, record
from mcp_optimizer.db.redacted_writes import storable_text
from mcp_optimizer.domain.identity import container_identity, remote_identity
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import everything, rows
from tests.support.places import Place
from tests.support.services import ingest

CANARY = "canary-41aa-not-a-real-secret"
ODD = (
    "ghcr.io/a/b:key-2024110512345678", "ghcr.io/a/b:sk-1234567890abcdef", "localhost:5000/a/b:1",
    f"example.org/a:1@blake3:{'ab' * 32}", "https://h.example/a//b@c?author=a&q='x'", "https://h.example/?key=alpha.",
    "https://h.example/(a)/x,y;z", "https://h.example/?next=/token/refresh",
)  # fmt: skip


async def test_s7_what_is_logged_past_every_source_is_redacted(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    texts = [f"Authorization: Bearer {CANARY}", f"https://me:{CANARY}@h.example/", f"{{broken json, API_KEY={CANARY}"]
    async with service.store.database.writing() as connection:
        writing = Writing(connection, "2026-01-01T00:00:00Z")
        await record(writing, [Logged("run", "1", text, "noted", "", text) for text in texts])
        await record(writing, [Logged("run", "1", texts[0], "noted", "", texts[1])])
    assert CANARY.encode() not in everything(database)
    assert len(rows(database, "SELECT * FROM change_log WHERE operation = 'noted'")) == 4


async def test_i1_no_identity_loses_a_character_on_its_way_in(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    entries = [entry(f"e{place}", where) for place, where in enumerate(ODD)]
    running = [workload(f"w{place}", where, endpoint="http://h.example/a//b@c?x=1.") for place, where in enumerate(ODD)]
    await ingest(service, catalog(*entries), listing(*running))
    wanted = [remote_identity(where) if "://" in where else container_identity(where) for where in ODD]
    for table in ("mcpservers_registry", "mcpservers_workload"):
        stored = rows(database, f"SELECT COALESCE(url, package), identity FROM {table} ORDER BY name")
        assert stored == [(identity.raw, identity.canonical) for identity in wanted]
    assert rows(database, "SELECT DISTINCT endpoint FROM mcpservers_workload") == [("http://h.example/a//b@c?x=1.",)]


async def test_c4_a_problem_of_an_odd_identity_is_opened_once(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    entries = [entry(name, where) for where in ODD for name in (f"one {where}", f"two {where}")]
    for _ in range(2):
        await ingest(service, catalog(*entries), listing(*(workload(f"w{n}", where) for n, where in enumerate(ODD))))
    assert rows(database, "SELECT COUNT(*) FROM ingestion_problems WHERE closed_at IS NOT NULL") == [(0,)]


@pytest.mark.parametrize("where", ODD)
def test_i1_an_exact_text_stays_as_it_is(where: str) -> None:
    assert storable_text(where, exact=True) == where


def test_s7_a_credential_in_an_exact_text_goes_all_the_same() -> None:
    assert storable_text(f"https://h.example/?api_key={CANARY}&a=1", exact=True) == "https://h.example/?api_key=…&a=1"
    assert storable_text('{"a": "token: the token"}') == '{"a": "token: the token"}'
