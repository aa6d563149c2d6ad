"""A predecessor's database made one of this program: planned and embedded first, then written in one transaction.

The plan is that of an ingestion into an empty store, by the same planners and the same writer. The old tables stay,
under other names, until what was written has been compared with them; then they go, in the same transaction.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.credential_key import replace_key
from mcp_optimizer.db.embedding_cache import UnstoredEmbeddingCache, remember
from mcp_optimizer.db.logs import quarantine
from mcp_optimizer.db.logs.change_log import Logged, Writing, record
from mcp_optimizer.db.logs.problems import Problem
from mcp_optimizer.db.logs.quarantine import Quarantined
from mcp_optimizer.db.migrations import is_current, run_alembic
from mcp_optimizer.db.sqlite.driver import in_its_thread
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.domain.lifecycle import WorkloadsPlan, plan_workloads
from mcp_optimizer.domain.models import CatalogEntry, Cause
from mcp_optimizer.domain.progress import ProgressCallback
from mcp_optimizer.domain.reconcile import CatalogPlan, reconcile
from mcp_optimizer.domain.sealing import Sealer
from mcp_optimizer.domain.upgrade_report import OldTableCount
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.errors import EmbeddingError
from mcp_optimizer.legacy import OldDatabase, OldRow, drop_old, read_old, set_aside
from mcp_optimizer.legacy.compare import compare, keys_of_change_set
from mcp_optimizer.legacy.old_values import quarantined
from mcp_optimizer.legacy.placement import Placement, key_of, place
from mcp_optimizer.legacy.row_ids import KeptIds
from mcp_optimizer.operations.change_set import ChangeSet
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter
from mcp_optimizer.operations.ingest_report import registry_problems, registry_report, workload_problems

_NOTHING = StoredState(sequence=0, registry=[], workloads=[], claims=[], aliases=[], resolutions={}, problems=[])


@dataclass(frozen=True)
class ConversionPlan:
    """All that a conversion would do. ``refused``: every row without a place, those that matching rejects too."""

    old: OldDatabase
    placement: Placement
    catalog: CatalogPlan
    workloads: WorkloadsPlan
    change_set: ChangeSet
    refused: tuple[Quarantined, ...]
    counts: tuple[OldTableCount, ...]
    key: bytes = field(repr=False)
    """What credentials in URLs were hashed with; the new database gets it."""

    @property
    def linked(self) -> int:
        """Workloads that inherit from a registry server."""
        return sum(change.after.linked for change in self.workloads.changes)

    @property
    def texts(self) -> set[str]:
        """Every text that is embedded."""
        return set(self.change_set.texts())

    @property
    def problems(self) -> list[Problem]:
        """What stays open until the next ingestion: duplicates, rejected workloads, texts that were not embedded."""
        report = registry_report(self.catalog, self.placement.catalog, self.change_set.registry_failures)
        return [
            *registry_problems(self.catalog, report),
            *workload_problems(self.workloads, self.change_set.workload_failures),
        ]


class Conversion:
    """Converts one database."""

    def __init__(self, store: Store, embedder: Embedder, runtime: Runtime) -> None:
        self._store = store
        self._embedder = embedder
        self._runtime = runtime
        self._memory = UnstoredEmbeddingCache(store.database, embedder)
        self._writer = ChangeSetWriter(store, self._memory, runtime)

    async def plan(self, old: OldDatabase) -> ConversionPlan:
        """What becomes of ``old``. Reads nothing else and writes nothing."""
        now = self._runtime.timestamp()
        key = secrets.token_bytes(32)
        placement = place(old, now=now, sealer=Sealer(key))
        cached = KeptIds(placement)
        catalog = reconcile(placement.catalog, [])
        async with self._store.database.reading() as connection:
            registry = await self._writer.prepare(connection, 0, Cause.OLDER_DATABASE, entries=catalog.entries)
            registry.claims = catalog.claims or None
            registry.registry = [cached.registry(write) for write in registry.registry]
            index = registry.applied_to(_NOTHING).index()
            workloads = plan_workloads(placement.listing, [], index, new_id=self._runtime.new_id, now=now)
            workloads = workloads.model_copy(update={"changes": tuple(map(cached.change, workloads.changes))})
            matched = await self._writer.prepare(connection, 0, Cause.OLDER_DATABASE, changes=workloads.changes)
        matched.workloads = [cached.workload(write) for write in matched.workloads]
        refused = (*placement.quarantined, *_rejected(placement, workloads))
        chosen = {key_of(pair.entry) for pair in catalog.entries}
        shared = [entry for entry in catalog.claims if key_of(entry) not in chosen]
        counts = _counted(old, placement, refused, shared)
        change_set = registry.followed_by(matched)
        return ConversionPlan(old, placement, catalog, workloads, change_set, refused, counts, key)

    async def embed(self, plan: ConversionPlan, on_progress: ProgressCallback | None = None) -> int:
        """Fill in the vectors; how many were made. Raises EmbeddingError when none can be: then nothing is changed."""
        await self._memory.embed(plan.texts, on_progress)
        await self._writer.embed(plan.change_set)  # notes what failed
        failed = plan.change_set.embedded.failed
        if failed and not self._memory.made:
            raise EmbeddingError(f"nothing can be embedded: {next(iter(failed.values()))}; the database is as it was")
        return len(self._memory.made)

    async def apply(self, plan: ConversionPlan) -> bool:
        """Do it, in one transaction. False, and nothing is done: the database is not what the plan was made from."""
        model = (self._embedder.model, await self._embedder.dimension())
        async with self._store.database.writing() as connection:
            if await is_current(connection):
                return False
            if (await in_its_thread(connection, self._reader(plan))).fingerprint != plan.old.fingerprint:
                return False
            await in_its_thread(connection, lambda bare: set_aside(bare, plan.old.shape))
            await connection.run_sync(run_alembic, None, model)
            await replace_key(connection, plan.key)
            writing = Writing(connection, self._runtime.timestamp())
            await self._write(writing, plan)
            await compare(connection, plan.old, keys_of_change_set(plan.change_set, plan.refused), plan.counts)
            await in_its_thread(connection, lambda bare: drop_old(bare, plan.old.shape))
        return True

    async def _write(self, writing: Writing, plan: ConversionPlan) -> None:
        await remember(writing.connection, self._embedder.model, self._memory.made)
        plan.change_set.problems_opened = plan.problems
        await self._writer.write(writing, plan.change_set)
        described = [
            {"id": change.after.id, "description": words}
            for change in plan.workloads.changes
            if not change.after.linked and (words := plan.placement.descriptions.get(change.after.name))
        ]
        if described:  # what it can do says less than what it was described by
            await writing.connection.execute(
                text("UPDATE mcpservers_workload SET description = :description WHERE id = :id"), described
            )
        await quarantine.add(writing, plan.refused, new_id=self._runtime.new_id)
        words = ", ".join(f"{count.rows} {count.table}" for count in plan.counts)
        detail = f"{words}; {len(plan.refused)} without a place"
        await record(writing, [Logged("database", "", "", "upgraded", Cause.OLDER_DATABASE, detail)])

    @staticmethod
    def _reader(plan: ConversionPlan) -> Callable[[Any], OldDatabase]:
        return lambda bare: read_old(bare, plan.old.shape)


def _rejected(placement: Placement, plan: WorkloadsPlan) -> list[Quarantined]:
    """Rows of workloads that several entries claim (M2), with their tools where these are not the registry's too."""
    results: list[Quarantined] = []
    placed = {server.row.id for _, server in placement.entries.values()}
    for rejection in plan.rejected:
        _, server = placement.workloads[rejection.observed.name]
        rows: list[OldRow] = [server.row]
        if server.row.table != "mcpserver" or server.row.id not in placed:
            rows += [row for _, row in server.tools]
        results += [quarantined(row, rejection.reason) for row in rows]
    return results


def _counted(
    old: OldDatabase, placement: Placement, refused: tuple[Quarantined, ...], shared: list[CatalogEntry]
) -> tuple[OldTableCount, ...]:
    """What became of every row, table by table."""
    lost = {(row.origin, row.origin_id) for row in refused}
    beside = [placement.entries[key_of(entry)][1] for entry in shared]
    running = {(server.row.table, server.row.id) for _, server in placement.workloads.values()}
    doubled = {
        (row.table, row.id)
        for server in beside
        if (server.row.table, server.row.id) not in running
        for row in (server.row, *(row for _, row in server.tools))
    }
    rows = (*old.servers, *old.tools)
    return tuple(
        OldTableCount(
            table=table,
            rows=old.count(table),
            quarantined=sum((row.table, row.id) in lost for row in rows if row.table == table),
            shared=sum((row.table, row.id) in doubled - lost for row in rows if row.table == table),
            placed=sum((row.table, row.id) not in doubled | lost for row in rows if row.table == table),
        )
        for table in sorted({row.table for row in rows})
    )
