"""What a person can change by hand, each as a question: what would happen, and the same done."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp_optimizer.domain.loss import LargeLossError
from mcp_optimizer.domain.reports import (
    AcceptReport,
    CheckReport,
    DeletionReport,
    IngestPart,
    IngestReport,
    RelationReport,
    ResolutionReport,
)
from mcp_optimizer.domain.upgrade_report import ReindexReport
from mcp_optimizer.tui.details.check import check_document
from mcp_optimizer.tui.details.document import Lines
from mcp_optimizer.tui.details.relation import acceptance_document, relation_document, resolution_document
from mcp_optimizer.tui.details.report import deletion_document, ingest_document
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.state.jobs import outcome_words

if TYPE_CHECKING:
    from mcp_optimizer.service import DataService

type Ask[T] = Callable[[bool], Coroutine[Any, Any, T]]
"""A mutating method of the service with its arguments: given True as a dry run, given False the deed."""


@dataclass(frozen=True)
class ConfirmableAction[T]:
    """Shown with its dry run before anyone agrees to it."""

    heading: str
    verb: str
    """What the button says."""
    ask: Ask[T]
    document: Callable[[T, int], Lines]
    """A dry run's report for a width."""
    changes: Callable[[T], bool]
    """Whether the dry run would change anything."""
    outcome: Callable[[T], str]
    """What was done, in one line."""
    destructive: bool = False
    """Something is lost."""


def delete_registry_servers(service: "DataService", names: Sequence[str]) -> ConfirmableAction[DeletionReport]:
    """Delete registry servers."""
    return _deletion(lambda dry_run: service.delete_registry_servers(names, dry_run=dry_run))


def delete_workloads(service: "DataService", names: Sequence[str]) -> ConfirmableAction[DeletionReport]:
    """Delete workloads."""
    return _deletion(lambda dry_run: service.delete_workloads(names, dry_run=dry_run))


def rematch(service: "DataService", names: Sequence[str] | None) -> ConfirmableAction[RelationReport]:
    """Match these workloads again, or all (None)."""
    heading = "Re-match all workloads" if names is None else f"Re-match {_several(names)}"
    return _relation(heading, "Re-match", lambda dry_run: service.rematch(names, dry_run=dry_run))


def unlink(service: "DataService", names: Sequence[str]) -> ConfirmableAction[RelationReport]:
    """Make these workloads autonomous."""
    return _relation(f"Unlink {_several(names)}", "Unlink", lambda dry_run: service.unlink(names, dry_run=dry_run))


def link(service: "DataService", names: Sequence[str], server: str) -> ConfirmableAction[RelationReport]:
    """Tie these workloads to a registry server."""

    async def all_of_them(dry_run: bool) -> RelationReport:
        return _together([await service.link(name, server, dry_run=dry_run) for name in names])

    return _relation(f"Link {_several(names)}", "Link", all_of_them)


def resolve(service: "DataService", identity: str, name: str) -> ConfirmableAction[ResolutionReport]:
    """Have one of several entries count."""
    return ConfirmableAction(
        heading=f"Resolve {identity}",
        verb="Choose",
        ask=lambda dry_run: service.resolve(identity, name, dry_run=dry_run),
        document=resolution_document,
        changes=lambda _: True,
        outcome=_resolved,
    )


def accept(service: "DataService", name: str) -> ConfirmableAction[AcceptReport]:
    """Accept what the tools of a workload say now."""
    return ConfirmableAction(
        heading=f"Accept changed tools of {name}",
        verb="Accept",
        ask=lambda dry_run: service.accept(name, dry_run=dry_run),
        document=acceptance_document,
        changes=lambda report: bool(report.accepted),
        outcome=_accepted,
    )


def _deletion(ask: Ask[DeletionReport]) -> ConfirmableAction[DeletionReport]:
    return ConfirmableAction(
        heading="Delete from the database",
        verb="Delete",
        ask=ask,
        document=deletion_document,
        changes=lambda report: bool(report.deleted),
        outcome=_deleted,
        destructive=True,
    )


def _relation(heading: str, verb: str, ask: Ask[RelationReport]) -> ConfirmableAction[RelationReport]:
    return ConfirmableAction(
        heading=heading,
        verb=verb,
        ask=ask,
        document=relation_document,
        changes=lambda report: bool(report.linked or report.unlinked),
        outcome=_related,
    )


def ingest_all_the_same(
    service: "DataService", part: IngestPart, sources: Sequence[str | None], refused: LargeLossError
) -> ConfirmableAction[Sequence[IngestReport]]:
    """Ingest what takes away much, once the dry run of that was seen (C9)."""

    async def ask(dry_run: bool) -> Sequence[IngestReport]:
        if dry_run:
            return (refused.report,)
        return await service.ingest(part, sources, allow_loss=refused.loss, wait=False)

    return ConfirmableAction(
        heading=f"Ingest {refused.report.source}?",
        verb="Ingest",
        ask=ask,
        document=ingest_document,
        changes=lambda _: True,
        outcome=outcome_words,
        destructive=True,
    )


def reindex(service: "DataService") -> ConfirmableAction[CheckReport | ReindexReport]:
    """Rebuild the search index; what is wrong with them is shown before."""

    async def ask(dry_run: bool) -> CheckReport | ReindexReport:
        return await (service.check() if dry_run else service.reindex())

    def found(report: CheckReport | ReindexReport, width: int) -> Lines:
        return check_document(report, width) if isinstance(report, CheckReport) else ()

    def outcome(report: CheckReport | ReindexReport) -> str:
        return f"✓ {count(report.indexed)} rows indexed" if isinstance(report, ReindexReport) else ""

    return ConfirmableAction("Rebuild the search index", "Reindex", ask, found, lambda _: True, outcome)


def _several(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{count(len(names))} workloads"


def _together(reports: Sequence[RelationReport]) -> RelationReport:
    return RelationReport(
        linked=tuple(link for report in reports for link in report.linked),
        unlinked=tuple(name for report in reports for name in report.unlinked),
        unchanged=tuple(item for report in reports for item in report.unchanged),
        rejected=tuple(item for report in reports for item in report.rejected),
        reembedded_texts=sum(report.reembedded_texts for report in reports),
        dry_run=any(report.dry_run for report in reports),
    )


def _deleted(report: DeletionReport) -> str:
    unlinked = f", {len(report.unlinked)} became autonomous" if report.unlinked else ""
    return f"Deleted {count(len(report.deleted))} with {count(report.tools)} tools{unlinked}"


def _related(report: RelationReport) -> str:
    parts = [f"Linked {link.workload} to {link.registry_server}" for link in report.linked]
    if len(parts) > 1:
        parts = [f"Linked {count(len(parts))} workloads"]
    if report.unlinked:
        text = report.unlinked[0] if len(report.unlinked) == 1 else f"{count(len(report.unlinked))} workloads"
        parts.append(f"Unlinked {text}")
    return "; ".join(parts) or "Nothing changed"


def _resolved(report: ResolutionReport) -> str:
    waiting = (
        f"; {len(report.left_waiting)} rejected come in with the next ingestion (i)" if report.left_waiting else ""
    )
    admitted = f"; {len(report.admitted)} rejected are taken in" if report.admitted else ""
    return f"{report.chosen} is now the entry for {report.identity}{admitted}{waiting}"


def _accepted(report: AcceptReport) -> str:
    number = len(report.accepted)
    return f"Accepted {count(number)} changed tool{'' if number == 1 else 's'} of {report.workload}"
