"""Whatever is given, a command ends with one readable line and a true exit code, never a traceback (B)."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.cli.main import run_program
from mcp_optimizer.files import write_text
from tests.conftest import OpenService
from tests.support.places import Place

DONE, FAILED, USAGE, PARTLY = 0, 1, 2, 3
LONG = "n" * 300
PATHS = ["~nouser/x.json", LONG, "\udcff\udcfe.json", "/proc/self/x", "a\nb\x1b[31m.json", "", ".", "/dev/null/x"]

WITH_PATHS = [
    ("--db", "sqlite:///{}", "workload", "list"),
    ("ingest", "registry", "--from", "{}"),
    ("ingest", "all", "--from", "{}", "--dry-run"),
    ("snapshot", "export", "{}"),
    ("db", "backup", "{}"),
    ("db", "copy", "sqlite:///{}", "sqlite:///{}.other"),
    ("search", "--check", "{}"),
    ("demo", "--registry", "{}"),
    ("simulate-toolhive", "--registry", "{}"),
    ("simulate-toolhive", "--workloads", "{}"),
]

WITH_NAMES = [
    ("registry", "show", "{}"),
    ("registry", "delete", "{}", "--yes"),
    ("registry", "resolve", "{}", "{}", "--yes"),
    ("workload", "show", "{}"),
    ("workload", "explain", "{}"),
    ("workload", "delete", "{}", "--yes"),
    ("workload", "rematch", "{}", "--yes"),
    ("workload", "link", "{}", "{}", "--yes"),
    ("workload", "unlink", "{}", "--yes"),
    ("search", "{}"),
    ("search", "x", "--why", "{}"),
]


def ends_well(code: int, out: str, err: str) -> None:
    """No traceback; a failure says in one short text what went wrong; no control character but line ends."""
    assert code in {DONE, FAILED, USAGE, PARTLY}
    assert "Traceback" not in out + err
    assert "a mistake of the program" not in err
    if code in {FAILED, USAGE}:
        assert (err or out).strip()
        assert len(err) < 2000
    assert all(char.isprintable() or char == "\n" for char in err), repr(err)


@pytest.mark.sqlite
@pytest.mark.parametrize("path", PATHS, ids=ascii)
@pytest.mark.parametrize("command", WITH_PATHS, ids=" ".join)
def test_any_path_is_an_answer(
    command: tuple[str, ...], path: str, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not path and command[0] in {"demo", "simulate-toolhive"}:
        pytest.skip("no file named: the sample is served until it is interrupted")
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*(part.replace("{}", path) for part in command))
    ends_well(code, out, err)
    assert not (tmp_path / "~nouser").exists()


@pytest.mark.sqlite
@pytest.mark.parametrize("name", [LONG, "\udcff", "", "a\x1b]0;x\x07", "'; DROP TABLE x; --", "\0"], ids=ascii)
@pytest.mark.parametrize("command", WITH_NAMES, ids=" ".join)
def test_any_name_is_an_answer(command: tuple[str, ...], name: str, call: Any) -> None:
    ends_well(*call(*(part.replace("{}", name) for part in command)))


@pytest.mark.parametrize(
    "url", ["sqlite:////", "sqlite://", "sqlite:///", "x", "", "sqlite:///.", "mysql://h/x", "://"]
)
def test_any_database_url_is_an_answer(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run_program(["--db", url, "workload", "list"])
    output = capsys.readouterr()
    ends_well(code, output.out, output.err)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["BUSY_TIMEOUT", "SEARCH_TIMEOUT", "MCP_TIMEOUT", "TOOLHIVE_TIMEOUT", "MCP_PORT"])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "-1", "x", "0x10", "\udcff"], ids=ascii)
def test_any_setting_is_an_answer(name: str, value: str, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MCP_OPTIMIZER_{name}", value)
    code, out, err = call("workload", "list")
    ends_well(code, out, err)
    assert code == USAGE


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "content",
    ["[[[", "x = " + "[" * 5000, "x = " + "{a=" * 2000 + "1" + "}" * 2000, "\udcff", "keys = 3", "a = 1\na = 2"],
    ids=["syntax", "nested lists", "nested tables", "no UTF-8", "keys no table", "twice"],
)
def test_any_configuration_file_is_an_answer(
    content: str, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    monkeypatch.setattr("mcp_optimizer.config.config_file", lambda: file)
    code, out, err = call("workload", "list")
    ends_well(code, out, err)
    assert code == USAGE


DAMAGE = {
    "tags of an entry": "UPDATE mcpservers_registry SET tags = '[\"a'",
    "a registry tool": "UPDATE tools_registry SET details = '{\"x'",
    "a workload's tool": "UPDATE tools_workload SET details = '{\"x'",
    "a tool that is a list": "UPDATE tools_workload SET details = '[1]'",
    "an entry of a duplicate": "UPDATE registry_duplicates SET entry = '{\"x'",
    "a problem": "UPDATE ingestion_problems SET details = 'x'",
    "a run": "UPDATE ingestion_runs SET report = '{\"x'",
    "an identity": "UPDATE mcpservers_registry SET identity = 'x' || id",
    "an embedding": "UPDATE tools_workload SET details_embedding = NULL",
}
READING = [
    ("registry", "list"),
    ("workload", "list"),
    ("workload", "explain", "parcels"),
    ("search", "a parcel"),
    ("db", "check"),
    ("db", "reindex"),
    ("snapshot", "export", "out.json"),
    ("workload", "rematch", "--all", "--dry-run"),
    ("tui",),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_row_is_named_by_every_command(
    damage: str, filled: Any, database: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with database.connection() as connection:
        connection.execute(DAMAGE[damage])
    for command in READING:
        code, out, err = filled(*command)
        ends_well(code, out, err)
        if code == FAILED and command != ("db", "check"):
            assert "try:" in err, (command, err)


@pytest.mark.parametrize(
    "damage", [name for name in DAMAGE if name not in {"an identity", "an embedding", "a problem"}]
)
def test_the_check_finds_damaged_json(damage: str, filled: Any, database: Place) -> None:
    with database.connection() as connection:
        connection.execute(DAMAGE[damage])
    code, out, _ = filled("db", "check")
    assert code == FAILED
    assert "stored JSON" in out


@pytest.mark.sqlite
def test_a_mistake_of_the_program_is_one_line(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("boom")

    monkeypatch.setattr("mcp_optimizer.service.DataService.workloads", fail)
    code, out, err = call("workload", "list")
    assert (code, out) == (FAILED, "")
    assert err.startswith("error: a mistake of the program: KeyError: 'boom'\n")


@pytest.mark.sqlite
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-", ">/dev/full"])
@pytest.mark.parametrize("command", ["workload list", "tui", "--help", "registry delete x"])
def test_closed_and_full_streams_end_no_command_badly(command: str, closed: str, database: Place) -> None:
    program = f'"{sys.executable}" -m mcp_optimizer --db "{database.url}" {command} {closed}'
    ended = subprocess.run(["sh", "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode in {DONE, FAILED}
    if closed == ">/dev/full" and command != "registry delete x":
        assert ended.returncode == FAILED
        assert "No space left" in ended.stderr


@pytest.mark.sqlite
async def test_an_export_writes_through_pipes_and_replaces_no_device(open_service: OpenService, tmp_path: Path) -> None:
    service = await open_service()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        await service.export_snapshot(pipe)
        assert b"mcp-optimizer-snapshot" in os.read(reader, 65536)
        assert pipe.is_fifo()
        await service.export_snapshot(Path("/dev/null"))
        assert Path("/dev/null").is_char_device()
    finally:
        os.close(reader)


def test_a_text_goes_where_a_link_points(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_socket_and_a_directory_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "socket", tmp_path):
            with pytest.raises(OSError):
                write_text(path, "x")
    assert (tmp_path / "socket").is_socket()


DAMAGED_FILES = {
    "a text that is not UTF-8": "UPDATE tools_workload SET name = CAST(x'ff41' AS TEXT) WHERE rowid = 1",
    "bytes for a name": "UPDATE mcpservers_workload SET name = x'00ff' WHERE rowid = 1",
    "a number for a status": "UPDATE mcpservers_registry SET description = x'05'",
    "a chunk of vectors": "UPDATE workload_tool_vectors_vector_chunks00 SET vectors = x'00'",
    "the keys of vectors": "DELETE FROM workload_tool_vectors_rowids",
    "a page of the full-text index": "UPDATE workload_tool_fts_data SET block = x'00' WHERE id > 1",
    "an embedding": "UPDATE tools_workload SET details_embedding = x'0011'",
}


@pytest.mark.sqlite
@pytest.mark.parametrize("damage", DAMAGED_FILES)
def test_the_check_finds_what_is_damaged_and_says_what_to_do(damage: str, filled: Any, database: Place) -> None:
    with database.connection() as connection:
        connection.execute(DAMAGED_FILES[damage])
    code, out, err = filled("db", "check", "--json")
    assert code == FAILED, err
    findings = [finding for finding in json.loads(out)["findings"] if not finding["ok"]]
    assert findings
    assert all(finding["remedy"] for finding in findings)
    if "reindex" in findings[0]["remedy"]:
        assert filled("db", "reindex")[0] == DONE
        assert filled("db", "check")[0] == DONE
