"""From plans to rows: plan, change set, embed, apply; all of a change set in one short transaction (S6, L12).

Preparing needs no lock and may take long; applying holds the lock and does nothing but write.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.clock import Runtime
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.dialects import index_of
from mcp_optimizer.db.embedding_cache import Embedded, EmbeddingCache
from mcp_optimizer.db.logs.change_log import Logged, Writing, last_change, record
from mcp_optimizer.db.logs.ingest_runs import record_run
from mcp_optimizer.db.logs.problems import open_and_close
from mcp_optimizer.db.search_index import Side, server_words
from mcp_optimizer.db.store import Store
from mcp_optimizer.db.tool_ops import EmbeddedTool, ToolOps
from mcp_optimizer.domain.lifecycle import WorkloadChange
from mcp_optimizer.domain.models import RegistryServer, StoredTool, ToolDefinition, Workload
from mcp_optimizer.domain.reconcile import CONTENT_FIELDS, Change, EntryPlan
from mcp_optimizer.domain.tools.definitions import first_definitions
from mcp_optimizer.domain.tools.plan import ToolPlan, plan_tools
from mcp_optimizer.domain.tools.text import server_text, text_hash, tools_digest
from mcp_optimizer.domain.vectors import Vector, mean_vector
from mcp_optimizer.errors import StoreBusyError
from mcp_optimizer.operations.change_set import ChangeSet, RegistryServerChange, WorkloadServerChange, toolless_text
from mcp_optimizer.tokens import count_tokens

_MAX_ATTEMPTS: Final = 8

log = structlog.get_logger(__name__)


class ConflictError(Exception):
    """The store changed after the plan was made: it has to be rebuilt."""


async def retry_on_conflict[T](database: Database, attempt: Callable[[], Awaitable[T]]) -> T:
    """Plan and apply, again whenever another process changed the store in between.

    What was embedded for one plan is remembered for the next, so planning again costs little. When others never pause,
    the last plan is made while the write lock is held: then nothing can come in between. Raises StoreBusyError when
    the lock can't be had.
    """
    for _ in range(_MAX_ATTEMPTS):
        try:
            return await attempt()
        except ConflictError:
            log.info("the store changed while a plan was made; planning again")
    log.info("others keep changing the store; planning while they wait")
    try:
        async with database.holding():
            return await attempt()
    except ConflictError:
        raise StoreBusyError("the database changed though it was locked", remedy="try again") from None


class ChangeSetWriter:
    """Prepares and applies what plans ask for. Used by ingestions and by changes made by hand."""

    def __init__(self, store: Store, memory: EmbeddingCache, runtime: Runtime) -> None:
        self._store = store
        self._memory = memory
        self._runtime = runtime

    async def prepare(
        self,
        connection: AsyncConnection,
        sequence: int,
        cause: str,
        *,
        entries: Sequence[EntryPlan] = (),
        registry_removed: Sequence[RegistryServer] = (),
        changes: Sequence[WorkloadChange] = (),
        workloads_removed: Sequence[Workload] = (),
    ) -> ChangeSet:
        """The rows of a change set, with the stored tools of those servers (and only those) looked at."""
        change_set = ChangeSet(
            sequence, cause, registry_removed=list(registry_removed), workloads_removed=list(workloads_removed)
        )
        changed = [plan for plan in entries if plan.change is not Change.UNCHANGED]
        rows = [plan.row.id for plan in changed if plan.row]
        stored = await self._store.registry_tools.of_servers(connection, rows)
        change_set.registry = [self._registry_write(plan, stored) for plan in changed]
        ids = [change.before.id for change in changes if change.before]
        stored = await self._store.workload_tools.of_servers(connection, ids)
        writes = [self._workload_write(change, stored.get(change.after.id, [])) for change in changes]
        change_set.workloads = [write for write in writes if not write.changes_nothing]
        return change_set

    def _registry_write(self, plan: EntryPlan, stored: dict[str, list[StoredTool]]) -> RegistryServerChange:
        entry, row, now = plan.entry, plan.row, self._runtime.timestamp()
        text = server_text(name=entry.name, title=entry.title, description=entry.description, tags=entry.tags)
        server = RegistryServer(
            id=plan.row_id or self._runtime.new_id(),
            name=entry.name,
            **{name: getattr(entry, name) for name in CONTENT_FIELDS},
            text_hash=text_hash(self._memory.model, text),
            tools_digest=tools_digest(entry.name, entry.tools),
            created_at=row.created_at if row else now,
            updated_at=now,
        )
        tools = self._plan_tools(server.id, server.name, stored.get(server.id, []), entry.tools)
        return RegistryServerChange(plan=plan, server=server, text=text, tools=tools)

    def _workload_write(self, change: WorkloadChange, stored: list[StoredTool]) -> WorkloadServerChange:
        target = [tool.definition for tool in stored] if change.tools is None else list(change.tools)
        if change.tools_partial:
            listed = {tool.name for tool in target}
            target += [tool.definition for tool in stored if tool.name not in listed]
        after = change.after
        tools = self._plan_tools(after.id, after.context_name, stored, target)
        return WorkloadServerChange(
            change=change, tools=tools, first=first_definitions(stored, tools.update, tools.remove)
        )

    def _plan_tools(
        self, server_id: str, context: str, stored: list[StoredTool], wanted: Sequence[ToolDefinition]
    ) -> ToolPlan:
        return plan_tools(
            server_id,
            context,
            stored,
            wanted,
            model=self._memory.model,
            new_id=self._runtime.new_id,
            count_tokens=count_tokens,
        )

    async def missing_texts(self, change_set: ChangeSet) -> set[str]:
        """The texts that would be embedded, for a dry run."""
        return set(await self._memory.missing(change_set.texts()))

    async def embed(self, change_set: ChangeSet, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See that every vector the change set needs is remembered. Failing texts are noted in it (L7)."""
        change_set.embedded = await self._memory.embed(change_set.texts(), on_progress)

    async def apply(self, change_set: ChangeSet) -> None:
        """Write all of it in one transaction (L12). Raises ConflictError when the store is not what it was."""
        async with self._store.database.writing() as connection:
            if await last_change(connection) != change_set.sequence:
                raise ConflictError
            run = change_set.run
            writing = Writing(connection, self._runtime.timestamp(), run.id if run else None)
            await self.write(writing, change_set)

    async def write(self, writing: Writing, change_set: ChangeSet) -> None:
        """Write all of it, inside a transaction of the caller's."""
        registry = sum(len(item.tools.add) for item in change_set.registry)
        workload = sum(len(item.tools.add) for item in change_set.workloads)
        index = index_of(writing.connection)
        async with (
            index.filling(writing.connection, Side.REGISTRY, registry),
            index.filling(writing.connection, Side.WORKLOAD, workload),
        ):
            await self._write_rows(writing, change_set)
        await self._write_beside(writing, change_set)

    async def _write_rows(self, writing: Writing, change_set: ChangeSet) -> None:
        """Workloads come to registry servers that are there, and leave those that go before they do (L4)."""
        store, cause = self._store, change_set.cause
        for unmasking in change_set.unmaskings:
            await store.unmask(writing, unmasking)
        for item in change_set.registry:
            if item.plan.row is None:
                await self._write_registry_server(writing, item, change_set.embedded, cause)
        await record(writing, change_set.notes_before)
        for write in change_set.workloads:
            await self._write_workload(writing, write, change_set.embedded, cause)
        await record(writing, change_set.notes)
        await self._let_go(writing, [row.name for row in change_set.workloads_removed], cause)
        await store.workload_tools.remove_of_servers(writing, [row.id for row in change_set.workloads_removed])
        await store.workloads.remove(writing, change_set.workloads_removed, cause=cause)
        await store.registry_tools.remove_of_servers(writing, [row.id for row in change_set.registry_removed])
        await store.registry_servers.remove(writing, change_set.registry_removed, cause=cause)
        for item in change_set.registry:  # they may take over what was just removed
            if item.plan.row is not None:
                await self._write_registry_server(writing, item, change_set.embedded, cause)
        await store.registry_servers.reclaim(writing, change_set.reclaimed, cause=cause)

    async def _write_beside(self, writing: Writing, change_set: ChangeSet) -> None:
        """What is recorded beside the rows."""
        servers = self._store.registry_servers
        for identity, name in change_set.resolutions:
            await servers.resolve(writing, identity, name)
        for alias in change_set.aliases:
            await servers.add_alias(writing, alias)
        if change_set.claims is not None:
            await servers.set_claims(writing, change_set.claims)
        for workload, tools in change_set.accepted.items():
            await self._store.definitions.forget(writing, workload, tools)
        new_id = self._runtime.new_id
        await open_and_close(writing, change_set.problems_opened, change_set.problems_closed, new_id=new_id)
        if (run := change_set.run) is not None:
            await record_run(
                writing,
                what=run.what,
                source=run.source,
                started_at=run.started_at,
                seconds=run.seconds,
                outcome=run.outcome,
                report=run.report,
                retention=self._store.retention,
            )

    async def _let_go(self, writing: Writing, names: Sequence[str], cause: str) -> None:
        """What was first seen of workloads that go is kept for when they come back, unless a person deletes them."""
        if names and cause == "ingestion":
            await self._store.definitions.keep_of_workloads(writing, names)
        else:
            for name in names:
                await self._store.definitions.forget(writing, name)

    async def _write_registry_server(
        self, writing: Writing, item: RegistryServerChange, embedded: Embedded, cause: str
    ) -> None:
        vectors = await self._vectors([item.text, *item.tools.changed_texts], embedded)
        whole = item.text in vectors and not any(text in embedded.failed for text in item.tools.changed_texts)
        server = item.server if whole else item.server.model_copy(update={"text_hash": "", "tools_digest": ""})
        vector = vectors.get(item.text)
        row = item.plan.row
        if row is None:
            await self._store.registry_servers.add(writing, server, vector, cause=cause)
        else:
            change = Logged("registry", row.id, server.name, item.plan.change, cause, _said(item.plan))
            await self._store.registry_servers.update(writing, server, vector, change=change)
        await _write_tools(writing, self._store.registry_tools, server.name, item.tools, vectors)

    async def _write_workload(
        self, writing: Writing, write: WorkloadServerChange, embedded: Embedded, cause: str
    ) -> None:
        change, tools = write.change, write.tools
        failed = [embedded.failed[text] for text in write.texts if text in embedded.failed]
        after = write.finalize(embedded=not failed).model_copy(update={"updated_at": writing.at})
        if failed:
            after = after.model_copy(update={"status": "error", "status_reason": f"embedding failed: {failed[0]}"})
        vectors = await self._vectors(write.needed_texts, embedded)
        vector = None if after.linked else _own_vector(after, tools, vectors)
        logged = _workload_log(write, cause)
        if change.before is None:
            await self._store.workloads.add(writing, after, vector, changes=logged)
        else:
            await self._store.workloads.update(writing, after, vector, changes=logged)
        name = server_words(after.name, after.context_name)
        await self._store.definitions.keep_first(writing, after.name, write.first)
        await _write_tools(writing, self._store.workload_tools, name, tools, vectors)
        added = {tool.id for tool in tools.add}
        await self._store.definitions.note_invisible(writing, (*tools.add, *tools.update), added=added)

    async def _vectors(self, texts: Sequence[str], embedded: Embedded) -> dict[str, Vector]:
        """The remembered vectors, all but those that failed. Raises ConflictError when others are gone by now."""
        vectors = await self._memory.recall(texts) if texts else {}
        if any(text not in vectors and text not in embedded.failed for text in texts):
            raise ConflictError
        return vectors


