"""What a catalog and a listing mean for the store: both halves planned, as one change set. Nothing is written here."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.credential_key import sealer_of
from mcp_optimizer.db.logs.problems import Problem, differences
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.domain.lifecycle import (
    RelationChange,
    WorkloadChange,
    WorkloadsPlan,
    admit,
    become_autonomous,
    follow_catalog,
    on_top_of,
    plan_workloads,
    with_admitted,
)
from mcp_optimizer.domain.loss import Loss, loss_of
from mcp_optimizer.domain.masked_identities import Unmasking, unmask_registry, unmask_workloads
from mcp_optimizer.domain.matching import RegistryIndex
from mcp_optimizer.domain.models import Catalog, Cause, Workload, WorkloadListing
from mcp_optimizer.domain.reconcile import CatalogPlan, new_aliases, new_resolutions, reconcile, rows_after
from mcp_optimizer.domain.reports import IngestReport, RegistryReport, WorkloadReport
from mcp_optimizer.operations.change_set import ChangeSet, relation_lines
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter
from mcp_optimizer.operations.ingest_late import with_pending
from mcp_optimizer.operations.ingest_report import (
    embedding_problems,
    registry_problems,
    registry_report,
    with_workload_failures,
    with_workloads,
    workload_problems,
    workload_report,
)

CAUSE = "ingestion"

type ChooseListing = Callable[[StoredState], WorkloadListing | None]
"""Gives the workloads to be planned, for what is stored."""


@dataclass(frozen=True)
class RegistryHalf:
    """The catalog's half (C1-C6), with what follows for linked workloads."""

    catalog: Catalog
    plan: CatalogPlan
    change_set: ChangeSet
    after: StoredState
    """What workloads are matched against."""
    changes: Sequence[WorkloadChange]
    """What follows for linked workloads."""
    admitted: Sequence[WorkloadChange]
    """Rejected workloads that are taken in (M2)."""

    def report(self, failures: ChangeSet) -> RegistryReport:
        """What became of the entries; ``failures`` knows which texts could not be embedded."""
        report = registry_report(self.plan, self.catalog, failures.registry_failures)
        return with_workloads(report, self.changes, self.admitted)

    def problems(self, before: StoredState, report: RegistryReport) -> tuple[list[Problem], list[Problem]]:
        """The problems to open, and those to close."""
        standing = [problem for problem in before.problems if problem.entity == "registry"]
        result = registry_problems(self.plan, report)
        opened, closed = differences(standing, result, looked_at=lambda _: self.catalog.complete)
        taken_in = {change.after.name for change in self.admitted}
        return opened, [*closed, *(item for item in before.problems if item.rejected and item.name in taken_in)]


@dataclass(frozen=True)
class WorkloadHalf:
    """The workloads' half: new and changed ones are matched (M, L1, L2), the rest stays."""

    listing: WorkloadListing
    plan: WorkloadsPlan
    before: Sequence[Workload]
    """The workloads as the registry's half leaves them."""
    change_set: ChangeSet

    def report(self, failures: ChangeSet) -> WorkloadReport:
        """What became of the workloads; ``failures`` knows which texts could not be embedded."""
        return workload_report(self.plan, self.listing, self.before, failures.workload_failures)

    def problems(self, before: StoredState, failures: ChangeSet) -> tuple[list[Problem], list[Problem]]:
        """The problems to open, and those to close; one of a workload that was not looked at stands."""
        names = {item.name for item in self.listing.workloads} - set(self.listing.pending)
        complete, pending = self.listing.complete, set(self.listing.pending)
        return differences(
            [problem for problem in before.problems if problem.entity == "workload"],
            workload_problems(self.plan, failures.workload_failures),
            looked_at=lambda problem: problem.name in names or (complete and problem.name not in pending),
        )


@dataclass(frozen=True)
class IngestPlan:
    """Both halves, and all that is to be written for them."""

    before: StoredState
    registry: RegistryHalf | None
    workloads: WorkloadHalf | None
    change_set: ChangeSet

    @cached_property
    def loss(self) -> Loss | None:
        """What it takes away (C9)."""
        plan = self.registry.plan if self.registry else CatalogPlan()
        successors = {row_id for row_id, _ in plan.successors}
        after = {row.id: row for row in self.before.workloads}
        after |= {write.change.after.id: write.change.after for write in self.change_set.workloads}
        deleted = {row.id for row in self.change_set.workloads_removed}
        return loss_of(
            entries=len(self.before.registry),
            removed=[row.name for row in plan.removed if row.id not in successors],
            before=self.before.workloads,
            after=[row for key, row in after.items() if key not in deleted],
            deleted=self.change_set.workloads_removed if self.workloads and self.workloads.listing.of_file else (),
        )

    def report(self, source: str) -> IngestReport:
        """What is done, as far as it is known once the texts are embedded."""
        registry = self.registry.report(self.change_set) if self.registry else None
        workloads = self.workloads.report(self.change_set) if self.workloads else None
        if registry is not None and workloads is None:
            registry = with_workload_failures(registry, self.change_set.workload_failures)
        return IngestReport(source=source, registry=registry, workloads=workloads, loss=self.loss)

    def settle_problems(self) -> None:
        """Put the problems to open and to close into the change set, once the texts are embedded."""
        results: list[tuple[list[Problem], list[Problem]]] = []
        if self.registry is not None:
            results.append(self.registry.problems(self.before, self.registry.report(self.change_set)))
        if self.workloads is not None:
            results.append(self.workloads.problems(self.before, self.change_set))
        else:
            failed = embedding_problems(self.change_set.workload_failures)
            results.append(([problem for problem in failed if problem not in self.before.problems], []))
        self.change_set.problems_opened = [problem for opened, _ in results for problem in opened]
        self.change_set.problems_closed = [problem for _, closed in results for problem in closed]


