"""What tests of the command line share: the program in this process, and the sample ingested."""

import json
from typing import Any

import pytest

from mcp_optimizer.cli.main import PARTLY, run_program
from mcp_optimizer.demo.sample import sample_snapshot
from tests.conftest import Template
from tests.support.places import Place


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
