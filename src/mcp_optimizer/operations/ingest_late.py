"""Workloads whose MCP servers are slow to list their tools: what is planned meanwhile, and what then. Pure."""

from collections.abc import Sequence
from typing import Final

from mcp_optimizer.domain.lifecycle import WorkloadsPlan
from mcp_optimizer.domain.models import Identity, IdentityKey, ItemProblem, ObservedWorkload, Workload, WorkloadListing
from mcp_optimizer.domain.reports import IngestReport

LISTING_TOOLS: Final = "its tools are still being listed"
"""Why a new workload has no tools yet."""


def key_of(identity: Identity | None) -> IdentityKey | None:
    """What is compared of an identity; None where it is not known."""
    return identity.key if identity else None


def with_pending(listing: WorkloadListing, stored: Sequence[Workload]) -> WorkloadListing:
    """The listing, those marked that are still being asked for their tools: a new one says so, others stay as they
    were, so that a slow server writes nothing until it has answered.
    """
    pending, rows = set(listing.pending), {row.name: row for row in stored}

    def marked(observed: ObservedWorkload) -> ObservedWorkload:
        row = rows.get(observed.name)
        if observed.name not in pending:
            return observed
        if row is None or observed.identity is None or key_of(row.identity) != observed.identity.key:
            return observed.model_copy(update={"status_reason": LISTING_TOOLS})
        if row.status not in {observed.status, "error"}:
            return observed
        return observed.model_copy(update={"status": row.status, "status_reason": row.status_reason})

    return listing.model_copy(update={"workloads": tuple(map(marked, listing.workloads))}) if pending else listing


def answered_late(answers: Sequence[ObservedWorkload], source: str, stored: Sequence[Workload]) -> WorkloadListing:
    """A listing of the workloads that answered late, as they are stored by now; those that changed are left out."""
    rows = {row.name: row for row in stored}
    return WorkloadListing(
        source=source,
        workloads=tuple(
            _now(observed, row)
            for observed in answers
            if (row := rows.get(observed.name)) is not None
            and (observed.identity is None or key_of(row.identity) == observed.identity.key)
            and row.status in {observed.status, "error"}
        ),
        complete=False,
    )


def _now(observed: ObservedWorkload, row: Workload) -> ObservedWorkload:
    """The answer in what is stored of its workload by now: another listing may have been read meanwhile."""
    fields = ("endpoint", "transport", "proxy_mode", "group", "virtual_mcp", "evidence")
    return observed.model_copy(update={field: getattr(row, field) for field in fields})


def with_late_answers(
    report: IngestReport, plan: WorkloadsPlan, later: IngestReport, later_plan: WorkloadsPlan
) -> IngestReport:
    """The report of a run, with what a later one did for workloads that answered late."""
    first, second = report.workloads, later.workloads
    if first is None or second is None:
        return report
    before, after = _outcomes(plan), _outcomes(later_plan)
    counts = {"added": first.added, "updated": first.updated, "unchanged": first.unchanged}
    for name, outcome in after.items():
        if before.get(name) == "unchanged" and outcome != "unchanged":
            counts["unchanged"] -= 1
            counts[outcome] += 1
    failed = {*(item for item in first.failed if item.name not in after), *second.failed}
    workloads = first.model_copy(
        update={
            **counts,
            "linked": second.linked,
            "autonomous": second.autonomous,
            "failed": tuple(sorted(failed, key=lambda item: (item.name, item.reason))),
            "pending": tuple(name for name in first.pending if name not in after),
        }
    )
    embedded = report.embedded_texts + later.embedded_texts
    return report.model_copy(update={"workloads": workloads, "embedded_texts": embedded})


def without_pending(report: IngestReport, reason: str) -> IngestReport:
    """The report when nothing is waited for any more. With a ``reason`` what did not come in has failed; else it has
    gone meanwhile."""
    workloads = report.workloads
    if workloads is None:
        return report
    missing = workloads.pending if reason else ()
    failed = (*workloads.failed, *(ItemProblem(name=name, reason=reason) for name in missing))
    return report.model_copy(update={"workloads": workloads.model_copy(update={"pending": (), "failed": failed})})


def _outcomes(plan: WorkloadsPlan) -> dict[str, str]:
    """What became of each workload that has a row."""
    changed = {change.after.name: "updated" if change.before else "added" for change in plan.changes}
    return {row.name: "unchanged" for row in plan.unchanged} | changed
