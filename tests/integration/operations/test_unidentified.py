"""Nothing that runs is invisible: workloads whose identity is not known (I4, S2, L1, L2)."""

import json
from pathlib import Path

import pytest

from mcp_optimizer.domain.models import Kind, ObservedWorkload
from mcp_optimizer.domain.views import SearchQuery
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.service import DataService
from mcp_optimizer.sources.toolhive.workload_items import observed_workload
from tests.support.builders import catalog, entry, listing, tools, workload
from tests.support.database import dump
from tests.support.places import Place
from tests.support.services import ingest

ALPHA = "example.org/alpha:1"
IMAGE_ID = f"sha256:{'0123456789abcdef' * 4}"
CATALOG = catalog(entry("alpha", ALPHA, ["ping"]))


def seen(name: str, package: str, **fields: object) -> ObservedWorkload:
    """A workload as ToolHive lists it."""
    item = {"name": name, "package": package, "status": "running", "transport_type": "stdio"} | fields
    return observed_workload(item).model_copy(update={"tools": tools("fetch_page")})


UNKNOWN = {
    "a package of npm": ("npx://@acme/server@1.0.0", {}, Kind.CONTAINER),
    "a package of PyPI": ("uvx://server@0.3.1", {}, Kind.CONTAINER),
    "an image id": (IMAGE_ID, {}, Kind.CONTAINER),
    "its digits": (IMAGE_ID.partition(":")[2].upper(), {}, Kind.CONTAINER),
    "a short id": ("0123456789ab", {}, Kind.CONTAINER),
    "no image": ("", {}, Kind.CONTAINER),
    "no reference": ("Not An Image", {}, Kind.CONTAINER),
    "a remote without its URL": ("remote", {"remote": True, "url": "http://127.0.0.1:9/mcp"}, Kind.REMOTE),
    "a remote with variables": ("remote", {"remote": True, "remote_url": "https://{tenant}/ %zz"}, Kind.REMOTE),
}


@pytest.mark.parametrize("what", UNKNOWN)
async def test_i4_it_has_a_row_a_reason_tools_and_search_and_no_relation(
    service: DataService, database: Place, what: str
) -> None:
    package, fields, kind = UNKNOWN[what]
    given = listing(seen("odd", package, **fields), workload("good", ALPHA))
    report = await ingest(service, CATALOG, given)
    assert report.workloads is not None
    assert (report.workloads.linked, report.workloads.autonomous, report.workloads.unidentified) == (1, 0, 1)
    (view,) = [view for view in await service.workloads() if view.name == "odd"]
    assert (view.relation, view.kind, view.identity, view.registry_server) == ("unidentified", kind, "", None)
    assert view.problem
    assert view.id
    explanation = await service.explain("odd")
    assert (explanation.verdict, explanation.identity, explanation.kind) == ("unidentified", "", kind)
    assert view.problem in [step.detail for step in explanation.steps]
    assert [change.operation for change in explanation.history] == ["unidentified"]
    assert next(hit.server for hit in await service.search(SearchQuery(text="fetch_page"))) == "odd"
    overview = await service.overview()
    assert (overview.workloads, overview.unidentified, overview.autonomous) == (2, 1, 0)
    before = dump(database)
    await ingest(service, CATALOG, given)
    assert dump(database) == before


async def test_i4_it_is_matched_as_if_it_were_new_once_it_is_known_and_then_keeps_that(service: DataService) -> None:
    await ingest(service, CATALOG, listing(seen("odd", IMAGE_ID)))
    await ingest(service, listing=listing(workload("odd", ALPHA)))
    assert (await service.workload("odd")).registry_server == "alpha"
    assert (await service.workload("odd")).relation_cause == "first-match"
    row = (await service.workload("odd")).id
    await ingest(service, listing=listing(seen("odd", IMAGE_ID, group="g", status="stopped")))
    kept = await service.workload("odd")
    assert (kept.relation, kept.registry_server, kept.identity, kept.id) == ("linked", "alpha", ALPHA, row)
    assert (kept.group, kept.status, [tool.name for tool in kept.tool_list]) == ("g", "stopped", ["fetch_page"])
    assert "image id" in (kept.problem or "")


async def test_m2_it_stays_as_it_was_while_what_it_turns_out_to_be_is_claimed_twice(service: DataService) -> None:
    await ingest(service, catalog(entry("a", ALPHA), entry("b", ALPHA)), listing(seen("odd", IMAGE_ID)))
    await ingest(service, listing=listing(workload("odd", ALPHA)))
    assert (await service.workload("odd")).relation == "rejected"
    await service.resolve(ALPHA, "b")
    assert (await service.workload("odd")).registry_server == "b"


async def test_i4_nobody_links_it_and_rematching_leaves_it(service: DataService) -> None:
    await ingest(service, CATALOG, listing(seen("odd", IMAGE_ID)))
    with pytest.raises(OptimizerError, match="unidentified"):
        await service.link("odd", "alpha")
    for report in (await service.rematch(["odd"]), await service.unlink(["odd"])):
        assert [item.name for item in report.unchanged] == ["odd"]
        assert "unidentified" in report.unchanged[0].reason


async def test_i4_a_snapshot_brings_it_along(service: DataService, tmp_path: Path) -> None:
    remote = {"remote": True, "url": "http://127.0.0.1:9/mcp"}
    await ingest(service, CATALOG, listing(seen("odd", "npx://x"), seen("far", "remote", **remote)))
    before = {name: (await service.explain(name)).steps for name in ("odd", "far")}
    kinds = {view.name: (view.kind, view.problem) for view in await service.workloads()}
    file = tmp_path / "state.json"
    await service.export_snapshot(file)
    await service.delete_workloads(["odd", "far"])
    await service.ingest("workloads", [str(file)])  # ty: ignore[invalid-argument-type]
    assert {view.name: (view.kind, view.problem) for view in await service.workloads()} == kinds
    assert {name: (await service.explain(name)).steps[:2] for name in before} == {
        name: steps[:2] for name, steps in before.items()
    }
    assert json.loads(file.read_text())["workloads"][0]["identity_problem"]


@pytest.mark.parametrize(
    ("package", "export", "identity"),
    [
        (IMAGE_ID, {"image": ALPHA}, ALPHA),
        (IMAGE_ID[7:], {"image": ALPHA}, ALPHA),
        (IMAGE_ID[7:19], {"image": "fetch"}, "docker.io/library/fetch:latest"),
        (IMAGE_ID, {"image": IMAGE_ID}, None),
        (IMAGE_ID, {}, None),
        (ALPHA, {"image": "example.org/other:1"}, ALPHA),
        ("", {"image": ALPHA}, ALPHA),
    ],
)
def test_i4_the_run_configuration_says_which_image_an_id_is_of(
    package: str, export: dict[str, str], identity: str | None
) -> None:
    found = observed_workload({"name": "x", "package": package}, export=export)
    assert (found.identity.canonical if found.identity else None) == identity
    assert (found.identity_problem is None) == (identity is not None)
