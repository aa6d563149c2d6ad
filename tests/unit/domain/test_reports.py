"""Reports: what an ingestion says of itself, and when it was done in part (exit code 3)."""

import pytest

from mcp_optimizer.domain.models import ItemProblem
from mcp_optimizer.domain.reports import (
    CheckFinding,
    CheckReport,
    DuplicateReport,
    IngestReport,
    RegistryReport,
    WorkloadReport,
    group_problems,
    listed_names,
)

PROBLEM = ItemProblem(name="x", reason="y")


@pytest.mark.parametrize(
    ("report", "partial"),
    [
        (IngestReport(), False),
        (IngestReport(registry=RegistryReport(added=3, removed=1), workloads=WorkloadReport(updated=2)), False),
        (IngestReport(registry=RegistryReport(duplicates=(DuplicateReport(identity="i", names=("a", "b")),))), True),
        (IngestReport(registry=RegistryReport(skipped=(PROBLEM,))), True),
        (IngestReport(registry=RegistryReport(complete=False)), True),
        (IngestReport(workloads=WorkloadReport(rejected=(PROBLEM,))), True),
        (IngestReport(workloads=WorkloadReport(failed=(PROBLEM,))), True),
        (IngestReport(workloads=WorkloadReport(complete=False)), True),
        (IngestReport(registry=RegistryReport(), workloads=WorkloadReport(failed=(PROBLEM,))), True),
    ],
)
def test_an_ingestion_is_partial_when_some_item_or_source_was_left_out(report: IngestReport, partial: bool) -> None:
    assert report.partial is partial


def test_summary_names_each_half_with_its_counts_and_leaves_out_zeros() -> None:
    registry = RegistryReport(added=2, skipped=(PROBLEM,), complete=False)
    report = IngestReport(registry=registry, workloads=WorkloadReport(linked=5))
    assert report.summary == "registry: 2 added, 1 skipped (incomplete); workloads: nothing"
    assert IngestReport().summary == "nothing ingested"


def test_the_json_of_an_ingestion_has_every_promised_key_and_null_for_a_half_that_was_not_ingested() -> None:
    found = IngestReport(registry=RegistryReport()).model_dump(mode="json")
    promised = {"added", "updated", "renamed", "retagged", "removed", "unchanged", "duplicates", "skipped"}
    assert promised <= set(found["registry"])
    assert found["workloads"] is None
    assert {"embedded_texts", "seconds"} <= set(found)
    promised = {"added", "updated", "removed", "unchanged", "linked", "autonomous", "rejected", "failed"}
    assert promised <= set(WorkloadReport().model_dump())


def test_a_check_is_ok_when_every_finding_is() -> None:
    good, bad = (CheckFinding(name="n", ok=ok, detail="d") for ok in (True, False))
    assert CheckReport(findings=(good, good)).ok
    assert not CheckReport(findings=(good, bad)).ok


def test_c5_many_problems_of_one_reason_are_one_with_a_count() -> None:
    npm = [ItemProblem(name=f"s{number:02}", reason="npm") for number in range(95)]
    few = [ItemProblem(name=name, reason="two alike") for name in ("x", "y")]
    groups = group_problems([*npm[:50], *few, PROBLEM, *npm[50:]])
    assert [(group.subject, group.told()) for group in groups] == [
        ("95 entries", "npm: s00, s01, s02 and 92 more"),
        ("x", "two alike"),
        ("y", "two alike"),
        ("x", "y"),
    ]
    assert sum(len(group.names) for group in groups) == 98
    assert group_problems(()) == ()


def test_names_beyond_a_number_are_counted() -> None:
    assert listed_names(["a", "b"], 2) == "a, b"
    assert listed_names(["a", "b", "c"], 2) == "a, b and 1 more"
    report = IngestReport(registry=RegistryReport(removed=2, removed_names=("a", "b"), unlinked=("w",)))
    assert report.summary == "registry: 2 removed, 1 unlinked"
