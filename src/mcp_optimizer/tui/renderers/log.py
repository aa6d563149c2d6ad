"""Lines of the log in a list."""

from mcp_optimizer.tui.format.ages import Clock, age
from mcp_optimizer.tui.format.columns import Cell, Column, Renderer
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.state.log_buffer import LogLine

_LEVELS = {
    "debug": Cell("· debug", Tone.MUTED),
    "info": Cell("· info"),
    "warning": Cell("! warning", Tone.WARN),
    "error": Cell("✗ error", Tone.BAD),
}


def level_cell(level: str) -> Cell:
    """A level, marked."""
    return _LEVELS.get(level, Cell(f"? {level}"))


def log_renderer(clock: Clock) -> Renderer[LogLine]:
    """The log."""
    return Renderer(
        name="log lines",
        columns=(
            Column("age", "Ago", lambda g: Cell(age(g.at, clock), Tone.MUTED), 0, 4, order=lambda g: g.sequence),
            Column("level", "Level", lambda g: level_cell(g.level), 1, 9),
            Column("event", "Event", lambda g: Cell(g.event), 0, fill=2, minimum=24),
            Column("detail", "Detail", lambda g: Cell(g.detail, Tone.MUTED), 2, fill=2, minimum=16),
        ),
        key=lambda g: str(g.sequence),
        fields={"level": lambda g: g.level},
    )
