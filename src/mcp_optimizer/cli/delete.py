"""What a deletion does, in words."""

from mcp_optimizer.domain.reports import DeletionReport
from mcp_optimizer.text import one_line


def describe_deletion(report: DeletionReport) -> str:
    """A deletion, done or yet to be done, with all that follows from it (L4, L10)."""
    names = ", ".join(map(one_line, report.deleted))
    noun = "registry server" if report.entity == "registry" else "workload"
    plural = "" if len(report.deleted) == 1 else "s"
    verb = "Would delete" if report.dry_run else "Deleted"
    lines = [f"{verb} {len(report.deleted)} {noun}{plural}: {names}", f"  with {report.tools} tools"]
    if report.unlinked:
        lines.append(f"  these workloads become autonomous: {', '.join(map(one_line, report.unlinked))}")
        lines.append(f"  {report.reembedded_texts} of their tools are re-embedded")
    lines.append("  Only this database changes: what a source still lists comes back with the next ingestion.")
    return "\n".join(lines)
