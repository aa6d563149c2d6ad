"""Ingestion runs, problems and changes in lists."""

from mcp_optimizer.domain.views import ChangeView, ProblemView, RunView
from mcp_optimizer.tui.format.ages import Clock, age, duration
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.renderers.states import outcome_cell, problem_cell


def run_renderer(clock: Clock) -> Renderer[RunView]:
    """The run log."""
    return Renderer(
        name="runs",
        columns=(
            Column(
                "age", "Ago", lambda r: Cell(age(r.started_at, clock), Tone.MUTED), 0, 4, order=lambda r: r.started_at
            ),
            Column("outcome", "Outcome", lambda r: outcome_cell(r.outcome), 0, 11),
            Column("what", "What", lambda r: Cell(r.what, Tone.STRONG), 0, 10),
            Column("seconds", "Took", lambda r: Cell(duration(r.seconds)), 2, 8, right=True, order=lambda r: r.seconds),
            Column("summary", "Result", _result, 1, fill=2, minimum=20),
            Column("source", "Source", lambda r: Cell(r.source, Tone.MUTED), 3, fill=1, minimum=16, middle=True),
        ),
        key=lambda r: r.id,
        text=lambda r: r.error or "",
    )


def _result(run: RunView) -> Cell:
    return Cell(run.error, Tone.BAD) if run.error else Cell(run.summary)


def problem_renderer(clock: Clock) -> Renderer[ProblemView]:
    """The problems of single items."""
    return Renderer(
        name="problems",
        columns=(
            Column("age", "Ago", lambda p: Cell(age(p.since, clock), Tone.MUTED), 3, 4, order=lambda p: p.since),
            Column("problem", "Problem", lambda p: problem_cell(p.problem), 0, 12),
            Column("entity", "Of", lambda p: Cell(p.entity, Tone.MUTED), 2, 9),
            Column("name", "Name", lambda p: Cell(p.name, Tone.STRONG), 0, 28, fill=1, minimum=14),
            Column("reason", "Reason", lambda p: Cell(p.reason), 1, fill=3, minimum=24),
        ),
        key=lambda p: p.id,
        fields={"problem": lambda p: p.problem, "is": lambda p: "open" if p.open else "settled"},
    )


def change_renderer(clock: Clock) -> Renderer[ChangeView]:
    """The change log."""
    return Renderer(
        name="changes",
        columns=(
            Column("age", "Ago", lambda c: Cell(age(c.at, clock), Tone.MUTED), 0, 4, order=lambda c: c.at),
            Column("entity", "Of", lambda c: Cell(c.entity, Tone.MUTED), 2, 9),
            Column("operation", "Change", lambda c: Cell(c.operation, Tone.ACCENT), 0, 11),
            Column("name", "Name", lambda c: Cell(c.name, Tone.STRONG), 0, 28, fill=1, minimum=14),
            Column("cause", "Cause", lambda c: Cell(c.cause), 1, 18),
            Column("detail", "Detail", lambda c: Cell(c.detail, Tone.MUTED), 3, fill=2, minimum=16),
        ),
        key=lambda c: str(c.sequence),
    )
