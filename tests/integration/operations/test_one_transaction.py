"""Both halves of an ingestion are stored together or not at all, whatever refuses a write, and wherever (L12, S6)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.errors import StoreError
from mcp_optimizer.service import DataService
from tests.conftest import USER_ENVIRONMENT, OpenService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import damage, rows
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place, SqlitePlace
from tests.support.services import assert_sound, ingest, workloads_by_name
from tests.support.victims import digest, world

LAST_WRITES = (
    "mcpservers_registry", "tools_registry", "mcpservers_workload", "tools_workload", "registry_duplicates",
    "ingestion_problems", "ingestion_runs",
)  # fmt: skip
"""Tables in about the order in which a run writes them: the log of runs comes last."""
LATER = world(13)[0], listing(*world(13)[1].workloads, workload("more", "example.org/more:1", ["ping"]))


def refuse(place: Place, table: str) -> None:
    """From now on a new row of this table finds the disk full."""
    if isinstance(place, SqlitePlace):
        full = "SELECT RAISE(ABORT, 'database or disk is full')"
        damage(place, f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} BEGIN {full}; END")
        return
    full = "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'"
    damage(place, f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {full}; END $$")
    damage(place, f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()")


def allow(place: Place, table: str) -> None:
    """There is room again."""
    damage(place, "DROP TRIGGER full_disk" + ("" if isinstance(place, SqlitePlace) else f" ON {table}"))


@pytest.mark.parametrize("table", LAST_WRITES)
async def test_l12_a_run_that_is_refused_anywhere_stores_nothing(
    service: DataService, database: Place, table: str
) -> None:
    await ingest(service, *world(2))
    before, runs = digest(database), len(await service.runs())
    refuse(database, table)
    with pytest.raises(StoreError, match=r"no room left to write .*nothing was changed"):
        await ingest(service, *LATER)
    assert digest(database) == before
    await assert_sound(service)
    allow(database, table)
    await ingest(service, *LATER)
    assert digest(database) != before
    latest = (await service.runs())[0]
    assert (latest.what, latest.outcome) == ("all", "partial")
    assert len(await service.runs()) >= runs + 1


async def test_l12_one_change_of_a_workload_holds_what_both_halves_do_to_it(
    service: DataService, database: Place
) -> None:
    """Its entry goes, and it comes with another identity that a new entry has: it ends linked, by one update."""
    await ingest(
        service,
        catalog(entry("old", "example.org/old:1", ["ping"]), entry("kept", "example.org/kept:1")),
        listing(workload("one", "example.org/old:1", ["ping"]), workload("gone", "example.org/old:1", ["ping"])),
    )
    report = await ingest(
        service,
        catalog(entry("new", "example.org/new:1", ["ping"]), entry("kept", "example.org/kept:1")),
        listing(workload("one", "example.org/new:1", ["ping", "pong"])),
    )
    assert report.workloads is not None
    assert (report.workloads.updated, report.workloads.removed, report.workloads.linked) == (1, 1, 1)
    (one,) = (await workloads_by_name(service)).values()
    assert (one.registry_server, [tool.name for tool in one.tool_list]) == ("new", ["ping", "pong"])
    history = [(line.operation, line.cause) for line in (await service.explain("one")).history]
    assert history == [
        ("linked", "first-match"), ("unlinked", "registry-removed"), ("linked", "identity-changed"),
    ]  # fmt: skip
    updates = rows(database, "SELECT COUNT(*) FROM change_log WHERE name = 'one' AND operation = 'updated'")
    assert updates == [(1,)]


async def test_l12_a_workload_links_to_an_entry_that_comes_in_the_same_run(service: DataService) -> None:
    await ingest(service, listing=listing(workload("one", "example.org/other:1")))
    await ingest(
        service,
        catalog(entry("a", "example.org/a:1")),
        listing(workload("one", "example.org/a:1"), workload("two", "example.org/a:1")),
    )
    assert {view.registry_server for view in await service.workloads()} == {"a"}


async def test_l12_a_follower_that_cannot_be_embedded_is_told_once(
    open_service: OpenService, fake_embedder: FakeEmbedder
) -> None:
    """Its entry is renamed, so its tools are to be embedded again: it stays linked, with the reason (C2, L7)."""
    service = await open_service()
    seen = listing(workload("one", "example.org/a:1", ["ping"]))
    await ingest(service, catalog(entry("a", "example.org/a:1")), seen)
    fake_embedder.fail_on = {"b: ping"}
    report = await ingest(service, catalog(entry("b", "example.org/a:1")), seen)
    assert report.registry is not None
    assert report.workloads is not None
    assert [item.name for item in (*report.registry.skipped, *report.workloads.failed)] == ["one"]
    assert (await service.workload("one")).registry_server == "b"
    assert [problem.name for problem in await service.problems()] == ["one"]
    fake_embedder.fail_on = set()
    await ingest(service, catalog(entry("b", "example.org/a:1")), seen)
    assert (await service.workload("one")).status == "running"
    assert await service.problems() == []


def test_l12_the_command_line_on_a_full_disk_changes_nothing_and_leaves_with_1(
    call: Any, filled: Any, database: Place, tmp_path: Path
) -> None:
    snapshot = tmp_path / "other.json"
    snapshot.write_text(
        json.dumps(
            {
                "format": "mcp-optimizer-snapshot/1",
                "registry": {"servers": {f"e{n}": {"image": f"example.org/e{n}:1"} for n in range(3)}},
                "workloads": [
                    {"name": f"w{n}", "package": f"example.org/e{n}:1", "status": "running", "tool_definitions": []}
                    for n in range(3)
                ],
            }
        )
    )
    before = digest(database)
    refuse(database, "mcpservers_workload")
    code, out, err = call("ingest", "all", "--from", str(snapshot), "--yes")
    assert (code, out) == (1, "")
    assert "no room left" in err
    assert "nothing was changed" in err
    assert digest(database) == before
    allow(database, "mcpservers_workload")
    assert call("ingest", "all", "--from", str(snapshot), "--yes")[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_l12_a_limit_on_the_size_of_files_changes_nothing(
    filled: Any, database_path: Path, settings: Any, snapshot: str, tmp_path: Path
) -> None:
    """A real limit of the system, met by a real process."""
    document = json.loads(Path(snapshot).read_text())
    for item in document["workloads"]:
        item["tool_definitions"] = [
            {"name": f"more-{n}", "description": f"Tool {n} of {item['name']}. " + "x" * 2000} for n in range(8)
        ]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    before = digest(database_path)
    result = subprocess.run(
        ["bash", "-c", f"ulimit -f 100; exec {sys.executable} -m mcp_optimizer --db sqlite:///{database_path} "
         f"ingest all --from {other} --yes"],
        capture_output=True, text=True, check=False, timeout=100,
        env={**os.environ, "PATH": USER_ENVIRONMENT["PATH"], "MCP_OPTIMIZER_CACHE_DIR": str(settings.cache_dir)},
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert result.stderr.startswith("error: ")
    assert "nothing was changed" in result.stderr
    assert digest(database_path) == before
