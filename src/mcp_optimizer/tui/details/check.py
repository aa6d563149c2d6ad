"""What was found out about the database, as a document."""

from mcp_optimizer.domain.reports import CheckReport
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.format.tone import Tone


def check_document(report: CheckReport, width: int) -> Lines:
    """Findings, those that are wrong first, with what to do about them."""
    page = Document(width)
    wrong = [finding for finding in report.findings if not finding.ok]
    page.title("The database", (f"✗ {len(wrong)} wrong", Tone.BAD) if wrong else ("✓ sound", Tone.GOOD))
    for finding in sorted(report.findings, key=lambda finding: finding.ok):
        page.blank()
        page.paragraph(f"{'✓' if finding.ok else '✗'} {finding.name}", Tone.GOOD if finding.ok else Tone.BAD)
        page.paragraph(finding.detail, Tone.MUTED if finding.ok else Tone.PLAIN, indent=2)
        if finding.remedy and not finding.ok:
            page.paragraph(f"try: {finding.remedy}", indent=2)
    return page.lines
