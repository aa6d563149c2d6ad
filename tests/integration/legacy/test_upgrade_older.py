"""Databases of the program's predecessor are taken over, row by row: placed, or kept in quarantine, never lost."""

import json
import shutil
from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.db.migrations import HEAD
from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.upgrade_report import UpgradeReport
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.legacy.old_descriptions import compose
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support import older_databases as older
from tests.support.builders import catalog, entry
from tests.support.database import raw_connection, rows, schema, value
from tests.support.embedders import FakeEmbedder
from tests.support.places import PostgresServer
from tests.support.services import assert_sound, ingest, registry_by_name, workloads_by_name

ORIGINAL = Path(__file__).parents[4] / "shared" / "data" / "original-split-d2977d4c8c53.db"
SHAPES = ("split", "unified")


async def upgraded(settings: Settings, *, dry_run: bool = False) -> UpgradeReport:
    """What an upgrade says."""
    return await DataService(settings, embedder=FakeEmbedder()).upgrade(dry_run=dry_run)


def counted(report: UpgradeReport) -> dict[str, tuple[int, int, int, int]]:
    """Rows, and those placed, shared and in quarantine, by table."""
    return {count.table: (count.rows, count.placed, count.shared, count.quarantined) for count in report.counts}


def reasons(report: UpgradeReport) -> dict[str, str]:
    """Why rows are in quarantine, by the number in their id."""
    return {str(int(row.id[-4:], 16)): row.reason for row in report.quarantined}


async def test_the_split_shape(settings: Settings, database_path: Path) -> None:
    older.make(database_path, "split", older.split_rows())
    report = await upgraded(settings)
    assert (report.shape, report.from_revision, report.to_revision) == ("split", older.REVISION, HEAD)
    assert counted(report) == {
        "mcpservers_registry": (6, 2, 1, 3),
        "mcpservers_workload": (7, 5, 0, 2),
        "tools_registry": (4, 2, 1, 1),
        "tools_workload": (9, 4, 0, 5),
    }
    assert (report.linked, report.autonomous, report.partial) == (3, 2, True)
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)
        servers, workloads = await registry_by_name(service), await workloads_by_name(service)
        assert {problem.problem for problem in await service.problems()} == {"duplicate"}
    assert {name: view.id for name, view in servers.items()} == {"alpha": older.uuid(1), "beta": older.uuid(2)}
    assert (servers["alpha"].description, servers["alpha"].tags) == ("Does alpha | things.", ("first", "greek"))
    assert (servers["beta"].description, servers["beta"].tags) == ("", ("second",))
    assert servers["alpha"].created_at == "2025-03-04T05:06:07Z"
    assert servers["alpha"].duplicates == ("alpha-twin",)
    assert {name: (view.registry_server, view.id) for name, view in workloads.items()} == {
        "a-runs": ("alpha", older.uuid(11)),
        "b-runs": ("beta", older.uuid(12)),
        "own": (None, older.uuid(13)),
        "lost": (None, older.uuid(14)),
        "drifted": ("alpha", older.uuid(15)),
    }
    assert workloads["a-runs"].description == "Does alpha | things."
    assert {view.name for view in workloads["a-runs"].tool_list} == {"ping", "more"}
    assert (workloads["a-runs"].group, workloads["a-runs"].endpoint) == ("team", "http://127.0.0.1:20011/mcp")
    assert (workloads["b-runs"].status, workloads["b-runs"].virtual_mcp) == ("stopped", True)
    assert workloads["own"].description == "My own."
    assert workloads["drifted"].drift is not None
    assert [note.name for note in report.notes] == ["lost"]


async def test_rows_without_a_place_are_kept_with_the_reason(settings: Settings, database_path: Path) -> None:
    older.make(database_path, "split", older.split_rows())
    found = reasons(await upgraded(settings))
    assert found == {
        "4": "no image is named",
        "5": "it has no name",
        "6": "not a URL: bad host name",
        "16": "another workload has the name own",
        "17": "no image is named",
        "103": "its server could not be placed",
        "205": "its details are no JSON",
        "206": "its details are no JSON object",
        "207": "its server has another tool named solo",
        "208": "its server is not in the database",
        "209": "it has no details",
    }
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        kept = {str(int(row.id[-4:], 16)): json.loads(row.row) for row in await service.quarantined()}
    assert set(kept) == set(found)
    assert kept["16"]["workload_identifier"] == "example.org/other:1"
    assert kept["205"]["details"] == "{not json"
    assert "details_embedding" not in kept["205"]
    assert "secret" not in repr(older.everything(database_path)), "S7"