def _own_vector(workload: Workload, tools: ToolPlan, vectors: Mapping[str, Vector]) -> Vector | None:
    """An autonomous workload's embedding: the mean of its tools' (L4)."""
    if not tools.tools:
        return vectors.get(toolless_text(workload))
    return mean_vector([vectors[text] for text in tools.texts.values() if text in vectors])


async def _write_tools(
    writing: Writing, ops: ToolOps, server_name: str, tools: ToolPlan, vectors: Mapping[str, Vector]
) -> None:
    def with_vectors(items: Collection[StoredTool]) -> list[EmbeddedTool]:
        results = [(tool, vectors.get(tools.texts[tool.id])) for tool in items]
        return [
            EmbeddedTool(tool if vector is not None else tool.model_copy(update={"text_hash": ""}), vector)
            for tool, vector in results
        ]

    await ops.remove(writing, tools.remove)
    await ops.add(writing, server_name, with_vectors(tools.add))
    await ops.update(writing, server_name, with_vectors(tools.update))


def _said(plan: EntryPlan) -> str:
    row, entry = plan.row, plan.entry
    if row is None or plan.change is Change.UPDATED:
        return entry.identity.raw
    if plan.change is Change.RENAMED:
        moved = "" if row.identity.key == entry.identity.key else f", now {entry.identity.raw}"
        return f"from {row.name} to {entry.name}{moved}"
    return f"from {row.claimed.raw} to {entry.identity.raw}"


def _workload_log(write: WorkloadServerChange, cause: str) -> list[Logged]:
    """The lines a change of a workload leaves in the change log: the row's own, and the relation's (L11)."""
    change, row = write.change, write.change.after
    operation = "added" if change.before is None else "updated"
    lines = [Logged("workload", row.id, row.name, operation, cause, row.identity.raw if row.identity else "")]
    if change.relation is not None:
        relation = change.relation
        lines.append(Logged("workload", row.id, row.name, relation.operation, relation.cause, relation.detail))
    return lines
