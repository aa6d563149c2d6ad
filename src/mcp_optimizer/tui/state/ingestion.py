"""Starting, following and stopping an ingestion, while everything else stays usable."""

from functools import partial
from typing import TYPE_CHECKING

from textual.message import Message
from textual.worker import Worker, WorkerState

from mcp_optimizer.domain.loss import LargeLossError
from mcp_optimizer.domain.reports import IngestProgress, IngestReport
from mcp_optimizer.tui.actions import Area
from mcp_optimizer.tui.dialogs.confirm import ConfirmDialog
from mcp_optimizer.tui.dialogs.ingest import IngestRequest
from mcp_optimizer.tui.dialogs.report import ReportDialog
from mcp_optimizer.tui.format import sanitize as safe
from mcp_optimizer.tui.format.tone import Tone
from mcp_optimizer.tui.messages import Go, Target
from mcp_optimizer.tui.state.confirmable_actions import ingest_all_the_same
from mcp_optimizer.tui.state.feed import Resource
from mcp_optimizer.tui.state.jobs import Job, outcome_words
from mcp_optimizer.tui.widgets.notice import Notice

if TYPE_CHECKING:
    from mcp_optimizer.tui.app import OptimizerApp


class Progressed(Message):
    """An ingestion is further."""

    def __init__(self, progress: IngestProgress) -> None:
        super().__init__()
        self.progress = progress


class IngestionRunner:
    """The one ingestion of the app."""

    def __init__(self, app: "OptimizerApp") -> None:
        self._app = app
        self._worker: Worker | None = None
        self._job: Job | None = None
        self.reports: tuple[IngestReport, ...] = ()
        self._refused: LargeLossError | None = None
        """The last one, when it needs a yes."""

    @property
    def running(self) -> bool:
        """Whether there is one."""
        return self._worker is not None and not self._worker.is_finished

    def start(self, request: IngestRequest) -> None:
        """Begin."""
        service = self._app.context.service
        if service is None or self.running:
            return
        self._job = Job(request, self._app.context.stopwatch)
        work = partial(
            service.ingest,
            request.part,
            request.sources,
            dry_run=request.dry_run,
            wait=False,
            on_progress=self._progressed,
        )
        self._worker = self._app.run_worker(work, name="ingest", group="ingest", exclusive=True, exit_on_error=False)
        self.show()

    def _progressed(self, progress: IngestProgress) -> None:
        self._app.post_message(Progressed(progress))

    def advance(self, progress: IngestProgress) -> None:
        """Show how far it is."""
        if self._job is not None and self.running:
            self._job.advance(progress)
            self.show()

    def show(self) -> None:
        """The progress, in the notice line."""
        if self._job is not None:
            progress = self._job.progress
            done, total = (progress.done, progress.total) if progress else (0, 0)
            self._app.base.query_one(Notice).progress(self._job.words, done, total, "esc stops it")

    def cancel(self) -> bool:
        """Stop it; False when none runs."""
        if self._worker is None or not self.running:
            return False
        self._worker.cancel()
        return True

    def ended(self, worker: Worker) -> None:
        """Say how it ended, and show the report when nobody is typing."""
        self._worker = None
        self.reports = ()
        self._refused = None
        if worker.state is WorkerState.CANCELLED:
            self._app.say("– Ingestion stopped; nothing was changed.", Tone.WARN)
        elif worker.state is WorkerState.ERROR and isinstance(worker.error, LargeLossError):
            self._refused = worker.error
            self._app.say(f"! {worker.error.message}  (I: look at it)", Tone.WARN)
            if not self._app.typing:
                self.show_report()
        elif worker.state is WorkerState.ERROR:
            self._app.say(f"✗ Ingestion failed: {safe.error_line(worker.error)}", Tone.BAD)
        else:
            self.reports = tuple(worker.result or ())
            partial = any(report.partial for report in self.reports)
            mark, tone = ("! ", Tone.WARN) if partial else ("✓ ", Tone.GOOD)
            self._app.say(mark + outcome_words(self.reports) + "  (I: report)", tone)
            if not self._app.typing:
                self.show_report()

    def show_report(self) -> None:
        """The report of this session's last ingestion in full; where there is none, the list of all of them.

        Of one that would take away much, the dry run is shown, and it can be agreed to (C9).
        """
        service, refused = self._app.context.service, self._refused
        if refused is not None and service is not None and self._job is not None:
            self._refused = None
            request = self._job.request
            question = ingest_all_the_same(service, request.part, request.sources, refused)
            self._app.push_screen(ConfirmDialog(self._app.context, question))
        elif self.reports:
            self._app.push_screen(ReportDialog(self._app.context, self.reports))
        else:
            self._app.view.post_message(Go(Target(Area.ACTIVITY, Resource.RUNS.value)))
