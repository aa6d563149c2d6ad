"""Ingestion: a source is read, the domain decides, what is new is embedded, and one short transaction stores it all.

Nothing is written before everything has been read and embedded. Should another process change the store meanwhile,
the plan is made anew; what was embedded for the first plan is remembered, so that costs little.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from mcp_optimizer.db.change_log import Writing
from mcp_optimizer.db.credential_key import sealer_of
from mcp_optimizer.db.problems import differences, open_and_close
from mcp_optimizer.db.run_log import record_run
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.domain.lifecycle import admit, become_autonomous, follow_catalog, plan_workloads, with_admitted
from mcp_optimizer.domain.masked_identities import unmask_registry, unmask_workloads
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import Catalog, Cause, WorkloadListing
from mcp_optimizer.domain.reconcile import new_aliases, new_resolutions, reconcile, rows_after
from mcp_optimizer.domain.reports import IngestPart, IngestPhase, IngestProgress, IngestReport
from mcp_optimizer.errors import OptimizerError, SourceError
from mcp_optimizer.ingestion_results import (
    embedding_problems,
    registry_problems,
    registry_report,
    with_workloads,
    workload_problems,
    workload_report,
)
from mcp_optimizer.sources.base import Source
from mcp_optimizer.surroundings import Surroundings
from mcp_optimizer.text import public_message
from mcp_optimizer.writes import Draft, Writer, note_relations, until_applied

type OnProgress = Callable[[IngestProgress], None]

log = structlog.get_logger(__name__)


class Ingestion:
    """Brings the store up to date with sources."""

    def __init__(self, store: Store, writer: Writer, surroundings: Surroundings) -> None:
        self._store = store
        self._writer = writer
        self._surroundings = surroundings

    async def run(
        self, part: IngestPart, source: Source, *, dry_run: bool = False, on_progress: OnProgress | None = None
    ) -> IngestReport:
        """Ingest one source. Raises SourceError when it can't be read, or holds nothing of what is asked for.

        The run is logged, failed and cancelled ones too; a dry run is not.
        """
        run = _Run(part, source, self._surroundings, on_progress or (lambda _: None))
        try:
            report = await self._ingest(run, dry_run=dry_run)
        except asyncio.CancelledError:
            if not dry_run:
                await asyncio.shield(self._log_end(run, "cancelled", None))
            raise
        except OptimizerError as error:
            if not dry_run:
                await self._log_end(run, "failed", public_message(str(error)))
            raise
        run.progress(IngestPhase.DONE)
        return report.model_copy(update={"seconds": round(run.elapsed(), 3)}) if dry_run else report

    async def _ingest(self, run: "_Run", *, dry_run: bool) -> IngestReport:
        catalog, listing = await run.read()
        async with self._store.database.reading() as connection:
            sealer = await sealer_of(connection)
        catalog = catalog and await asyncio.to_thread(sealer.catalog, catalog)
        listing = listing and await asyncio.to_thread(sealer.listing, listing)
        report = IngestReport(source=run.source.label, dry_run=dry_run)
        after: StoredState | None = None
        if catalog is not None:
            last = listing is None
            report, after = await until_applied(
                self._store.database, lambda: self._registry(run, catalog, report, dry_run=dry_run, last=last)
            )
        if listing is not None:
            so_far, assumed = report, after if dry_run else None
            report = await until_applied(
                self._store.database, lambda: self._workloads(run, listing, so_far, assumed, dry_run=dry_run)
            )
        return report

    async def _registry(
        self, run: "_Run", catalog: Catalog, report: IngestReport, *, dry_run: bool, last: bool
    ) -> tuple[IngestReport, StoredState]:
        """The registry half: reconcile (C1-C6), with what follows for linked workloads."""
        run.progress(IngestPhase.PLAN, detail="registry")
        async with self._store.database.reading() as connection:
            state = await self._store.state(connection)
            unmasking = unmask_registry(catalog, state.registry, state.workloads, state.resolutions)
            state = state.unmasked(unmasking)
            linked = {row.registry_server_id for row in state.workloads if row.registry_server_id}
            given = {identity.key: name for identity, name in catalog.resolutions}
            plan = reconcile(
                catalog,
                state.registry,
                resolutions=given | state.resolutions,
                linked_ids=linked,
                claims=state.claims,
                aliases=state.aliases,
                new_id=self._surroundings.new_id,
            )
            now = self._surroundings.timestamp()
            followers = [row for row in state.workloads if row not in unmasking.mislinked]
            changes, notes = follow_catalog(plan, followers, now=now)
            changes += tuple(become_autonomous(row, Cause.IDENTITY_CHANGED, now=now) for row in unmasking.mislinked)
            index = RegistryIndex(rows_after(plan), plan.duplicates)
            admitted = admit(state.rejected, state.workloads, index, new_id=self._surroundings.new_id, now=now)
            draft = await self._writer.draft(
                connection,
                entries=plan.entries,
                registry_removed=plan.removed,
                changes=with_admitted(changes, admitted),
                aliases=plan.aliases,
                reclaimed=plan.reclaimed,
            )
        after = replace(draft.applied_to(state, plan.claims), resolutions=given | state.resolutions)
        await self._embed(run, draft, dry_run=dry_run)
        result = registry_report(plan, catalog, draft.registry_failures)
        shown = with_workloads(result, changes, admitted, draft.workload_failures)
        report = report.model_copy(update={"registry": shown, "embedded_texts": run.embedded_texts})
        if dry_run:
            return report, after
        opened, closed = differences(
            [problem for problem in state.problems if problem.entity == "registry"],
            registry_problems(plan, result),
            looked_at=lambda _: catalog.complete,
        )
        taken_in = {change.after.name for change in admitted}
        closed += [problem for problem in state.problems if problem.rejected and problem.name in taken_in]
        opened += [problem for problem in embedding_problems(draft.workload_failures) if problem not in state.problems]
        same_claims = state.claims == list(plan.claims)
        aliases = new_aliases(catalog, after.registry, after.aliases)
        same_claims = same_claims and not new_resolutions(catalog, state.resolutions)
        if not last and draft.empty and same_claims and not (opened or closed or aliases) and unmasking.empty:
            return report, after
        async with self._writer.writing(state.sequence, run.id) as writing:
            await self._store.unmask(writing, unmasking)
            await self._writer.apply(writing, draft, cause="ingestion")
            await note_relations(writing, notes)
            for identity, name in new_resolutions(catalog, state.resolutions):
                await self._store.registry_servers.resolve(writing, identity, name)
            for alias in aliases:
                await self._store.registry_servers.add_alias(writing, alias)
            if not same_claims:
                await self._store.registry_servers.set_claims(writing, plan.claims)
            await open_and_close(writing, opened, closed, new_id=self._surroundings.new_id)
            if last:
                report = await self._finish(writing, run, report)
        return report, after

    async def _workloads(
        self,
        run: "_Run",
        listing: WorkloadListing,
        report: IngestReport,
        assumed: StoredState | None,
        *,
        dry_run: bool,
    ) -> IngestReport:
        """The workload half: match what is new or changed (M, L1, L2), keep the rest as it is.

        ``assumed``: the state that the registry half would have led to, in a dry run of both.
        """
        run.progress(IngestPhase.PLAN, detail="workloads")
        async with self._store.database.reading() as connection:
            state = assumed or await self._store.state(connection)
            unmasking = unmask_workloads(listing, state.workloads, state.registry)
            state = state.unmasked(unmasking)
            plan = plan_workloads(
                listing,
                state.workloads,
                state.index(),
                new_id=self._surroundings.new_id,
                now=self._surroundings.timestamp(),
            )
            draft = await self._writer.draft(connection, changes=plan.changes, workloads_removed=plan.removed)
        await self._embed(run, draft, dry_run=dry_run)
        result = workload_report(plan, listing, state.workloads, draft.workload_failures)
        report = report.model_copy(update={"workloads": result, "embedded_texts": run.embedded_texts})
        if dry_run:
            return report
        names = {item.name for item in listing.workloads}
        opened, closed = differences(
            [problem for problem in state.problems if problem.entity == "workload"],
            workload_problems(plan, draft.workload_failures),
            looked_at=lambda problem: listing.complete or problem.name in names,
        )
        async with self._writer.writing(state.sequence, run.id) as writing:
            await self._store.unmask(writing, unmasking)
            await self._writer.apply(writing, draft, cause="ingestion")
            await open_and_close(writing, opened, closed, new_id=self._surroundings.new_id)
            return await self._finish(writing, run, report)

    async def _embed(self, run: "_Run", draft: Draft, *, dry_run: bool) -> None:
        """Fill in the draft's vectors; in a dry run only note the texts that would be embedded."""
        if dry_run:
            run.unembedded |= await self._writer.missing_texts(draft)
            return
        await self._writer.embed(draft, lambda done, total: run.progress(IngestPhase.EMBED, done, total))
        run.embedded += draft.embedded.fresh
        run.progress(IngestPhase.WRITE)

    async def _finish(self, writing: Writing, run: "_Run", report: IngestReport) -> IngestReport:
        """Log the run in the transaction that ends it."""
        report = report.model_copy(update={"seconds": round(run.elapsed(), 3)})
        await record_run(
            writing,
            what=run.part,
            source=run.source.label,
            started_at=run.started_at,
            seconds=report.seconds,
            outcome="partial" if report.partial else "done",
            report=report,
            retention=self._store.retention,
        )
        return report

    async def _log_end(self, run: "_Run", outcome: str, error: str | None) -> None:
        """Log a run that did not finish; a store that can't be written to then hides no other error."""
        try:
            async with self._store.database.writing() as connection:
                writing = Writing(connection=connection, at=self._surroundings.timestamp(), run_id=run.id)
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
            log.warning("the run could not be logged", error=public_message(str(failure)))


