"""Credentials in URLs through the whole program: identities, links, addresses, snapshots, older databases (I1, S7)."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from pytest_alembic import MigrationContext

from mcp_optimizer.config import Settings
from mcp_optimizer.demo.simulator import ToolHiveSimulator
from mcp_optimizer.domain.identity import remote_identity
from mcp_optimizer.domain.matching import Reason
from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.errors import CallError
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.mcp.calls import Connections
from tests.conftest import NewPlace, OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import damage, everything, rows, value
from tests.support.earlier_revisions import take_to
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.services import assert_sound, ingest, registry_by_name, workloads_by_name

URL = "https://portal.example/mcp?projectKey="
CANARY = "canary-5b1e-not-a-real-secret"
KEYED = (
    f"https://k.example/mcp?api_key={CANARY}", f"https://me:{CANARY}@u.example/mcp", f"https://s.example/s/sk-1{CANARY}",
)  # fmt: skip


async def test_i1_urls_that_differ_in_a_value_are_not_linked(open_service: OpenService) -> None:
    service = await open_service()
    await ingest(
        service,
        catalog(entry("alpha", f"{URL}alpha"), entry("a", "https://x.example/?author=a"),
                entry("b", "https://x.example/?author=b")),
        listing(workload("w", f"{URL}beta"), workload("v", "https://x.example/?author=b")),
    )  # fmt: skip
    explanation = await service.explain("w")
    assert (explanation.verdict, explanation.registry_server) == (Relation.AUTONOMOUS, None)
    assert [(miss.registry_server, miss.reason) for miss in explanation.near_misses] == [
        ("alpha", Reason.QUERY_DIFFERS)
    ]
    assert (await service.explain("v")).registry_server == "b"
    assert (await service.workload("w")).identity == f"{URL}beta"


async def test_s7_one_credential_links_and_another_does_not(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    entries = [entry(f"e{place}", url) for place, url in enumerate(KEYED)]
    same = [workload(f"same{place}", url) for place, url in enumerate(KEYED)]
    other = [workload(f"other{place}", url.replace(CANARY, f"{CANARY}2")) for place, url in enumerate(KEYED)]
    for _ in range(2):
        report = await ingest(service, catalog(*entries), listing(*same, *other))
    assert report.registry is not None
    assert report.workloads is not None
    assert (report.registry.unchanged, report.workloads.unchanged) == (3, 6), "the second run changes nothing"
    for place in range(len(KEYED)):
        assert (await service.explain(f"same{place}")).registry_server == f"e{place}"
        explanation = await service.explain(f"other{place}")
        assert explanation.registry_server is None
        assert explanation.near_misses
    assert CANARY.encode() not in everything(database)
    await assert_sound(service)


async def test_s7_a_snapshot_of_credentials_tells_the_same_and_gives_none_away(
    open_service: OpenService, new_place: NewPlace, tmp_path: Path
) -> None:
    service = await open_service()
    entries = [entry(f"e{place}", url) for place, url in enumerate(KEYED)]
    away = f"http://me:{CANARY}@127.0.0.1:9/mcp?token={CANARY}"
    running = [workload(f"w{place}", url, endpoint=away) for place, url in enumerate(KEYED)]
    await ingest(service, catalog(*entries), listing(*running))
    path, again = tmp_path / "exported.json", tmp_path / "again.json"
    await service.export_snapshot(path)
    assert CANARY not in path.read_text()
    place = new_place("elsewhere")
    place.prepare()
    other = await open_service(Settings(db_url=place.url))
    await other.ingest(IngestPart.ALL, [str(path)])
    assert {view.name: view.registry_server for view in await other.workloads()} == {"w0": "e0", "w1": "e1", "w2": "e2"}
    await other.export_snapshot(again)
    assert json.loads(again.read_text()) == json.loads(path.read_text())


TOOLS = [{"name": "ping", "description": "Pings.", "inputSchema": {"type": "object"}}]


async def test_s7_an_address_with_a_credential_is_asked_of_its_source_again(
    open_service: OpenService, settings: Settings, database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    call = Connections.call

    async def noted(self: Connections, endpoint: str, *arguments: Any, **more: Any) -> Any:
        called.append(endpoint)
        return await call(self, endpoint, *arguments, **more)

    monkeypatch.setattr(Connections, "call", noted)
    async with ToolHiveSimulator(workloads=[{"name": "plain", "package": "a/b:1", "tool_definitions": TOOLS}]) as sim:
        plain = f"{sim.url}/workloads/plain/mcp"
        remote = {"package": "remote", "remote": True, "status": "running"}
        addresses = {
            "keyed": f"{plain}?api_key={CANARY}",
            "user": plain.replace("://", f"://me:{CANARY}@"),
            "whole": f"{plain}?projectKey=alpha&author=a",
        }
        for name, address in addresses.items():
            sim.put_workload({"name": name, **remote, "remote_url": f"https://r.example/{name}", "url": address})
        service = await open_service(settings.model_copy(update={"toolhive_url": sim.url}))
        await service.ingest(IngestPart.ALL)
        for name in addresses:
            result = await service.call_tool(name, "ping", {})
            assert "answered ping" in result["content"][0]["text"]
        assert called == list(addresses.values())
        stored = dict(rows(database, "SELECT name, endpoint FROM mcpservers_workload"))
        assert stored["whole"] == addresses["whole"]
        assert CANARY.encode() not in everything(database)
        sim.remove_workload("keyed")
        with pytest.raises(CallError, match="keyed has an address with a credential, which is not stored"):
            await service.call_tool("keyed", "ping", {})


# Databases of earlier versions


async def masked(service: DataService, database: Place, *names: str) -> None:
    """Store what earlier versions did: every value of a key-like field masked."""
    entries = [entry(name, f"{URL}…", description=f"The server {name}.") for name in names]
    await ingest(service, catalog(*entries), listing(workload("w", f"{URL}…"), workload("x", f"{URL}…")))


async def test_l1_links_survive_that_identities_are_spelled_whole(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    await masked(service, database, "alpha")
    before, home = await workloads_by_name(service), await registry_by_name(service)
    assert before["w"].registry_server == before["x"].registry_server == "alpha"
    whole = catalog(entry("alpha", f"{URL}alpha", description="The server alpha."))
    dry = await ingest(service, whole, listing(workload("w", f"{URL}alpha"), workload("x", f"{URL}beta")), dry_run=True)
    report = await ingest(service, whole, listing(workload("w", f"{URL}alpha"), workload("x", f"{URL}beta")))
    assert dry.workloads is not None
    assert report.workloads is not None
    assert dry.workloads.linked == report.workloads.linked
    after = await workloads_by_name(service)
    assert after["w"].id == before["w"].id
    assert (after["w"].registry_server, after["w"].identity, after["w"].drift) == ("alpha", f"{URL}alpha", None)
    assert (after["x"].registry_server, after["x"].identity) == (None, f"{URL}beta"), "it was never this one"
    assert {row.id for row in (await registry_by_name(service)).values()} == {row.id for row in home.values()}
    assert (await registry_by_name(service))["alpha"].identity == f"{URL}alpha"
    await assert_sound(service)


async def test_l1_links_survive_one_half_at_a_time(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    await masked(service, database, "alpha")
    await ingest(service, None, listing(workload("w", f"{URL}alpha"), workload("x", f"{URL}beta")))
    assert {row.registry_server for row in (await workloads_by_name(service)).values()} == {"alpha"}
    await ingest(service, catalog(entry("alpha", f"{URL}alpha")))
    after = await workloads_by_name(service)
    assert (after["w"].registry_server, after["x"].registry_server) == ("alpha", None)
    assert after["w"].drift is None
    await assert_sound(service)


async def test_c4_two_entries_that_were_one_identity_are_two_again(open_service: OpenService, database: Place) -> None:
    service = await open_service()
    await masked(service, database, "alpha", "beta")
    await service.resolve(f"{URL}…", "alpha")
    given = listing(workload("w", f"{URL}alpha"), workload("x", f"{URL}beta"))
    await ingest(service, catalog(entry("alpha", f"{URL}alpha"), entry("beta", f"{URL}beta")), given)
    after = await workloads_by_name(service)
    assert (after["w"].registry_server, after["x"].registry_server) == ("alpha", "beta")
    await assert_sound(service)


async def test_m3_a_choice_survives_that_identities_are_spelled_whole(
    open_service: OpenService, database: Place
) -> None:
    service = await open_service()
    await masked(service, database, "one", "two")
    await service.resolve(f"{URL}…", "two")
    whole = catalog(entry("one", f"{URL}alpha"), entry("two", f"{URL}alpha"))
    await ingest(service, whole, listing(workload("w", f"{URL}alpha"), workload("x", f"{URL}alpha")))
    after = await workloads_by_name(service)
    assert (after["w"].registry_server, after["x"].registry_server) == ("two", "two")


async def test_s7_what_an_earlier_revision_stored_is_taken_out(
    database: Place, alembic_runner: MigrationContext
) -> None:
    take_to("0004", alembic_runner)
    at, secret = "2026-01-01T00:00:00Z", f"https://h.example/s/sk-1{CANARY}"
    plain, repository = "https://h.example/?projectKey=alpha", f"https://u:{CANARY}@git.example/a#x"
    ids = {name: str(uuid.UUID(int=place, version=4)) for place, name in enumerate(("e1", "e2", "w1", "w2"), 1)}
    for key, url in (("1", secret), ("2", plain)):
        identity = remote_identity(url)
        damage(
            database,
            "INSERT INTO mcpservers_registry (id, name, url, identity, remote, repository, description, created_at, "
            "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ids[f"e{key}"], f"e{key}", identity.raw, identity.canonical, True, repository, "About.", at, at,
        )  # fmt: skip
        damage(
            database,
            "INSERT INTO mcpservers_workload (id, name, url, identity, remote, status, status_reason, endpoint, "
            "registry_server_id, registry_server_name, created_at, updated_at) "
            "VALUES (?, ?, ?, ?, ?, 'error', ?, ?, ?, ?, ?, ?)",
            ids[f"w{key}"], f"w{key}", identity.raw, identity.canonical, True, f"Authorization: Bearer {CANARY}", url,
            ids[f"e{key}"], f"e{key}", at, at,
        )  # fmt: skip
    damage(database, "INSERT INTO change_log (at, entity, entity_id, name, operation, cause, detail) "
        "VALUES (?, 'workload', 'w1', 'w1', 'added', '', ?)", at, secret)  # fmt: skip
    await DataService(Settings(db_url=database.url), embedder=FakeEmbedder()).upgrade()
    columns = "SELECT * FROM mcpservers_registry", "SELECT * FROM mcpservers_workload", "SELECT * FROM change_log"
    assert CANARY not in repr([rows(database, query) for query in columns])
    assert value(database, "SELECT url FROM mcpservers_registry WHERE name = 'e2'") == plain
    assert value(database, "SELECT repository FROM mcpservers_registry WHERE name = 'e1'") == "https://git.example/a"
    (pair,) = rows(database, "SELECT e.identity, w.identity FROM mcpservers_registry e JOIN mcpservers_workload w "
        "ON w.registry_server_id = e.id WHERE e.name = 'e1'")  # fmt: skip
    assert pair[0] == pair[1]
    async with DataService(Settings(db_url=database.url), embedder=FakeEmbedder()) as service:
        given = listing(workload("w1", secret), workload("w2", plain))
        await ingest(service, catalog(entry("e1", secret), entry("e2", plain)), given)
        assert {view.name: (view.registry_server, view.drift) for view in await service.workloads()} == {
            "w1": ("e1", None), "w2": ("e2", None),
        }  # fmt: skip
