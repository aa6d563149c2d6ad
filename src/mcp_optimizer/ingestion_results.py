"""What an ingestion reports, and which problems it leaves open. Pure: plans in, values out."""

from collections.abc import Mapping, Sequence

from mcp_optimizer.db.problems import Problem
from mcp_optimizer.domain.lifecycle import WorkloadsPlan
from mcp_optimizer.domain.models import Catalog, ItemProblem, Relation, Workload, WorkloadListing
from mcp_optimizer.domain.reconcile import CatalogPlan, Change
from mcp_optimizer.domain.reports import DuplicateReport, RegistryReport, WorkloadReport


def registry_report(plan: CatalogPlan, catalog: Catalog, failures: Mapping[str, str]) -> RegistryReport:
    """What became of the catalog's entries. ``failures``: names whose texts could not be embedded, with the reason."""
    stored = tuple(
        ItemProblem(name=name, reason=f"stored, but not embedded: {reason}") for name, reason in failures.items()
    )
    return RegistryReport(
        **{str(change): len(plan.of(change)) for change in Change},
        removed=len(plan.removed),
        duplicates=tuple(
            DuplicateReport(identity=item.identity.raw, names=item.names, chosen=item.chosen)
            for item in plan.duplicates
        ),
        skipped=plan.skipped + stored,
        complete=catalog.complete,
    )


def with_workload_failures(report: RegistryReport, failures: Mapping[str, str]) -> RegistryReport:
    """The report with workloads that should follow the catalog, but whose tools could not be embedded anew."""
    followed = tuple(
        ItemProblem(name=name, reason=f"its tools could not be embedded anew: {reason}")
        for name, reason in failures.items()
    )
    return report.model_copy(update={"skipped": report.skipped + followed})


def registry_problems(plan: CatalogPlan, report: RegistryReport) -> list[Problem]:
    """The problems to be kept open: skipped entries, and duplicates that no one has resolved."""
    skipped = [Problem(entity="registry", name=i.name, problem="skipped", reason=i.reason) for i in report.skipped]
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
        autonomous=sum(not row.linked for row in after),
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
            details=item.observed.model_copy(update={"tools": None}).model_dump_json(),
        )
        for item in plan.rejected
    ]
    failed = [Problem(entity="workload", name=i.name, problem="failed", reason=i.reason) for i in plan.failed]
    return rejected + failed + embedding_problems(failures)


def embedding_problems(failures: Mapping[str, str]) -> list[Problem]:
    """The problems of workloads some of whose texts could not be embedded (L7)."""
    return [
        Problem(entity="workload", name=name, problem="failed", reason=f"embedding failed: {reason}")
        for name, reason in failures.items()
    ]