async def test_the_unified_shape(settings: Settings, database_path: Path) -> None:
    older.make(database_path, "unified", older.unified_rows())
    report = await upgraded(settings)
    assert report.shape == "unified"
    assert counted(report) == {"mcpserver": (6, 5, 0, 1), "tool": (7, 5, 0, 2)}
    assert reasons(report) == {
        "6": "no image is named",
        "106": "its server could not be placed",
        "107": "its details are no JSON",
    }
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)
        servers, workloads = await registry_by_name(service), await workloads_by_name(service)
    assert {name: view.identity for name, view in servers.items()} == {
        "alpha": "example.org/alpha:1",
        "beta": "https://beta.example/mcp",
        "gamma": "https://gamma.example/mcp",
    }
    assert {name: (view.registry_server, view.status) for name, view in workloads.items()} == {
        "gamma": ("gamma", "running"),
        "a-runs": ("alpha", "running"),
        "own": (None, "stopped"),
    }
    assert servers["gamma"].id == older.uuid(3)
    assert workloads["gamma"].endpoint == "http://127.0.0.1:20003/mcp"
    assert [view.name for view in workloads["gamma"].tool_list] == ["gamma_ray"], "both halves have its tools"
    assert [view.name for view in servers["gamma"].tool_list] == ["gamma_ray"]
    assert "solo" in workloads["own"].description, "a placeholder is no description"


@pytest.mark.parametrize("shape", SHAPES)
async def test_columns_may_be_missing(settings: Settings, database_path: Path, shape: str) -> None:
    older.make(database_path, shape, older.rows_of(shape))
    expected = counted(await upgraded(settings))
    for column in sorted(older.OPTIONAL):
        for path in database_path.parent.iterdir():
            path.unlink()
        older.make(database_path, shape, older.rows_of(shape), without={column})
        assert counted(await upgraded(settings)) == expected, column
        async with DataService(settings, embedder=FakeEmbedder()) as service:
            await assert_sound(service)


ALL_SHAPES = [
    *SHAPES,
    pytest.param("original", marks=pytest.mark.skipif(not ORIGINAL.exists(), reason=f"needs {ORIGINAL.name}")),
]


def made(path: Path, shape: str) -> None:
    """An older database: one of the tests' own, or the one that the older program made."""
    if shape == "original":
        path.parent.mkdir()
        path.write_bytes(ORIGINAL.read_bytes())
    else:
        older.make(path, shape, older.rows_of(shape))


@pytest.mark.parametrize("shape", ALL_SHAPES)
async def test_the_schema_is_that_of_a_fresh_database(settings: Settings, database_path: Path, shape: str) -> None:
    made(database_path, shape)
    await upgraded(settings)
    assert older.leftovers(database_path) == []
    converted = schema(database_path)
    fresh = database_path.with_name("fresh.db")
    async with DataService(settings.model_copy(update={"db_url": f"sqlite:///{fresh}"}), embedder=FakeEmbedder()):
        pass
    assert converted == schema(fresh)
    for path in (database_path, fresh):
        assert value(path, "SELECT version_num FROM alembic_version") == HEAD


@pytest.mark.parametrize("shape", ALL_SHAPES)
async def test_it_goes_on_to_postgresql(
    settings: Settings, database_path: Path, postgres: PostgresServer, shape: str
) -> None:
    """The older program never had a server: its data come there by way of an upgraded file."""
    made(database_path, shape)
    report = await upgraded(settings)
    target, fresh = postgres.place(), postgres.place()
    for place in (target, fresh):
        place.prepare()
    await DataService(settings, embedder=FakeEmbedder()).copy_to(target.url)
    there, new = (settings.model_copy(update={"db_url": place.url}) for place in (target, fresh))
    async with (
        DataService(settings, embedder=FakeEmbedder()) as one,
        DataService(there, embedder=FakeEmbedder()) as other,
        DataService(new, embedder=FakeEmbedder()),
    ):
        await assert_sound(other)
        assert await registry_by_name(other) == await registry_by_name(one)
        assert await workloads_by_name(other) == await workloads_by_name(one)
        assert await other.quarantined() == await one.quarantined()
        assert len(await other.quarantined()) == len(report.quarantined)
    assert schema(target) == schema(fresh)
    for place in (target, fresh):
        place.drop()


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_empty_one_is_taken_over_too(settings: Settings, database_path: Path, shape: str) -> None:
    older.make(database_path, shape, {})
    report = await upgraded(settings)
    assert (report.shape, report.partial, report.linked, report.autonomous) == (shape, False, 0, 0)
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)


@pytest.mark.parametrize("shape", SHAPES)
async def test_upgrading_twice_is_upgrading_once(settings: Settings, database_path: Path, shape: str) -> None:
    older.make(database_path, shape, older.rows_of(shape))
    assert (await upgraded(settings)).done
    before, beside = database_path.read_bytes(), sorted(database_path.parent.iterdir())
    again = await upgraded(settings)
    assert (again.done, again.backup, again.shape) == ((), None, "current")
    assert database_path.read_bytes() == before
    assert sorted(database_path.parent.iterdir()) == beside


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_dry_run_foretells_and_changes_not_one_byte(
    settings: Settings, database_path: Path, shape: str
) -> None:
    older.make(database_path, shape, older.rows_of(shape))
    before = (database_path.read_bytes(), database_path.stat().st_mtime_ns)
    preview = await upgraded(settings, dry_run=True)
    assert (database_path.read_bytes(), database_path.stat().st_mtime_ns) == before
    assert list(database_path.parent.iterdir()) == [database_path]
    happened = await upgraded(settings)
    assert preview.done[0].replace("convert ", "converted ") == happened.done[0]
    apart = {"done", "backup", "seconds", "dry_run"}
    assert preview.model_dump(exclude=apart) == happened.model_dump(exclude=apart)


