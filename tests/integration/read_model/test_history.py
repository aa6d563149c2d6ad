"""Why a relation is as it is: each change with time, cause and run, and evidence that disagrees (L11, M5)."""

import json
from typing import Any

from mcp_optimizer.domain.models import Evidence
from mcp_optimizer.domain.views import ChangeView, ProblemView
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.services import ingest

ONE, TWO = "example.org/one:1", "example.org/two:1"
CATALOG = catalog(entry("one", ONE), entry("two", TWO))
RETAGGED = catalog(entry("one", "example.org/one:2"), entry("two", TWO))


async def history(service: DataService, name: str = "w") -> list[ChangeView]:
    """Every change of relation of a workload, oldest first."""
    return list((await service.explain(name)).history)


def told(changes: list[ChangeView]) -> list[tuple[str, str, str, bool]]:
    """Operation, cause, detail, and whether an ingestion did it."""
    return [(item.operation, item.cause, item.detail, item.run_id is not None) for item in changes]


async def test_l11_a_workloads_history_tells_what_when_by_what_and_from_what(service: DataService) -> None:
    seen = listing(workload("w", ONE))
    await ingest(service, CATALOG, seen)
    await ingest(service, RETAGGED, seen)
    await ingest(service, CATALOG, seen)
    await service.unlink(["w"])
    await service.rematch(["w"])
    await service.link("w", "two")
    await ingest(service, catalog(entry("one", ONE), entry("deux", TWO)), seen)
    await ingest(service, catalog(entry("one", ONE)), seen)
    found = await history(service)
    assert told(found) == [
        ("linked", "first-match", "to one", True),
        ("drifted", "registry-retagged", "the catalog now names example.org/one:2", True),
        ("drift-ended", "registry-retagged", "the catalog now names example.org/one:1", True),
        ("unlinked", "unlinked-by-hand", "from one", False),
        ("linked", "re-match", "to one", False),
        ("linked", "linked-by-hand", "to two", False),
        ("context-renamed", "registry-renamed", "from two to deux", True),
        ("unlinked", "registry-removed", "from deux", True),
    ]
    times = [item.at for item in found]
    assert times == sorted(times)
    runs = {run.id for run in (await service.overview()).runs}
    assert {item.run_id for item in found} - {None} <= runs, "each leads to a run of the log"
    assert (await service.workload("w")).relation_changed_at == times[-1]


async def test_l11_identity_changes_and_deletions_are_told_too(service: DataService) -> None:
    await ingest(service, CATALOG, listing(workload("w", ONE)))
    await ingest(service, listing=listing(workload("w", TWO)))
    await service.delete_registry_servers(["two"])
    assert told(await history(service))[1:] == [
        ("linked", "identity-changed", "to two", True),
        ("unlinked", "registry-deleted", "from two", False),
    ]


async def test_m2_l11_a_rejection_and_its_resolution_are_in_the_log(service: DataService) -> None:
    shared = catalog(entry("one", ONE), entry("twin", ONE))
    seen = listing(workload("w", ONE))
    await ingest(service, shared, seen)
    (rejected,) = [item for item in await service.changes() if item.operation == "rejected"]
    assert (rejected.name, rejected.run_id is None) == ("w", False)
    assert "one, twin" in rejected.detail
    await service.resolve(ONE, "twin")
    (resolved,) = [item for item in await service.changes() if item.operation == "resolved"]
    assert (resolved.name, resolved.cause, resolved.detail, resolved.run_id) == ("twin", "by-hand", ONE, None)
    assert told(await history(service))[-1] == ("linked", "first-match", "to twin", False), "at once"
    await ingest(service, shared, seen)
    assert told(await history(service))[-1] == ("linked", "first-match", "to twin", False)


async def provenance(service: DataService) -> list[ProblemView]:
    """The problems of provenance."""
    return [problem for problem in await service.problems() if problem.problem == "provenance"]


async def test_m5_provenance_that_names_another_entry_is_a_problem_until_it_agrees(service: DataService) -> None:
    def recorded(name: str, label: str | None = None) -> Any:
        seen = workload("w", ONE)
        return listing(
            seen.model_copy(update={"evidence": Evidence(recorded_registry_server=name, image_label=label)}),
            workload("quiet", TWO),
        )

    await ingest(service, CATALOG, recorded("two"))
    (problem,) = await provenance(service)
    words = "ToolHive recorded two, but it is linked to one"
    assert (problem.entity, problem.name, problem.reason, problem.open) == ("workload", "w", words, True)
    assert "provenance" in {item.problem for item in (await service.overview()).problems}
    assert (await service.workload("w")).problem == words
    explanation = await service.explain("w")
    assert (explanation.disagreement, explanation.registry_server) == (words, "one"), "M1: evidence changes nothing"
    assert [(miss.registry_server, miss.reason) for miss in explanation.near_misses] == [("two", "recorded-provenance")]
    await ingest(service, listing=recorded("one", label="two"))
    assert [item.reason for item in await provenance(service)] == ["the image label names two, but it is linked to one"]
    await ingest(service, listing=recorded("one"))
    assert await provenance(service) == []


async def test_m5_l5_a_person_who_decides_ends_the_disagreement(service: DataService) -> None:
    await ingest(service, CATALOG, listing(workload("w", ONE, recorded="two")))
    assert len(await provenance(service)) == 1
    await service.link("w", "two")
    assert await provenance(service) == []
    await service.rematch(["w"])
    assert len(await provenance(service)) == 1, "matched again, it is a question again"


async def test_m5_c2_a_rename_is_no_disagreement(service: DataService) -> None:
    seen = listing(workload("w", ONE, recorded="one"))
    await ingest(service, CATALOG, seen)
    await ingest(service, catalog(entry("uno", ONE), entry("two", TWO)), seen)
    assert (await service.workload("w")).registry_server == "uno"
    assert await provenance(service) == []


def test_history_and_disagreement_are_on_the_command_line(filled: Any) -> None:
    """The sample has a workload whose record and match differ; its history says which run."""
    names = [item["name"] for item in json.loads(filled("workload", "list", "--json")[1])]
    found = {name: json.loads(filled("workload", "explain", name, "--json")[1]) for name in names}
    assert all(item["history"] or item["verdict"] == "rejected" for item in found.values())
    differing = [name for name, item in found.items() if item["disagreement"]]
    assert differing
    for name in differing:
        said = " ".join(filled("workload", "explain", name)[1].split())
        assert found[name]["disagreement"] in said
        assert found[name]["history"][0]["cause"] in said