class IngestPlanner:
    """Plans ingestions."""

    def __init__(self, store: Store, writer: ChangeSetWriter, runtime: Runtime) -> None:
        self._store = store
        self._writer = writer
        self._runtime = runtime

    async def plan(
        self, connection: AsyncConnection, catalog: Catalog | None, choose_listing: ChooseListing
    ) -> IngestPlan:
        """Plan the registry first, then the workloads against what that leads to (L3)."""
        before = await self._store.state(connection)
        sealer = await sealer_of(connection)
        catalog = catalog and await asyncio.to_thread(sealer.catalog, catalog)
        registry = await self._registry(connection, catalog, before) if catalog is not None else None
        after = registry.after if registry else before
        listing = choose_listing(before)
        listing = listing and await asyncio.to_thread(sealer.listing, listing)
        earlier = {write.change.after.id: write.change for write in registry.change_set.workloads} if registry else {}
        workloads = await self._workloads(connection, listing, after, earlier) if listing is not None else None
        halves = [half.change_set for half in (registry, workloads) if half is not None]
        change_set = halves[0] if halves else ChangeSet(before.sequence, CAUSE)
        for later in halves[1:]:
            change_set = change_set.followed_by(later)
        return IngestPlan(before, registry, workloads, change_set)

    async def _registry(self, connection: AsyncConnection, catalog: Catalog, before: StoredState) -> RegistryHalf:
        unmasking = unmask_registry(catalog, before.registry, before.workloads, before.resolutions)
        before = before.unmasked(unmasking)
        resolutions = new_resolutions(catalog, before.resolutions)
        plan = reconcile(
            catalog,
            before.registry,
            resolutions={identity.key: name for identity, name in resolutions} | before.resolutions,
            linked_ids={row.registry_server_id for row in before.workloads if row.registry_server_id},
            claims=before.claims,
            aliases=before.aliases,
            new_id=self._runtime.new_id,
        )
        changes, admitted, notes = self._follow(plan, before, unmasking)
        change_set = await self._writer.prepare(
            connection,
            before.sequence,
            CAUSE,
            entries=plan.entries,
            registry_removed=plan.removed,
            changes=with_admitted(changes, admitted),
        )
        change_set.unmaskings = [unmasking]
        change_set.reclaimed = list(plan.reclaimed)
        change_set.notes = relation_lines(notes)
        change_set.resolutions = resolutions
        change_set.claims = None if before.claims == list(plan.claims) else plan.claims
        change_set.aliases = list(plan.aliases)
        after = change_set.applied_to(before)
        change_set.aliases += new_aliases(catalog, after.registry, after.aliases)
        return RegistryHalf(catalog, plan, change_set, after, changes, admitted)

    def _follow(
        self, plan: CatalogPlan, before: StoredState, unmasking: Unmasking
    ) -> tuple[tuple[WorkloadChange, ...], Sequence[WorkloadChange], Sequence[tuple[Workload, RelationChange]]]:
        """What follows for workloads: those that change, rejected ones taken in (M2), relations to be noted."""
        now = self._runtime.timestamp()
        followers = [row for row in before.workloads if row not in unmasking.mislinked]
        changes, notes = follow_catalog(plan, followers, now=now)
        changes += tuple(become_autonomous(row, Cause.IDENTITY_CHANGED, now=now) for row in unmasking.mislinked)
        index = RegistryIndex(rows_after(plan), plan.duplicates)
        admitted = admit(before.rejected, before.workloads, index, new_id=self._runtime.new_id, now=now)
        return changes, admitted, notes

    async def _workloads(
        self,
        connection: AsyncConnection,
        listing: WorkloadListing,
        before: StoredState,
        earlier: Mapping[str, WorkloadChange],
    ) -> WorkloadHalf:
        unmasking = unmask_workloads(listing, before.workloads, before.registry)
        before = before.unmasked(unmasking)
        listing = with_pending(listing, before.workloads)
        plan = plan_workloads(
            listing,
            before.workloads,
            before.index(),
            new_id=self._runtime.new_id,
            now=self._runtime.timestamp(),
        )
        change_set = await self._writer.prepare(
            connection,
            before.sequence,
            CAUSE,
            changes=[on_top_of(earlier.get(change.after.id), change) for change in plan.changes],
            workloads_removed=plan.removed,
        )
        change_set.unmaskings = [unmasking]
        return WorkloadHalf(listing, plan, before.workloads, change_set)
