"""The file under an open database: deleted, replaced, moved or emptied, nothing is reported as stored (B, S6)."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_optimizer.db.database import Database
from mcp_optimizer.errors import StoreError
from tests.conftest import OpenService
from tests.support.builders import catalog, entry
from tests.support.services import ingest

pytestmark = pytest.mark.sqlite


def delete(path: Path) -> None:
    path.unlink()


def delete_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def rename(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace_by_empty(path: Path) -> None:
    other = path.with_name("other.db")
    other.touch()
    other.replace(path)


def replace_by_copy(path: Path) -> None:
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.replace(path)


def empty(path: Path) -> None:
    os.truncate(path, 0)


HARM = [delete, delete_directory, rename, replace_by_empty, replace_by_copy, empty]


@pytest.mark.parametrize("harm", HARM)
async def test_neither_ingestion_nor_check_reports_success(
    harm: Callable[[Path], None], open_service: OpenService, database_path: Path
) -> None:
    service = await open_service(check=False)
    await ingest(service, catalog(entry("a", "x/a:1")))
    harm(database_path)
    with pytest.raises(StoreError, match="while it was open") as failure:
        await ingest(service, catalog(entry("a", "x/a:1"), entry("b", "x/b:1")))
    assert failure.value.remedy
    for use in (service.check, service.overview, service.registry_servers):
        with pytest.raises(StoreError, match="while it was open"):
            await use()


@pytest.mark.parametrize("harm", [delete, rename, delete_directory])
async def test_nothing_empty_is_made_in_its_place(
    harm: Callable[[Path], None], open_service: OpenService, database_path: Path
) -> None:
    service = await open_service(check=False)
    harm(database_path)
    for use in (service.check, service.overview, service.workloads, service.reindex):
        with pytest.raises(StoreError):
            await use()
    assert not database_path.exists()


@pytest.mark.parametrize("harm", [delete, replace_by_copy, empty])
async def test_who_watches_is_told(
    harm: Callable[[Path], None], open_service: OpenService, database_path: Path
) -> None:
    service = await open_service(check=False)
    await ingest(service, catalog(entry("a", "x/a:1")))
    watching = service.watch(interval=0.01)
    harm(database_path)
    with pytest.raises(StoreError, match="while it was open"):
        async for _ in watching:
            pass


@pytest.mark.parametrize("name", ["file:x.db", "file::memory:", "a b#c.db", "~x.db"])
async def test_a_name_is_a_name_and_no_uri_with_options(name: str, tmp_path: Path) -> None:
    path = tmp_path / "named" / name
    database = Database(f"sqlite:///{path}")
    await database.open()
    async with database.writing() as connection:
        await connection.exec_driver_sql("CREATE TABLE x (y)")
    await database.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size > 0
    assert sorted(tmp_path.iterdir()) == [path.parent]


@pytest.mark.parametrize(
    "url", ["sqlite:///x.db?mode=ro", "sqlite:///file:x?mode=memory&cache=shared", "sqlite:///x?vfs=unix"]
)
def test_options_in_the_url_of_a_file_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="options"):
        Database(url)
