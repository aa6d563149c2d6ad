"""What tests of the command line share: the program in this process, and the sample ingested."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.config import Config
from pytest_alembic import Config as Checks
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from mcp_optimizer.cli.program import PARTLY, run_program
from mcp_optimizer.db import sqlite_driver
from mcp_optimizer.db.upgrade import HEAD, migrations_directory
from mcp_optimizer.demo.sample import sample_snapshot
from tests.conftest import Template
from tests.support.embedders import FAKE_MODEL
from tests.support.places import Place, SqlitePlace


@pytest.fixture
def call(database: Place, capsys: pytest.CaptureFixture[str], settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the program in this process; gives exit code, stdout and stderr."""
    monkeypatch.setenv("MCP_OPTIMIZER_CACHE_DIR", str(settings.cache_dir))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_program(["--db", database.url, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample as a snapshot file."""
    path = tmp_path_factory.mktemp("sample") / "snapshot.json"
    path.write_text(json.dumps(sample_snapshot()))
    return str(path)


@pytest.fixture
def filled(call: Any, database: Place, snapshot: str, template: Template) -> Any:
    """The program with the sample ingested."""

    def ingest(place: Place) -> None:
        assert run_program(["--db", place.url, "ingest", "all", "--from", snapshot]) == PARTLY

    database.copy_of(template("sample", ingest))
    return call


@pytest.fixture
def alembic_config() -> Checks:
    """The program's revisions, for pytest-alembic. None can be undone: who wants to go back names the backup."""
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    config.attributes["model"] = FAKE_MODEL
    return Checks(alembic_config=config, minimum_downgrade_revision=HEAD)


@pytest.fixture
def alembic_engine(database: Place) -> Iterator[Connection]:
    """A connection to the test's database, for pytest-alembic. Whoever wants to look from outside commits first."""
    database.prepare()
    if isinstance(database, SqlitePlace):
        path = database.path
        path.parent.mkdir()
        engine = create_engine(
            "sqlite://", module=sqlite_driver.sqlite_module(), creator=lambda: sqlite_driver.connect(path)
        )
    else:
        engine = create_engine(make_url(database.url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