class _Run:
    """One ingestion under way."""

    def __init__(self, part: IngestPart, source: Source, surroundings: Surroundings, on_progress: OnProgress) -> None:
        self.part = part
        self.source = source
        self.id = surroundings.new_id()
        self.started_at = surroundings.timestamp()
        self.embedded = 0
        """Texts embedded so far, also for plans that had to be made anew."""
        self.unembedded: set[str] = set()
        """Texts that a dry run found in need of an embedding."""
        self._on_progress = on_progress
        self._monotonic = surroundings.monotonic
        self._start = surroundings.monotonic()

    @property
    def embedded_texts(self) -> int:
        """Texts embedded, or in a dry run to be embedded; each counts once."""
        return self.embedded + len(self.unembedded)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._monotonic() - self._start

    def progress(self, phase: IngestPhase, done: int = 0, total: int = 0, *, detail: str = "") -> None:
        """Tell how far it is."""
        self._on_progress(IngestProgress(phase=phase, done=done, total=total, detail=detail))

    async def read(self) -> tuple[Catalog | None, WorkloadListing | None]:
        """Everything that is asked for, read before anything is written."""
        self.progress(IngestPhase.FETCH, detail=self.source.label)
        catalog = listing = None
        if self.part is not IngestPart.WORKLOADS:
            catalog = await self.source.catalog(
                lambda done, total: self.progress(IngestPhase.FETCH, done, total, detail=self.source.label)
            )
        if self.part is not IngestPart.REGISTRY:
            listing = await self.source.workloads(lambda done, total: self.progress(IngestPhase.TOOLS, done, total))
        missing = {
            IngestPart.REGISTRY: catalog is None,
            IngestPart.WORKLOADS: listing is None,
            IngestPart.ALL: catalog is None and listing is None,
        }
        if missing[self.part]:
            what = {"registry": "registry", "workloads": "workloads", "all": "registry and no workloads"}[self.part]
            raise SourceError(f"{self.source.label} holds no {what}")
        return catalog, listing
