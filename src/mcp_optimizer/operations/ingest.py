"""Ingestion: a source is read, the domain decides, what is new is embedded, and one short transaction stores it all.

Nothing is written before everything has been read and embedded; then both halves are stored together, or not at all
(L12). Should another process change the store meanwhile, the plan is made again; what was embedded for the first plan
is remembered, so that costs little. MCP servers that are slow to list their tools are waited for by a run of their own.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from typing import Final

import structlog

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.credential_key import sealer_of
from mcp_optimizer.db.logs.change_log import Writing
from mcp_optimizer.db.logs.ingest_runs import record_run
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.loss import LargeLossError, Loss
from mcp_optimizer.domain.models import ObservedWorkload, WorkloadListing
from mcp_optimizer.domain.progress import IngestProgressCallback
from mcp_optimizer.domain.reports import IngestPart, IngestPhase, IngestReport
from mcp_optimizer.errors import OptimizerError
from mcp_optimizer.operations.change_set import ChangeSet, RunRecord
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter, retry_on_conflict
from mcp_optimizer.operations.ingest_late import answered_late, with_late_answers, without_pending
from mcp_optimizer.operations.ingest_plan import IngestPlan, IngestPlanner
from mcp_optimizer.operations.ingest_run import IngestRun, Reading
from mcp_optimizer.sources.base import LateAnswers, Source
from mcp_optimizer.text import redact_message

_LATE_BATCH_SECONDS: Final = 1.0
"""Servers that answer late within so many seconds are stored by one run."""

log = structlog.get_logger(__name__)


class Ingestion:
    """Brings the store up to date with sources."""

    def __init__(self, store: Store, writer: ChangeSetWriter, runtime: Runtime) -> None:
        self._store = store
        self._writer = writer
        self._planner = IngestPlanner(store, writer, runtime)
        self._runtime = runtime
        self._background: dict[asyncio.Task[None], LateAnswers] = {}

    async def close(self) -> None:
        """Stop what waits for slow MCP servers in the background."""
        background = dict(self._background)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, *(late.close() for late in background.values()), return_exceptions=True)

    async def run(
        self,
        part: IngestPart,
        source: Source,
        *,
        dry_run: bool = False,
        allow_loss: bool | Loss = False,
        wait: bool = True,
        on_progress: IngestProgressCallback | None = None,
    ) -> IngestReport:
        """Ingest one source. Raises SourceError when it can't be read, or holds nothing of what is asked for.

        Raises LargeLossError where it would take away much (C9), unless ``allow_loss`` is true, or a loss that covers
        it. ``wait``: for MCP servers that are slow; else they are stored in the background, when they have answered.
        The run is logged, failed and cancelled ones too; a dry run is not.
        """
        run = IngestRun(part, source, self._runtime, on_progress or (lambda _: None))
        late = LateAnswers()
        try:
            async with self._logged(run, dry_run=dry_run):
                reading = await run.read(None if dry_run else late)
                report, plan = await retry_on_conflict(
                    self._store.database, lambda: self._attempt(run, reading, allow_loss, dry_run=dry_run)
                )
            if late.tasks and not wait:
                self._in_background(source, late)
                late = LateAnswers()
            elif late.tasks:
                report = await self._waited(source, late, report, plan)
        finally:
            await late.close()
        run.progress(IngestPhase.DONE)
        return report.model_copy(update={"seconds": round(run.elapsed(), 3)}) if dry_run or wait else report

    async def _attempt(
        self, run: IngestRun, reading: Reading, allow_loss: bool | Loss, *, dry_run: bool
    ) -> tuple[IngestReport, IngestPlan]:
        """Plan, embed and apply once. Raises ConflictError when the store changed in between, else as :meth:`run`."""
        run.progress(IngestPhase.PLAN)
        async with self._store.database.reading() as connection:
            plan = await self._planner.plan(connection, reading.catalog, reading.choose_listing)
        refused = not (dry_run or _allowed(plan.loss, allow_loss))
        await self._embed(run, plan.change_set, dry_run=dry_run or refused)
        report = plan.report(run.source.label).model_copy(
            update={"embedded_texts": run.embedded_texts, "unread": reading.unread, "dry_run": dry_run or refused}
        )
        if reading.selected and report.workloads is not None:
            report = report.model_copy(update={"workloads": report.workloads.model_copy(update={"complete": True})})
        if refused and plan.loss is not None:
            raise LargeLossError(run.source.label, plan.loss, report)
        if dry_run:
            return report, plan
        report = report.model_copy(update={"seconds": round(run.elapsed(), 3)})
        plan.settle_problems()
        plan.change_set.run = RunRecord(
            id=run.id,
            what=run.part,
            source=run.source.label,
            started_at=run.started_at,
            seconds=report.seconds,
            outcome="partial" if report.partial else "done",
            report=report,
        )
        await self._writer.apply(plan.change_set)
        return report, plan

    async def _embed(self, run: IngestRun, change_set: ChangeSet, *, dry_run: bool) -> None:
        """Fill in the vectors; in a dry run only note the texts that would be embedded."""
        if dry_run:
            run.unembedded |= await self._writer.missing_texts(change_set)
            return
        await self._writer.embed(change_set, lambda done, total: run.progress(IngestPhase.EMBED, done, total))
        run.embedded += change_set.embedded.fresh
        run.progress(IngestPhase.WRITE)

    async def _waited(self, source: Source, late: LateAnswers, report: IngestReport, plan: IngestPlan) -> IngestReport:
        """The report of a run, with what became of the servers that answered late."""
        reason = ""
        try:
            async for later, later_plan in self._late(source, late):
                if plan.workloads is not None and later_plan.workloads is not None:
                    report = with_late_answers(report, plan.workloads.plan, later, later_plan.workloads.plan)
        except OptimizerError as error:  # what the first run stored stays, and is reported
            reason = f"answered late, and could not be stored: {redact_message(str(error))}"
        return without_pending(report, reason)

    async def _late(self, source: Source, late: LateAnswers) -> AsyncGenerator[tuple[IngestReport, IngestPlan]]:
        """Store slow servers as they answer, each batch in a run of its own."""
        try:
            while late.tasks:
                await asyncio.wait(late.tasks, return_when=asyncio.FIRST_COMPLETED)
                answered, late.tasks = await asyncio.wait(late.tasks, timeout=_LATE_BATCH_SECONDS)
                answers = [answer for task in answered if (answer := _answer(task)) is not None]
                run = IngestRun(IngestPart.WORKLOADS, source, self._runtime, lambda _: None)
                yield await self._store_late(run, answers)
        finally:
            await late.close()

    async def _store_late(
        self, run: IngestRun, answers: Collection[ObservedWorkload]
    ) -> tuple[IngestReport, IngestPlan]:
        async with self._store.database.reading() as connection:
            sealer = await sealer_of(connection)
        sealed = sealer.listing(WorkloadListing(source=run.source.label, workloads=tuple(answers))).workloads
        reading = Reading(None, lambda state: answered_late(sealed, run.source.label, state.workloads), selected=True)
        async with self._logged(run, dry_run=False):
            return await retry_on_conflict(
                self._store.database, lambda: self._attempt(run, reading, True, dry_run=False)
            )

    def _in_background(self, source: Source, late: LateAnswers) -> None:
        async def store() -> None:
            try:
                async for _ in self._late(source, late):
                    pass
            except OptimizerError as error:  # it is in the log of runs
                log.warning("workloads that answered late are not stored", reason=redact_message(str(error)))

        task = asyncio.create_task(store(), name="late-answers")
        self._background[task] = late
        task.add_done_callback(self._background.pop)

    @asynccontextmanager
    async def _logged(self, run: IngestRun, *, dry_run: bool) -> AsyncGenerator[None]:
        """A block that ingests: when it fails or is cancelled, that is logged."""
        try:
            yield
        except asyncio.CancelledError:
            if not dry_run:
                await asyncio.shield(self._log_end(run, "cancelled", None))
            raise
        except OptimizerError as error:
            if not dry_run:
                await self._log_end(run, "failed", redact_message(str(error)))
            raise

    async def _log_end(self, run: IngestRun, outcome: str, error: str | None) -> None:
        """Log a run that did not finish; a store that can't be written to then hides no other error."""
        try:
            async with self._store.database.writing() as connection:
                writing = Writing(connection=connection, at=self._runtime.timestamp(), run_id=run.id)
                await record_run(
                    writing,
                    what=run.part,
                    source=run.source.label,
                    started_at=run.started_at,
                    seconds=round(run.elapsed(), 3),
                    outcome=outcome,
                    error=error,
                    retention=self._store.retention,
                )
        except OptimizerError as failure:
            log.warning("the run could not be logged", error=redact_message(str(failure)))


def _answer(task: asyncio.Task[ObservedWorkload]) -> ObservedWorkload | None:
    """What came of asking a server; None where that failed in a way that nobody foresaw."""
    error = task.exception()
    if error is None:
        return task.result()
    log.error("a server could not be asked for its tools", workload=task.get_name(), reason=redact_message(str(error)))
    return None


def _allowed(loss: Loss | None, allow_loss: bool | Loss) -> bool:
    """Whether what would be lost is little, or was agreed to (C9)."""
    if loss is None or not loss.needs_yes:
        return True
    return loss.within(allow_loss) if isinstance(allow_loss, Loss) else allow_loss
