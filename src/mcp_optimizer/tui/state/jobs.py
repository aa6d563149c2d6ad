"""The ingestion that is running: its progress, its rate, and how it ended. No widgets here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mcp_optimizer.domain.reports import IngestPhase, IngestProgress, IngestReport
from mcp_optimizer.text import one_line, shorten
from mcp_optimizer.tui.dialogs.ingest import IngestRequest
from mcp_optimizer.tui.format.ages import count, duration


@dataclass
class Job:
    """One ingestion, from the request to the reports."""

    request: IngestRequest
    stopwatch: Callable[[], float]
    progress: IngestProgress | None = None
    phase_began: float = 0.0
    reports: tuple[IngestReport, ...] = field(default_factory=tuple)

    def advance(self, progress: IngestProgress) -> None:
        """Take the next progress; rates are counted from the beginning of a phase."""
        if self.progress is None or self.progress.phase is not progress.phase:
            self.phase_began = self.stopwatch()
        self.progress = progress

    @property
    def rate(self) -> float | None:
        """Items a second in this phase; None while too little is known."""
        if self.progress is None or not self.progress.done:
            return None
        seconds = self.stopwatch() - self.phase_began
        return self.progress.done / seconds if seconds > 0.2 else None

    @property
    def left(self) -> float | None:
        """Seconds until this phase is through, at the rate so far; None where that can't be said."""
        progress, rate = self.progress, self.rate
        to_do = progress.total - progress.done if progress else 0
        return to_do / rate if rate and to_do > 0 else None

    @property
    def words(self) -> str:
        """Where it is: ``all: embedding 120 of 400, 85/s, 3.3 s left``."""
        what = ("dry run of " if self.request.dry_run else "") + self.request.part.value
        progress = self.progress or IngestProgress(phase=IngestPhase.FETCH)
        whole = f" of {count(progress.total)}" if progress.total else ""
        done = f" {count(progress.done)}{whole}" if progress.done or progress.total else ""
        rate = f", {self.rate:,.0f}/s" if self.rate else ""
        left = f", {duration(self.left)} left" if self.left is not None else ""
        detail = f"  {shorten(one_line(progress.detail), 24)}" if progress.detail else ""
        return f"{what}: {progress.phase}{done}{rate}{left}{detail}"


def outcome_words(reports: Sequence[IngestReport]) -> str:
    """How an ingestion ended, in one line."""
    return "; ".join(("would be " if report.dry_run else "") + report.summary for report in reports)
