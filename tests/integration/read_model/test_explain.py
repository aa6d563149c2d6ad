"""Why a stored workload inherits from what it does, or from nothing (M5, M6)."""

import pytest

from mcp_optimizer.domain import matching
from mcp_optimizer.domain.models import Evidence, Relation
from mcp_optimizer.service import DataService
from tests.support.builders import catalog, entry, listing, workload
from tests.support.services import ingest

DIGEST = "@sha256:" + "a" * 64
CATALOG = catalog(
    entry("fetch", "example.org/fetch:1.0.3"),
    entry("remote", "https://remote.example/mcp"),
    entry("asked", "https://asked.example/mcp?v=1"),
    entry("moved", "new.example/moved:1"),
    entry("recorded", "example.org/recorded:1"),
    entry("labelled", "example.org/labelled:1"),
    entry("twice", "example.org/twice:1"),
    entry("twin", "example.org/twice:1"),
)
CASES = {
    "fetch-old": ("example.org/fetch:1.0.1", "fetch", "other-tag"),
    "fetch-fixed": (f"example.org/fetch{DIGEST}", "fetch", "other-digest"),
    "slash": ("https://remote.example/mcp/", "remote", "trailing-slash"),
    "plain": ("http://remote.example/mcp", "remote", "scheme-differs"),
    "query": ("https://asked.example/mcp?v=2", "asked", "query-differs"),
    "path": ("https://remote.example/sse", "remote", "path-differs"),
    "moved": ("old.example/moved:1", "moved", "moved-image"),
    "from-recorded": ("elsewhere.example/a:1", "recorded", "recorded-provenance"),
    "from-labelled": ("elsewhere.example/b:1", "labelled", "image-label"),
}
"""Workload to what it runs, the entry it nearly is, and in which way."""


@pytest.fixture
async def stocked(service: DataService) -> DataService:
    """Every near miss there is, a match, and one that is rejected."""
    seen = [workload(name, where) for name, (where, _, _) in CASES.items()]
    evidence = {
        "from-recorded": Evidence(recorded_registry_server="recorded"),
        "from-labelled": Evidence(image_label="labelled"),
    }
    seen = [item.model_copy(update={"evidence": evidence.get(item.name, item.evidence)}) for item in seen]
    seen += [workload("exact", "example.org/fetch:1.0.3"), workload("rejected", "example.org/twice:1")]
    await ingest(service, CATALOG, listing(*seen))
    return service


async def test_m5_each_near_miss_is_named_with_its_difference(stocked: DataService) -> None:
    for name, (where, server, reason) in CASES.items():
        explanation = await stocked.explain(name)
        assert explanation.verdict is Relation.AUTONOMOUS, name
        nearest = explanation.near_misses[0]
        assert (nearest.registry_server, nearest.reason) == (server, reason), name
        assert nearest.running == where
        assert nearest.catalog != where
        assert [step.step for step in explanation.steps][:2] == ["identity", "lookup"]


async def test_m5_a_rejected_workload_names_every_claimant(stocked: DataService) -> None:
    explanation = await stocked.explain("rejected")
    assert explanation.verdict is Relation.REJECTED
    assert [miss.registry_server for miss in explanation.near_misses if miss.reason == "duplicate"] == ["twice", "twin"]


async def test_m1_m5_evidence_never_links_by_itself(stocked: DataService) -> None:
    assert (await stocked.workload("from-recorded")).registry_server is None
    assert (await stocked.rematch(["from-recorded", "from-labelled"])).linked == ()


async def test_m6_what_explains_is_what_matched(stocked: DataService, monkeypatch: pytest.MonkeyPatch) -> None:
    for view in await stocked.workloads():
        explanation = await stocked.explain(view.name)
        assert (explanation.verdict, explanation.registry_server) == (view.relation, view.registry_server)
    asked: list[str] = []
    match = matching.match

    def noted(identity, index):
        asked.append(identity.raw)
        return match(identity, index)

    monkeypatch.setattr(matching, "match", noted)
    await stocked.explain("exact")
    assert asked == ["example.org/fetch:1.0.3"], "the matcher itself is asked"
