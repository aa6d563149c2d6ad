"""`db backup`: a copy is compared before it has its name, and naming it restores it."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mcp_optimizer.cli.main import run_program
from mcp_optimizer.errors import StoreError
from mcp_optimizer.maintenance.backup import back_up
from mcp_optimizer.service import DataService
from tests.conftest import OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump, raw_connection, schema
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, PostgresPlace
from tests.support.services import assert_sound, ingest, registry_by_name

CATALOG = catalog(entry("alpha", "example.org/alpha:1", ["ping"]), entry("beta", "https://beta.example/mcp", ["pong"]))
LISTING = listing(workload("one", "example.org/alpha:1"), workload("own", "example.org/own:1"))


@pytest.fixture
async def filled(open_service: OpenService, database_path: Path) -> DataService:
    """An open service on a store that has some of everything."""
    service = await open_service()
    await ingest(service, CATALOG, LISTING)
    return service


async def test_a_backup_of_an_open_database_is_restored_by_naming_it(
    filled: DataService, database_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "kept.db"
    before = (schema(database_path), dump(database_path))
    report = await filled.backup(target)
    assert (schema(target), dump(target)) == before
    assert (report.file, report.bytes) == (str(target), target.stat().st_size)
    assert target.stat().st_mode & 0o777 == 0o600
    kept = await registry_by_name(filled)
    await ingest(filled, catalog())
    settings = filled.settings.model_copy(update={"db_url": f"sqlite:///{target}"})
    async with DataService(settings, embedder=FakeEmbedder()) as restored:
        await assert_sound(restored)
        assert await registry_by_name(restored) == kept
        await ingest(restored, catalog(*CATALOG.entries, entry("new", "example.org/new:1", ["beam"])))
        await assert_sound(restored)


async def test_what_is_there_is_never_written_over(filled: DataService, database_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.db"
    target.write_text("somebody's")
    with pytest.raises(StoreError, match="is there already") as caught:
        await filled.backup(target)
    assert caught.value.remedy
    assert target.read_text() == "somebody's"
    assert list(tmp_path.glob("kept*")) == [target]
    with pytest.raises(StoreError, match="is there already"):
        await filled.backup(database_path)


async def test_a_directory_that_is_not_there(filled: DataService, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't write the backup"):
        await filled.backup(tmp_path / "nowhere" / "kept.db")


async def test_a_damaged_database_is_not_taken_for_sound(
    filled: DataService, database_path: Path, tmp_path: Path
) -> None:
    with raw_connection(database_path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = bytearray(database_path.read_bytes())
    damaged = tmp_path / "damaged.db"
    for page in range(8, 40):
        stored[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    damaged.write_bytes(stored)
    target = tmp_path / "kept.db"
    with pytest.raises(StoreError):
        await back_up(damaged, target)
    assert not list(tmp_path.glob("kept*"))


async def test_a_backup_while_another_program_writes(filled: DataService, database_path: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with raw_connection(database_path) as connection:
            while not stop.wait(0.05):
                connection.execute("UPDATE mcpservers_registry SET title = title || 'x'")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = await filled.backup(tmp_path / "kept.db")
    finally:
        stop.set()
        writer.join()
    settings = filled.settings.model_copy(update={"db_url": f"sqlite:///{report.file}"})
    async with DataService(settings, embedder=FakeEmbedder()) as restored:
        await assert_sound(restored)


STUCK = """
import sys, time
from pathlib import Path
from mcp_optimizer.maintenance import backup

def stuck(path):
    print("stuck", flush=True)
    time.sleep(60)

backup._flush = stuck
backup._back_up(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def stuck_backup(source: Path, target: Path) -> subprocess.Popen[bytes]:
    """A program that has copied everything, and never comes to giving the copy its name."""
    return subprocess.Popen([sys.executable, "-c", STUCK, str(source), str(target)], stdout=subprocess.PIPE)


async def test_what_a_killed_backup_leaves_is_taken_away_by_the_next(
    filled: DataService, database_path: Path, tmp_path: Path
) -> None:
    somebodys = tmp_path / "kept.db.partial-0123abcd"
    somebodys.touch()
    with stuck_backup(database_path, tmp_path / "never.db") as killed:
        try:
            assert killed.stdout is not None
            assert killed.stdout.readline() == b"stuck\n"
            (left,) = tmp_path.glob("never*")
            assert left.stat().st_size > 0
            await filled.backup(tmp_path / "one.db")
            assert left.exists(), "a living program's is left alone"
        finally:
            killed.kill()
    assert left.exists()
    await filled.backup(tmp_path / "two.db")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [somebodys.name, "one.db", "two.db"]


def test_the_command(database: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database.prepare()
    assert run_program(["--db", database.url, "registry", "list"]) == 0
    capsys.readouterr()
    code = run_program(["--db", database.url, "db", "backup", str(tmp_path / "kept.db"), "--json"])
    said = capsys.readouterr()
    if isinstance(database, PostgresPlace):
        assert code == 1
        assert "db copy" in said.err, "a server's data is no file of ours"
    else:
        assert code == 0
        assert json.loads(said.out)["tables"] > 10
