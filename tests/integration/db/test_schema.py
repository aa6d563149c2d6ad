"""The schema refuses what the rules forbid (S1, S2), and the file is the user's alone."""

import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.db.search_tables import all_tables
from mcp_optimizer.db.sqlite.driver import sqlite_module
from mcp_optimizer.errors import StoreError
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import CORE, raw_connection, sizes, tables
from tests.support.places import Place
from tests.support.services import ingest

AT = "2026-01-02T03:04:05Z"


def registry_row(**columns: Any) -> dict[str, Any]:
    """A good row of a container entry, but for what is said otherwise."""
    return {
        "id": "r1", "name": "alpha", "url": None, "package": "example.org/alpha:1", "identity": "example.org/alpha:1",
        "remote": False, "created_at": AT, "updated_at": AT,
    } | columns  # fmt: skip


def workload_row(**columns: Any) -> dict[str, Any]:
    """A good row of an autonomous container workload, but for what is said otherwise."""
    return {
        "id": "w1", "name": "alpha-1", "url": None, "package": "example.org/alpha:1", "identity": "example.org/alpha:1",
        "remote": False, "status": "running", "registry_server_id": None, "registry_server_name": None,
        "description": "its own", "created_at": AT, "updated_at": AT,
    } | columns  # fmt: skip


def tool_row(**columns: Any) -> dict[str, Any]:
    """A good row of a tool of the registry server ``r1``."""
    return {"id": "t1", "server_id": "r1", "name": "ping", "created_at": AT, "updated_at": AT} | columns


REFUSED = (sqlite_module().IntegrityError, psycopg.IntegrityError)


def insert(place: Place, table: str, *given: dict[str, Any]) -> None:
    with raw_connection(place) as connection:
        for row in given:
            names = ", ".join(f'"{name}"' for name in row)
            values = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", tuple(row.values()))


def refused(place: Place, table: str, *given: dict[str, Any]) -> None:
    with pytest.raises(REFUSED):
        insert(place, table, *given)


REMOTE = {"remote": True, "url": "https://a.example/mcp", "package": None, "identity": "https://a.example/mcp"}
LINKED = {"registry_server_id": "r1", "registry_server_name": "alpha", "description": None}


@pytest.mark.parametrize(
    ("table", "row"),
    [("mcpservers_registry", registry_row), ("mcpservers_workload", workload_row)],
)
@pytest.mark.parametrize(
    "bad",
    [
        {"url": "https://a.example/mcp"},
        {"package": None},
        REMOTE | {"package": "example.org/alpha:1"},
        REMOTE | {"url": None},
        {"remote": True},
        {"remote": False, "url": "https://a.example/mcp", "package": None},
    ],
)
async def test_s2_exactly_one_of_url_and_package_by_kind(
    service: DataService, database: Place, table: str, row: Any, bad: dict[str, Any]
) -> None:
    refused(database, table, row(**bad))


async def test_s2_an_identity_is_unique_per_kind(open_service: OpenService, database: Place) -> None:
    await open_service(check=False)
    insert(database, "mcpservers_registry", registry_row())
    refused(database, "mcpservers_registry", registry_row(id="r2", name="other"))
    twin = REMOTE | {"id": "r3", "identity": "example.org/alpha:1"}
    insert(database, "mcpservers_registry", registry_row(**twin))


async def test_s2_names_are_unique_where_they_identify(open_service: OpenService, database: Place) -> None:
    await open_service(check=False)
    insert(database, "mcpservers_registry", registry_row(), registry_row(id="r2", identity="example.org/alpha:2"))
    insert(database, "mcpservers_workload", workload_row())
    refused(database, "mcpservers_workload", workload_row(id="w2"))
    insert(database, "tools_registry", tool_row(), tool_row(id="t2", server_id="r2"))
    refused(database, "tools_registry", tool_row(id="t3"))


@pytest.mark.parametrize(
    "bad",
    [
        {"description": None},
        {"registry_server_id": "r1"},
        {"registry_server_name": "alpha"},
        LINKED | {"description": "its own"},
        LINKED | {"registry_server_name": None},
        LINKED | {"server_embedding": b"\0" * 64},
        LINKED | {"registry_server_id": "nowhere"},
    ],
)
async def test_s2_a_relation_is_whole(open_service: OpenService, database: Place, bad: dict[str, Any]) -> None:
    await open_service(check=False)
    insert(database, "mcpservers_registry", registry_row())
    refused(database, "mcpservers_workload", workload_row(**bad))
    insert(database, "mcpservers_workload", workload_row(**LINKED))


async def test_s1_a_tool_belongs_to_a_server_and_goes_with_it(open_service: OpenService, database: Place) -> None:
    await open_service(check=False)
    refused(database, "tools_registry", tool_row())
    insert(database, "mcpservers_registry", registry_row())
    insert(database, "tools_registry", tool_row())
    with raw_connection(database) as connection:
        connection.execute("DELETE FROM mcpservers_registry")
    assert sizes(database, "tools_registry") == {"tools_registry": 0}


async def test_l4_the_schema_lets_no_link_dangle(open_service: OpenService, database: Place) -> None:
    """A linked workload must get its own description first: deleting past the program is refused."""
    await open_service(check=False)
    insert(database, "mcpservers_registry", registry_row())
    insert(database, "mcpservers_workload", workload_row(**LINKED))
    with pytest.raises(REFUSED), raw_connection(database) as connection:
        connection.execute("DELETE FROM mcpservers_registry")


async def test_s1_s3_four_core_and_six_search_tables(service: DataService, database: Place) -> None:
    found = tables(database)
    assert set(CORE) <= found
    assert set(all_tables()) <= found
    assert len(all_tables()) == 6


async def test_s3_deleting_leaves_nothing_in_the_search_tables(service: DataService, database: Place) -> None:
    entries = catalog(entry("alpha", "example.org/alpha:1", ["ping"]), entry("beta", "https://b.example/mcp", ["pong"]))
    await ingest(service, entries, listing(workload("one", "example.org/alpha:1"), workload("two", "example.org/two")))
    assert all(sizes(database, *all_tables()).values())
    await service.delete_registry_servers(["alpha", "beta"])
    await service.delete_workloads(["one", "two"])
    assert sizes(database, *all_tables(), *CORE) == dict.fromkeys((*all_tables(), *CORE), 0)


async def test_the_file_is_the_users_alone(open_service: OpenService, database_path: Path) -> None:
    service = await open_service(fresh=True)
    await ingest(service, catalog(entry("alpha", "example.org/alpha:1")))
    assert stat.S_IMODE(database_path.parent.stat().st_mode) == 0o700
    files = list(database_path.parent.iterdir())
    assert database_path in files
    assert len(files) > 1, "the write-ahead log is looked at too"
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in files} == {file.name: 0o600 for file in files}


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "no url", "sqlite:////dev/null/x"]
)
@pytest.mark.sqlite
async def test_a_url_that_is_no_file_is_a_readable_error(settings: Settings, url: str) -> None:
    with pytest.raises(StoreError) as caught:
        async with DataService(settings.model_copy(update={"db_url": url})):
            pass
    assert caught.value.remedy
