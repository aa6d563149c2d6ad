"""One entry of the activity lists in full."""

from mcp_optimizer.domain.search.queries import QueryView
from mcp_optimizer.domain.serving.presence import ServerView
from mcp_optimizer.domain.views import ChangeView, ProblemView, RunView
from mcp_optimizer.tui.actions import Keymap
from mcp_optimizer.tui.details.document import Document, Lines
from mcp_optimizer.tui.details.serving import query_page, server_page
from mcp_optimizer.tui.format.ages import Clock, age, duration
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.log import level_cell
from mcp_optimizer.tui.renderers.states import outcome_cell, problem_cell
from mcp_optimizer.tui.state.log_buffer import LogLine

type Entry = RunView | ProblemView | ChangeView | ServerView | QueryView | LogLine


def entry_document(entry: Entry, clock: Clock, width: int, keymap: Keymap) -> Lines:
    """A run, a problem, a change, a running server, a query, or a line of the log."""
    page = Document(width)
    if isinstance(entry, RunView):
        cell = outcome_cell(entry.outcome)
        page.title(f"Ingestion of {entry.what}", (cell.text, cell.tone))
        page.field("source", entry.source)
        page.field("started", f"{entry.started_at}, {age(entry.started_at, clock)} ago")
        page.field("took", duration(entry.seconds))
        page.field("error", entry.error or "", Tone.BAD)
        page.field("result", entry.summary)
    elif isinstance(entry, ProblemView):
        cell = problem_cell(entry.problem)
        page.title(entry.name, (cell.text, cell.tone), ("" if entry.open else "settled", Tone.GOOD))
        page.field("of", entry.entity)
        page.field("reason", entry.reason)
        page.field("since", f"{entry.since}, {age(entry.since, clock)} ago" if entry.since else "")
    elif isinstance(entry, ServerView):
        server_page(page, entry, clock)
    elif isinstance(entry, QueryView):
        query_page(page, entry, clock, ask_key=keymap.words_for("ask"), jump_key=keymap.words_for("jump"))
    elif isinstance(entry, LogLine):
        cell = level_cell(entry.level)
        page.title(entry.event, (cell.text, cell.tone))
        page.field("at", f"{entry.at}, {age(entry.at, clock)} ago")
        page.blank()
        page.paragraph(entry.event)
        page.paragraph(entry.detail, Tone.MUTED)
    else:
        page.title(entry.name, (entry.operation, Tone.ACCENT))
        page.field("of", entry.entity)
        page.field("at", f"{entry.at}, {age(entry.at, clock)} ago")
        page.field("cause", entry.cause)
        page.field("detail", entry.detail)
        page.field("number", str(entry.sequence), Tone.MUTED)
    return page.lines
