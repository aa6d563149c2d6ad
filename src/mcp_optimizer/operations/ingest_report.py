"""What an ingestion reports, and which problems it leaves open. Pure: plans in, values out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_optimizer.db.logs.problems import Problem
from mcp_optimizer.domain.lifecycle import WorkloadChange, WorkloadsPlan
from mcp_optimizer.domain.models import Catalog, ItemProblem, ObservedWorkload, Relation, Workload, WorkloadListing
from mcp_optimizer.domain.reconcile import CatalogPlan, Change
from mcp_optimizer.domain.reports import DuplicateReport, RegistryReport, WorkloadReport, group_problems


def registry_report(plan: CatalogPlan, catalog: Catalog, failures: Mapping[str, str]) -> RegistryReport:
    """What became of the catalog's entries. ``failures``: names whose texts could not be embedded, with the reason."""
    stored = tuple(
        ItemProblem(name=name, reason=f"stored, but not embedded: {reason}") for name, reason in failures.items()
    )
    counts: dict[str, Any] = {str(change): len(plan.of(change)) for change in Change}
    return RegistryReport(
        **counts,
        removed=len(plan.removed),
        duplicates=tuple(
            DuplicateReport(identity=item.identity.raw, names=item.names, chosen=item.chosen)
            for item in plan.duplicates
        ),
        removed_names=tuple(row.name for row in plan.removed),
        complete=catalog.complete,
        **_skipped(plan.skipped + stored),
    )


def _skipped(problems: Iterable[ItemProblem]) -> dict[str, Any]:
    """Skipped parts for a report, which is stored and shown: an identity may hold what is not (S7)."""
    text = tuple(ItemProblem(name=item.name, reason=item.reason, kind=item.kind) for item in problems)
    return {"skipped": text, "skipped_by_reason": group_problems(text)}


def with_workloads(
    report: RegistryReport, changes: Iterable[WorkloadChange], admitted: Iterable[WorkloadChange]
) -> RegistryReport:
    """The report with the workloads that lose their link, and those that are taken in."""
    return report.model_copy(
        update={
            "unlinked": tuple(sorted(change.after.name for change in changes if not change.after.linked)),
            "admitted": tuple(change.after.name for change in admitted),
        }
    )


def with_workload_failures(report: RegistryReport, failures: Mapping[str, str]) -> RegistryReport:
    """The report with workloads that should follow the catalog, but whose tools could not be embedded again."""
    followed = tuple(
        ItemProblem(name=name, reason=f"its tools could not be re-embedded: {reason}")
        for name, reason in failures.items()
    )
    return report.model_copy(update=_skipped(report.skipped + followed))


def registry_problems(plan: CatalogPlan, report: RegistryReport) -> list[Problem]:
    """The problems to be kept open: skipped entries, and duplicates that no one has resolved."""
    skipped = [
        Problem(entity="registry", name=group.subject, problem="skipped", reason=group.told())
        for group in report.skipped_by_reason
    ]
    duplicates = [
        Problem(
            entity="registry",
            name=item.names[0],
            problem="duplicate",
            reason=f"{item.identity.raw} is claimed by {', '.join(item.names)}",
        )
        for item in plan.duplicates
        if not item.resolved
    ]
    return skipped + duplicates


def workload_report(
    plan: WorkloadsPlan, listing: WorkloadListing, stored: Sequence[Workload], failures: Mapping[str, str]
) -> WorkloadReport:
    """What became of the workloads. ``failures``: names whose texts could not be embedded, with the reason."""
    rows = {row.id: row for row in stored} | {change.after.id: change.after for change in plan.changes}
    gone = {row.id for row in plan.removed}
    after = [row for identifier, row in rows.items() if identifier not in gone]
    failed = [*plan.failed, *(ItemProblem(name=name, reason=reason) for name, reason in failures.items())]
    return WorkloadReport(
        added=sum(change.before is None for change in plan.changes),
        updated=sum(change.before is not None for change in plan.changes),
        removed=len(plan.removed),
        unchanged=len(plan.unchanged),
        linked=sum(row.linked for row in after),
        autonomous=sum(not row.linked and row.identity is not None for row in after),
        unidentified=sum(row.identity is None for row in after),
        rejected=tuple(ItemProblem(name=item.observed.name, reason=item.reason) for item in plan.rejected),
        failed=tuple(failed),
        complete=listing.complete,
        pending=listing.pending,
    )


def workload_problems(plan: WorkloadsPlan, failures: Mapping[str, str]) -> list[Problem]:
    """The problems to be kept open: rejected workloads (with what was observed of them), and failed ones."""
    rejected = [
        Problem(
            entity="workload",
            name=item.observed.name,
            problem=Relation.REJECTED,
            reason=item.reason,
            details=_in_order(item.observed).model_dump_json(),
        )
        for item in plan.rejected
    ]
    failed = [Problem(entity="workload", name=i.name, problem="failed", reason=i.reason) for i in plan.failed]
    return rejected + failed + embedding_problems(failures)


def _in_order(observed: ObservedWorkload) -> ObservedWorkload:
    """What was observed, so that the same is the same text; tools too: it may be taken in before it is seen again."""
    tools = observed.tools
    return observed.model_copy(update={"tools": tools and tuple(sorted(tools, key=lambda tool: tool.name))})


def embedding_problems(failures: Mapping[str, str]) -> list[Problem]:
    """The problems of workloads some of whose texts could not be embedded (L7)."""
    return [
        Problem(entity="workload", name=name, problem="failed", reason=f"embedding failed: {reason}")
        for name, reason in failures.items()
    ]
