"""Reports of ingestions and deletions as documents."""

from collections.abc import Iterable, Sequence

from mcp_optimizer.domain.models import ItemProblem
from mcp_optimizer.domain.reports import DeletionReport, IngestReport, RegistryReport, WorkloadReport, listed_names
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.format.ages import count, duration
from mcp_optimizer.tui.format.tone import Tone

_MAX_LISTED = 50
"""Of a list longer than this the rest is only counted."""


def ingest_document(reports: Sequence[IngestReport], width: int) -> Lines:
    """What ingestions did, or in a dry run would do."""
    page = Document(width)
    for report in reports:
        page.blank()
        state = ("! finished with warnings", Tone.WARN) if report.partial else ("✓ all well", Tone.GOOD)
        page.title("Dry run: nothing was written" if report.dry_run else "Ingested", state)
        page.field("source", report.source)
        page.field("took", duration(report.seconds))
        page.field("embedded", f"{count(report.embedded_texts)} texts")
        if report.loss is not None and report.loss.needs_yes:
            page.paragraph(f"{'This would' if report.dry_run else 'Agreed to:'} {report.loss.words}.", Tone.BAD)
            loss = report.loss
            for heading, names in (
                ("removed", loss.removed),
                ("workload deleted", loss.deleted),
                ("loses its link", loss.ended),
            ):
                if names:
                    page.heading(heading.upper(), count(len(names)))
                    _names(page, names)
        for half in report.unread:
            page.field(f"✗ {half.name}", f"not read: {half.reason}", Tone.BAD)
        if report.registry is not None:
            _registry(page, report.registry)
        if report.workloads is not None:
            _workloads(page, report.workloads)
    return page.lines


def deletion_document(report: DeletionReport, width: int) -> Lines:
    """What a deletion would do, before anyone agrees to it."""
    page = Document(width)
    noun = "registry server" if report.entity == "registry" else "workload"
    page.add((f"{_plural(len(report.deleted), noun)} will be deleted", Tone.BAD))
    _names(page, report.deleted)
    page.blank()
    page.field("tools", f"{count(report.tools)} will be deleted too")
    if report.unlinked:
        page.field("links", f"{_plural(len(report.unlinked), 'workload')} will become autonomous", Tone.WARN)
        _names(page, report.unlinked)
    page.field("embedding", f"{count(report.reembedded_texts)} texts will be re-embedded")
    page.blank()
    page.paragraph(
        "Only this database changes. What its source still lists comes back with the next ingestion.", Tone.MUTED
    )
    return page.lines


def _plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _registry(page: Document, report: RegistryReport) -> None:
    page.heading("REGISTRY", "" if report.complete else "not read whole, so nothing was removed")
    names = ("added", "updated", "renamed", "retagged", "removed", "unchanged")
    _counts(page, ((name, getattr(report, name)) for name in names))
    for duplicate in report.unresolved[:_MAX_LISTED]:
        page.field("! duplicate", f"{duplicate.identity}: {', '.join(duplicate.names)}", Tone.WARN)
    for group in report.skipped_by_reason[:_MAX_LISTED]:
        page.field("– skipped", f"{group.subject}: {group.told()}", Tone.WARN)
    if len(report.skipped_by_reason) > _MAX_LISTED:
        page.field(
            "– skipped", f"and {count(len(report.skipped_by_reason) - _MAX_LISTED)} more; Activity lists them all"
        )
    page.field("removed", listed_names(report.removed_names))
    page.field("unlinked", listed_names(report.unlinked), Tone.WARN)


def _workloads(page: Document, report: WorkloadReport) -> None:
    page.heading("WORKLOADS", "" if report.complete else "not listed whole, so nothing was removed")
    _counts(page, ((name, getattr(report, name)) for name in ("added", "updated", "removed", "unchanged")))
    unidentified = f", {count(report.unidentified)} unidentified" if report.unidentified else ""
    page.field("now", f"{count(report.linked)} linked, {count(report.autonomous)} autonomous{unidentified}")
    _problems(page, "✗ rejected", report.rejected, Tone.BAD)
    _problems(page, "✗ failed", report.failed, Tone.BAD)


def _counts(page: Document, counts: Iterable[tuple[str, int]]) -> None:
    page.paragraph(", ".join(f"{count(number)} {name}" for name, number in counts if number) or "nothing listed")


def _problems(page: Document, label: str, problems: Sequence[ItemProblem], tone: Tone) -> None:
    for problem in problems[:_MAX_LISTED]:
        page.field(label, f"{problem.name}: {problem.reason}", tone)
    if len(problems) > _MAX_LISTED:
        page.field(label, f"and {count(len(problems) - _MAX_LISTED)} more; Activity lists them all")


def _names(page: Document, names: Sequence[str]) -> None:
    more = f" and {count(len(names) - 12)} more" if len(names) > 12 else ""
    page.paragraph(", ".join(names[:12]) + more, Tone.STRONG, indent=2)
