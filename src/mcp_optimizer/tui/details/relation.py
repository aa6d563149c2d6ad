"""What a re-match, link, unlink or resolution would do, before anyone agrees to it."""

from collections.abc import Sequence

from mcp_optimizer.domain.models import ItemProblem
from mcp_optimizer.domain.reports import AcceptReport, LinkReport, RelationReport, ResolutionReport
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.details.workload import changed_words
from mcp_optimizer.tui.format.ages import count
from mcp_optimizer.tui.format.tone import Tone

_MAX_NAMED = 3
"""Of workloads that stay as they are so many are named."""
_MAX_LISTED = 30
"""Of a list longer than this the rest is only counted."""


def relation_document(report: RelationReport, width: int) -> Lines:
    """Links that are made, links that end, and what stays as it is, each with its reason."""
    page = Document(width)
    if not (report.linked or report.unlinked):
        page.add(("Nothing would change", Tone.STRONG))
    if report.linked:
        page.add((f"{_workloads(len(report.linked))} will be linked", Tone.GOOD))
        for link in report.linked[:_MAX_LISTED]:
            _link(page, link)
        _rest(page, len(report.linked))
        page.paragraph("They take over its description, and its name as the context of their tools.", Tone.MUTED)
    if report.unlinked:
        page.add((f"{_workloads(len(report.unlinked))} will be autonomous, by your decision", Tone.WARN))
        page.paragraph(", ".join(report.unlinked[:_MAX_LISTED]), Tone.STRONG, indent=2)
        _rest(page, len(report.unlinked))
        page.paragraph("They stay so until they are linked, or re-matched by name.", Tone.MUTED)
    _items(page, "✗ rejected", report.rejected, Tone.BAD)
    if len(report.unchanged) > _MAX_NAMED:
        page.blank()
        page.field("· unchanged", f"{_workloads(len(report.unchanged))} stay as they are", Tone.MUTED)
    else:
        _items(page, "· unchanged", report.unchanged, Tone.MUTED)
    if report.linked or report.unlinked:
        page.blank()
        page.field("embedding", _texts(report.reembedded_texts))
    return page.lines


def resolution_document(report: ResolutionReport, width: int) -> Lines:
    """Which entry will count, what is renamed, and who waits for it."""
    page = Document(width)
    page.add((report.chosen, Tone.STRONG), (" will count for", Tone.PLAIN))
    page.paragraph(report.identity, Tone.ACCENT, indent=2)
    page.field("instead of", ", ".join(name for name in report.names if name != report.chosen), Tone.WARN)
    page.blank()
    if report.renamed_from:
        page.field("takes over", f"the row of {report.renamed_from}, with its links")
    if report.context_renamed:
        page.field("renames", f"the context of {', '.join(report.context_renamed[:_MAX_LISTED])}")
    if report.admitted:
        page.field("takes in", f"{', '.join(report.admitted[:_MAX_LISTED])}: rejected until now")
    if report.left_waiting:
        page.field(
            "waiting",
            f"{', '.join(report.left_waiting[:_MAX_LISTED])}: comes in with the next ingestion of workloads (i)",
        )
    page.field("embedding", _texts(report.reembedded_texts))
    page.blank()
    page.paragraph("The choice is kept through every later ingestion.", Tone.MUTED)
    return page.lines


def trial_words(report: RelationReport | ResolutionReport) -> str:
    """What a dry run has shown, in a sentence."""
    if isinstance(report, ResolutionReport):
        waiting = (
            f"; {', '.join(report.left_waiting[:_MAX_LISTED])} comes in with the next ingestion"
            if report.left_waiting
            else ""
        )
        admitted = f"; {', '.join(report.admitted[:_MAX_LISTED])} would be taken in" if report.admitted else ""
        return f"{report.chosen} would count{admitted}{waiting}; {_texts(report.reembedded_texts)}"
    links = [f"{link.workload} would inherit from {link.registry_server}" for link in report.linked]
    ends = [f"{name} would inherit from nothing" for name in report.unlinked]
    if not (links or ends):
        return "; ".join(["nothing would change", *(item.reason for item in (*report.rejected, *report.unchanged))])
    return "; ".join([*links, *ends, _texts(report.reembedded_texts)])


def acceptance_document(report: AcceptReport, width: int) -> Lines:
    """Which tools say something else now, word by word."""
    page = Document(width)
    if not report.accepted:
        page.add(("Nothing would change", Tone.STRONG))
        page.paragraph("No tool of this workload says something else than at first.", Tone.MUTED)
        return page.lines
    number = len(report.accepted)
    text = "1 tool says" if number == 1 else f"{count(number)} tools say"
    page.add((f"{text} something else than at first", Tone.WARN))
    for change in report.accepted[:_MAX_LISTED]:
        page.add((change.tool, Tone.STRONG), (f"  {', '.join(change.fields)}", Tone.WARN))
        changed_words(page, change)
    _rest(page, number)
    page.blank()
    page.paragraph("What they say now will count as first seen. Invisible characters stay reported.", Tone.MUTED)
    return page.lines


def _link(page: Document, link: LinkReport) -> None:
    before = f"  (was {link.before})" if link.before else ""
    page.add(
        ("  ", Tone.PLAIN),
        (link.workload, Tone.STRONG),
        ("  →  ", Tone.MUTED),
        (link.registry_server, Tone.ACCENT),
        (before, Tone.MUTED),
    )


def _rest(page: Document, number: int) -> None:
    if number > _MAX_LISTED:
        page.add((f"  and {count(number - _MAX_LISTED)} more", Tone.MUTED))


def _items(page: Document, label: str, items: Sequence[ItemProblem], tone: Tone) -> None:
    if items:
        page.blank()
    for item in items[:_MAX_LISTED]:
        page.field(label, f"{item.name} {item.reason}", tone)
    _rest(page, len(items))


def _texts(number: int) -> str:
    return f"{count(number)} text{'' if number == 1 else 's'} to re-embed"


def _workloads(number: int) -> str:
    return f"{count(number)} workload{'' if number == 1 else 's'}"
