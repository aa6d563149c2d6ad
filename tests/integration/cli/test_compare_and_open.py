"""``compare`` and ``open``: two states side by side, and a file looked at without touching what is stored."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.domain.history.comparison import Comparison
from mcp_optimizer.errors import NotFoundError, SourceError
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump
from tests.support.places import Place
from tests.support.runtime import Clock
from tests.support.services import ingest

FIRST = (
    catalog(
        entry("alpha", "example.org/alpha:1", ["ping"]), entry("beta", "https://beta.example/mcp", description="x"),
        entry("gone", "example.org/gone:1"),
    ),
    listing(
        workload("a", "example.org/alpha:1", ["ping"]), workload("b", "https://beta.example/mcp"),
        workload("g", "example.org/gone:1"),
    ),
)  # fmt: skip
SECOND = (
    catalog(
        entry("alpha", "example.org/alpha:2", ["ping"]), entry("beta two", "https://beta.example/mcp", description="x"),
        entry("new", "example.org/new:1"),
    ),
    listing(
        workload("a", "example.org/alpha:1", ["ping"]), workload("b", "https://beta.example/mcp"),
        workload("g", "example.org/gone:1"), workload("n", "example.org/new:1"),
    ),
)  # fmt: skip


def told(comparison: Comparison) -> dict[str, list[str]]:
    """What differs, by kind: names."""
    parts = {"registry": comparison.registry, "workloads": comparison.workloads}
    return {
        f"{half} {kind}": [item if isinstance(item, str) else next(iter(item))[1] for item in items]
        for half, part in parts.items()
        if part is not None
        for kind, items in part
        if items
    }


DIFFERENCE = {
    "registry added": ["new"], "registry removed": ["gone"], "registry renamed": ["beta two"],
    "registry retagged": ["alpha"], "workloads added": ["n"], "workloads linked": ["n"], "workloads unlinked": ["g"],
    "workloads drifted": ["a"],
}  # fmt: skip


@pytest.fixture
async def two_days(service: DataService, clock: Clock, tmp_path: Path) -> DataService:
    """A store that was something else yesterday; snapshots of both days."""
    await ingest(service, *FIRST)
    await service.export_snapshot(tmp_path / "first.json")
    clock.advance(86400)
    await ingest(service, *SECOND)
    await service.export_snapshot(tmp_path / "second.json")
    clock.advance(3600)
    return service


async def test_a_snapshot_of_before_a_time_and_another_snapshot_tell_the_same(
    two_days: DataService, tmp_path: Path, database: Place
) -> None:
    first, second = str(tmp_path / "first.json"), str(tmp_path / "second.json")
    before = dump(database)
    assert told(await two_days.compare(first)) == DIFFERENCE
    assert told(await two_days.compare(first, second)) == DIFFERENCE
    by_time = await two_days.compare("yesterday")
    assert told(by_time) == DIFFERENCE
    assert by_time.limits, "it says what the log does not hold"
    assert told(await two_days.compare(by_time.before, "now")) == DIFFERENCE
    assert (await two_days.compare(second)).same
    assert (await two_days.compare("now", "now")).same
    assert dump(database) == before


async def test_before_anything_was_stored_there_was_nothing(two_days: DataService) -> None:
    comparison = await two_days.compare("2001-01-01")
    assert comparison.registry is not None
    assert {item.name for item in comparison.registry.added} == {"alpha", "beta two", "new"}


async def test_a_catalog_alone_is_compared_as_far_as_it_goes(two_days: DataService, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps({"servers": {"alpha": {"image": "example.org/alpha:3", "description": "x"}}}))
    comparison = await two_days.compare("now", str(file))
    assert comparison.registry is not None
    assert comparison.workloads is None
    assert [item.name for item in comparison.registry.retagged] == ["alpha"]
    assert any("no workloads" in limit for limit in comparison.limits)


@pytest.mark.parametrize("spec", ["nowhere.json", "~nouser/x.json", "last tuesday", "x" * 3000, "2026-99-99", ""])
async def test_what_is_neither_file_nor_time_is_a_clear_error(two_days: DataService, spec: str) -> None:
    with pytest.raises(NotFoundError, match="neither a file nor a time"):
        await two_days.compare(spec)


async def test_a_file_that_is_no_snapshot_is_a_clear_error(two_days: DataService, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(SourceError):
        await two_days.compare(str(bad))


def test_the_command_line_compares_in_text_json_and_markdown(filled: Any, snapshot: str, tmp_path: Path) -> None:
    document = json.loads(Path(snapshot).read_text())
    gone = document["workloads"].pop(0)["name"]
    other = tmp_path / "a|b.json"
    other.write_text(json.dumps(document))
    code, out, _ = filled("compare", str(other))
    assert code == 0
    assert "workloads added: 1" in out
    assert gone in out
    code, out, _ = filled("compare", str(other), "now", "--json")
    found = json.loads(out)
    assert (code, found["after"], [item["name"] for item in found["workloads"]["added"]]) == (0, "now", [gone])
    code, out, _ = filled("compare", str(other), "--markdown")
    assert code == 0
    assert out.startswith("# ")
    assert "a\\|b.json" in out
    assert f"- **{gone}**" in out
    assert filled("compare", snapshot)[1].endswith("no difference\n")
    assert filled("compare", "nowhere.json")[0] == 1
    assert filled("compare", "now", "--json", "--markdown")[0] == 2


def test_open_prints_a_file_and_touches_nothing_of_ones_own(
    filled: Any, database: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No endpoint is asked either, though the file gives a workload's without its tools."""
    asked: list[str] = []
    monkeypatch.setattr("mcp_optimizer.sources.mcp.tools.fetch_tools", lambda *given, **_: asked.append(given[0]))
    item = {"name": "theirs", "package": "example.org/theirs:1", "status": "running", "url": "http://127.0.0.1:9/mcp"}
    file = tmp_path / "colleague.json"
    file.write_text(
        json.dumps(
            {
                "format": "mcp-optimizer-snapshot/1",
                "registry": {"servers": {"their-entry": {"image": "example.org/theirs:1", "description": "x"}}},
                "workloads": [item],
            }
        )
    )
    before = dump(database)
    code, out, _ = filled("open", str(file))
    assert code == 0
    assert out.startswith("colleague.json, read-only\n")
    assert "theirs" in out
    assert "their-entry" in out
    assert "parcels" not in out, "nothing of one's own"
    assert asked == []
    assert dump(database) == before
    catalog_file = tmp_path / "catalog.json"
    catalog_file.write_text(json.dumps({"servers": {"only": {"image": "example.org/only:1", "description": "x"}}}))
    code, out, _ = filled("open", str(catalog_file))
    assert (code, "only" in out) == (0, True)
    code, _, err = filled("open", str(tmp_path / "nowhere.json"))
    assert (code, "there is no file" in err) == (1, True)
    assert list(tmp_path.parent.glob("mcp-optimizer-open-*")) == []
