"""A wrong file does no silent harm: what would take away much is asked about, or refused with its numbers (C9)."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mcp_optimizer.cli import ingest as command
from mcp_optimizer.config import Settings
from mcp_optimizer.domain.loss import LargeLossError
from mcp_optimizer.domain.models import Catalog, WorkloadListing
from mcp_optimizer.domain.reports import IngestPart
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.registry.documents import parse_catalog
from tests.support.builders import catalog, entry, listing, workload
from tests.support.database import dump
from tests.support.embedders import FakeEmbedder
from tests.support.places import Place
from tests.support.sources import MemorySource
from tests.support.time import FakeTime

REGISTRY, ALL, WORKLOADS = IngestPart.REGISTRY, IngestPart.ALL, IngestPart.WORKLOADS


def entries(numbers: Iterable[int], *, tag: str = "1", prefix: str = "e") -> Catalog:
    return catalog(*(entry(f"{prefix}{n}", f"example.org/{prefix}{n}:{tag}", ["ping"]) for n in numbers))


def workloads(numbers: Iterable[int], *, prefix: str = "e") -> WorkloadListing:
    return listing(*(workload(f"w{n}", f"example.org/{prefix}{n}:1", ["ping"]) for n in numbers))


async def put(service: DataService, *given: Any, part: IngestPart = ALL, **options: Any) -> Any:
    (report,) = await service.ingest_from(part, MemorySource(*given), **options)
    return report


@pytest.fixture
async def filled(service: DataService) -> DataService:
    """Twenty entries, of which ten are linked to."""
    await put(service, entries(range(20)), workloads(range(10)))
    return service


REFUSED = {
    "another catalog": (entries(range(20), prefix="x"), None, "remove 20 of 20 entries and end 10 of 10 links"),
    "a fourth of it gone": (entries(range(15)), None, "remove 5 of 20 entries"),
    "an empty catalog": (catalog(), None, "remove 20 of 20 entries and end 10 of 10 links"),
    "few entries, many links": (entries(range(2, 20)), None, "end 2 of 10 links"),
    "workloads of another world": (None, workloads(range(10), prefix="x"), "end 10 of 10 links"),
    "a file of other workloads": (
        None,
        listing(workload("else", "example.org/else:1")).model_copy(update={"of_file": True}),
        "delete 10 of 10 workloads and end 10 of 10 links",
    ),
    "both": (entries(range(20), prefix="x"), workloads(range(10)), "remove 20 of 20 entries and end 10 of 10 links"),
}
FINE = {
    "a fifth of it gone": (entries([*range(10), *range(14, 20)]), None),
    "one link ends": (entries(range(1, 20)), None),
    "all re-tagged": (entries(range(20), tag="2"), None),
    "all renamed": (catalog(*(entry(f"new{n}", f"example.org/e{n}:1") for n in range(20))), None),
    "all workloads gone": (None, listing()),
    "a file with one workload less": (None, workloads(range(9)).model_copy(update={"of_file": True})),
    "workloads that come with their entries": (entries(range(40)), workloads(range(30))),
    "a catalog that was not read whole": (entries(range(3)).model_copy(update={"complete": False}), None),
}


def part_of(given: tuple[Any, ...]) -> IngestPart:
    return {(True, False): REGISTRY, (False, True): WORKLOADS, (True, True): ALL}[
        (given[0] is not None, given[1] is not None)
    ]


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
async def test_c9_much_is_refused_with_its_numbers_and_nothing_is_changed(
    filled: DataService, database: Place, case: tuple[Any, ...]
) -> None:
    *given, words = case
    before = dump(database)
    del before["embedding_cache"]
    with pytest.raises(LargeLossError, match=words) as refused:
        await put(filled, *given, part=part_of(case))
    after = dump(database)
    assert after.pop("embedding_cache") is not None
    assert after == before
    assert refused.value.report.dry_run
    assert (await filled.runs())[0].outcome == "failed"
    preview = await put(filled, *given, part=part_of(case), dry_run=True)
    assert preview.loss == refused.value.loss, "a dry run shows it and asks nothing"
    done = await put(filled, *given, part=part_of(case), allow_loss=refused.value.loss)
    assert done.loss == preview.loss


@pytest.mark.parametrize("case", FINE.values(), ids=list(FINE))
async def test_c9_what_is_ordinary_is_not_asked_about(filled: DataService, case: tuple[Any, ...]) -> None:
    await put(filled, *case, part=part_of(case))


async def test_c9_the_first_ingestion_is_never_asked_about(service: DataService) -> None:
    assert (await put(service, entries(range(3)), workloads(range(3)))).loss is None


async def test_c9_who_agreed_to_one_loss_did_not_agree_to_another(filled: DataService) -> None:
    with pytest.raises(LargeLossError) as refused:
        await put(filled, entries(range(15)), part=REGISTRY)
    with pytest.raises(LargeLossError, match="remove 10 of 20"):
        await put(filled, entries(range(10)), part=REGISTRY, allow_loss=refused.value.loss)
    await put(filled, entries(range(15)), part=REGISTRY, allow_loss=refused.value.loss)


REAL = Path(__file__).parents[4] / "shared" / "data" / "registry"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real catalogs are not here")
async def test_c9_real_versions_of_a_catalog_are_not_asked_about(service: DataService) -> None:
    """A day apart, and seven weeks; over eight months nine of 28 entries went, which is more than a fifth."""
    files = sorted(REAL.glob("toolhive-*.json"))
    documents = [parse_catalog(json.loads(file.read_text(encoding="utf-8")), source=file.name) for file in files]
    await put(service, documents[0], part=REGISTRY)
    with pytest.raises(LargeLossError, match="remove 9 of 28 entries"):
        await put(service, documents[1], part=REGISTRY)
    await put(service, documents[1], part=REGISTRY, allow_loss=True)
    for document in documents[2:]:
        report = await put(service, document, part=REGISTRY)
        assert report.loss is None or not report.loss.needs_yes


def as_file(path: Path, made: Catalog) -> str:
    servers = {item.name: {"image": item.identity.raw, "description": "x"} for item in made.entries}
    path.write_text(json.dumps({"servers": servers}))
    return str(path)


def test_c9_without_a_terminal_it_is_refused_with_1_unless_yes(call: Any, database: Place, tmp_path: Path) -> None:
    mine, other = as_file(tmp_path / "mine.json", entries(range(9))), as_file(tmp_path / "x.json", entries(range(4)))
    assert call("ingest", "registry", "--from", mine)[0] == 0
    before = dump(database)
    code, out, err = call("ingest", "registry", "--from", other)
    assert (code, out) == (1, "")
    assert "would remove 5 of 9 entries; nothing was changed" in err
    assert "e8" in err, "what would go is named"
    assert "--yes" in err
    assert dump(database) == before
    code, out, _ = call("ingest", "registry", "--from", other, "--dry-run")
    assert code == 0
    assert "would be" in out
    code, out, _ = call("ingest", "registry", "--from", other, "--yes", "--json")
    assert (code, json.loads(out)["loss"]["entries"]) == (0, 9)
    assert len(json.loads(call("registry", "list", "--json")[1])) == 4


@pytest.mark.parametrize("answer", [True, False])
def test_c9_on_a_terminal_it_asks_with_the_dry_run_shown(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: Any) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr(command, "can_ask", lambda: True)
    monkeypatch.setattr(command.click, "confirm", confirm)
    mine, other = as_file(tmp_path / "mine.json", entries(range(9))), as_file(tmp_path / "x.json", entries(range(4)))
    call("ingest", "registry", "--from", mine)
    code, _, err = call("ingest", "registry", "--from", other)
    assert asked == ["This would remove 5 of 9 entries. Do it?"]
    assert "removes    e4" in err
    assert code == (0 if answer else 1)
    assert len(json.loads(call("registry", "list", "--json")[1])) == (4 if answer else 9)


class Changing(MemorySource):
    """A source whose catalog changes as a test says."""

    def put(self, made: Catalog) -> None:
        self._catalog = made


async def test_c9_polling_keeps_the_rows_until_it_saw_the_same_three_times(
    settings: Settings,
) -> None:
    time, told = FakeTime(), []
    source = Changing(entries(range(20)), listing())
    async with DataService(settings, embedder=FakeEmbedder(), runtime=time.runtime()) as service:
        polling = service.polling(source, on_poll=told.append)

        async def poll() -> str:
            part = polling._parts[REGISTRY]
            return (await polling._poll_now(part)).outcome

        async def stored() -> int:
            return len(await service.registry_servers())

        assert (await poll(), await stored()) == ("done", 20)
        source.put(entries(range(5)))
        assert [await poll(), await poll(), await stored()] == ["partial", "partial", 20]
        assert "remove 15 of 20 entries" in told[-1].detail
        source.put(entries(range(6)))  # another one: counted from the beginning
        assert [await poll(), await poll(), await stored()] == ["partial", "partial", 20]
        source.put(entries(range(20)))  # back: all is well, and forgotten
        assert (await poll(), await stored()) == ("done", 20)
        source.put(entries(range(6)))
        assert [await poll(), await poll(), await stored()] == ["partial", "partial", 20]
        assert [await poll(), await stored()] == ["done", 6]
        source.put(entries(range(1)))
        assert [await poll(), await stored()] == ["partial", 6]
        await put(service, entries(range(1)), part=REGISTRY, allow_loss=True)  # a person confirms
        assert [await poll(), await stored()] == ["done", 1]


async def test_a_snapshot_without_a_registry_is_nothing_to_wait_for(settings: Settings, tmp_path: Path) -> None:
    """Its workloads are stored by the first poll, and no poll of the registry fails."""
    file = tmp_path / "workloads.json"
    item = {"name": "w", "package": "example.org/w:1", "status": "running", "tool_definitions": []}
    file.write_text(json.dumps({"format": "mcp-optimizer-snapshot/1", "registry": None, "workloads": [item]}))
    time, told = FakeTime(), []
    async with DataService(settings, embedder=FakeEmbedder(), runtime=time.runtime()) as service:
        polling = service.polling(str(file), on_poll=told.append)
        task = asyncio.create_task(polling.run())
        for _ in range(200):
            if len(told) >= 2:
                break
            await time.pass_(0.5)
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [(poll.part, poll.outcome) for poll in told[:2]] == [("registry", "done"), ("workloads", "done")]
        assert "holds no registry" in told[0].detail
        assert [view.name for view in await service.workloads()] == ["w"]
