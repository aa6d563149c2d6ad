"""The lower half of the overview: the last ingestions and open problems; and what to do with an empty database."""

from mcp_optimizer.domain.views import Overview
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.details.serving import poll_lines
from mcp_optimizer.tui.format.ages import Clock, age, count, duration
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import outcome_cell, problem_cell

_MAX_LISTED = 6


def news_document(overview: Overview, clock: Clock, width: int) -> Lines:
    """Open problems and last runs."""
    page = Document(width)
    page.heading("OPEN PROBLEMS", count(len(overview.problems)) if overview.problems else "none")
    for problem in overview.problems[:_MAX_LISTED]:
        cell = problem_cell(problem.problem)
        page.add((cell.text.ljust(14), cell.tone), (problem.name, Tone.STRONG))
        page.paragraph(problem.reason, Tone.MUTED, indent=2)
    if len(overview.problems) > _MAX_LISTED:
        page.add((f"and {len(overview.problems) - _MAX_LISTED} more: 6 Activity", Tone.MUTED))
    page.heading("LAST INGESTIONS", "" if overview.runs else "none yet")
    for run in overview.runs[:_MAX_LISTED]:
        cell = outcome_cell(run.outcome)
        ago = f"{age(run.started_at, clock)} ago, took {duration(run.seconds)}"
        page.add((cell.text.ljust(14), cell.tone), (run.what, Tone.STRONG), (f"  {ago}", Tone.MUTED))
        page.paragraph(run.error or run.summary, Tone.BAD if run.error else Tone.MUTED, indent=2)
    for server in overview.servers[:_MAX_LISTED]:
        page.heading("MCP SERVER", f"{server.address}, up {age(server.started_at, clock)}")
        for poll in server.polls:
            poll_lines(page, poll, clock)
    page.blank()
    page.field("database", overview.database, Tone.MUTED)
    page.field("model", overview.model, Tone.MUTED)
    return page.lines


def welcome_document(overview: Overview, width: int, *, read_only: bool) -> Lines:
    """What this is, and the ways on from an empty database."""
    page = Document(min(width, 76))
    page.title("Nothing is stored yet")
    page.blank()
    page.paragraph(
        "This program keeps a catalog of MCP servers (registry servers) and what is running (workloads), "
        "says which workload inherits from which entry and why, and finds the right tool."
    )
    page.heading("WAYS ON")
    if read_only:
        page.paragraph("The database was opened read-only: start without --read-only to fill it.", Tone.WARN)
    else:
        page.field("ToolHive", "start it, then press i and ↵: registry and workloads are read from it")
        page.field("a file", "press i and name a registry document or a snapshot, by path or URL")
    page.field("a demo", "press D: sample data in a database of its own; q comes back")
    page.field("help", "? lists every key, : finds every command")
    page.blank()
    page.field("database", overview.database, Tone.MUTED)
    return page.lines