async def test_a_linked_workload_lives_on_as_if_it_had_always_been_here(
    settings: Settings, database_path: Path
) -> None:
    older.make(database_path, "split", older.split_rows())
    await upgraded(settings)
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await ingest(service, catalog(entry("alpha", "example.org/alpha:9", ["ping"])))
        workloads = await workloads_by_name(service)
        assert workloads["a-runs"].registry_server == "alpha", "C1: the entry was re-tagged"
        assert workloads["a-runs"].drift is not None
        assert workloads["b-runs"].relation is not Relation.LINKED, "L4: its entry is gone"
        hits = await service.search(SearchQuery(text="pings the alpha"))
        assert hits[0].tool == "ping"
        await assert_sound(service)


async def test_the_backup_is_the_old_database(settings: Settings, database_path: Path, tmp_path: Path) -> None:
    older.make(database_path, "split", older.split_rows())
    old = rows(database_path, "SELECT * FROM mcpservers_registry ORDER BY id")
    report = await upgraded(settings)
    assert report.backup is not None
    kept = Path(report.backup.file)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert rows(kept, "SELECT * FROM mcpservers_registry ORDER BY id") == old
    restored = settings.model_copy(update={"db_url": f"sqlite:///{shutil.copy(kept, tmp_path / 'restored.db')}"})
    assert counted(await upgraded(restored)) == counted(report)


async def test_a_row_that_is_no_utf_8_or_no_type_it_should_be(settings: Settings, database_path: Path) -> None:
    given = older.split_rows()
    given["mcpservers_workload"] += [
        {**older.running(21, "bytes", "example.org/b:1"), "name": b"by\xfftes", "description": b"\xff\xfe"},
        {**older.running(22, "number", "example.org/n:1"), "name": 42, "remote": "maybe", "status": None},
        {**older.running(23, "\x1b[31mred\u202e", "example.org/red:1"), "group": 7.5, "created_at": "yesterday"},
        {**older.running(24, "ids", "example.org/ids:1"), "id": None},
    ]
    older.make(database_path, "split", given)
    with raw_connection(database_path) as connection:
        connection.execute("UPDATE mcpservers_registry SET description = CAST(x'ff20fe' AS TEXT) WHERE name = 'beta'")
    report = await upgraded(settings)
    (count,) = (count for count in report.counts if count.table == "mcpservers_workload")
    assert count.rows == 11 == count.placed + count.quarantined
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)


async def test_a_database_with_a_like_name_for_its_table_is_another_program_s(
    open_service: OpenService, database_path: Path
) -> None:
    database_path.parent.mkdir()
    with raw_connection(database_path) as connection:
        connection.execute("CREATE TABLE mcpserver (id INTEGER, name TEXT, url TEXT)")
    before = database_path.read_bytes()
    with pytest.raises(Exception, match="another program"):
        await open_service(fresh=True)
    assert database_path.read_bytes() == before


@pytest.mark.skipif(not ORIGINAL.exists(), reason=f"needs {ORIGINAL.name} beside the project")
async def test_a_database_that_the_older_program_made(settings: Settings, database_path: Path) -> None:
    database_path.parent.mkdir()
    database_path.write_bytes(ORIGINAL.read_bytes())
    report = await upgraded(settings)
    assert counted(report) == {
        "mcpservers_registry": (29, 29, 0, 0),
        "mcpservers_workload": (10, 10, 0, 0),
        "tools_registry": (209, 209, 0, 0),
        "tools_workload": (63, 63, 0, 0),
    }
    assert (report.linked, report.autonomous, report.quarantined, report.notes) == (9, 1, (), ())
    async with DataService(settings, embedder=FakeEmbedder()) as service:
        await assert_sound(service)
        servers, workloads = await registry_by_name(service), await workloads_by_name(service)
    for old in rows(ORIGINAL, "SELECT id, name, package, url, description FROM mcpservers_registry"):
        server = servers[old[1]]
        assert (server.id, server.identity) == (old[0], old[2] or old[3])
        assert not any(word in server.description for word in ("Server: ", "Description: ", " | Tags: "))
        assert compose(old[1], server.description, server.tags).split() == old[4].split()
    for old in rows(ORIGINAL, "SELECT id, name, registry_server_name, status FROM mcpservers_workload"):
        view = workloads[old[1]]
        assert (view.id, view.registry_server, view.status) == (old[0], old[2], old[3])
