"""From plans to rows: what is new is embedded first, then everything is written in one short transaction (S6).

Preparing needs no lock and may take long; applying holds the lock and does nothing but write.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from mcp_optimizer.db.change_log import Logged, Writing, last_change, record
from mcp_optimizer.db.engine import Database
from mcp_optimizer.db.engines import index_of
from mcp_optimizer.db.search_index import Side, server_words
from mcp_optimizer.db.store import Store, StoredState
from mcp_optimizer.db.tool_ops import EmbeddedTool, ToolOps
from mcp_optimizer.domain.definitions import first_definitions
from mcp_optimizer.domain.lifecycle import RelationChange, WorkloadChange, completed
from mcp_optimizer.domain.models import Alias, CatalogEntry, RegistryServer, StoredTool, ToolDefinition, Workload
from mcp_optimizer.domain.reconcile import CONTENT_FIELDS, Change, EntryPlan
from mcp_optimizer.domain.tool_plan import ToolPlan, plan_tools
from mcp_optimizer.domain.tool_text import server_text, text_hash, tools_digest
from mcp_optimizer.embedding_memory import Embedded, EmbeddingMemory
from mcp_optimizer.embeddings import Vector
from mcp_optimizer.embeddings.embedder import mean_vector
from mcp_optimizer.errors import StoreBusyError
from mcp_optimizer.surroundings import Surroundings
from mcp_optimizer.tokens import count_tokens

_ATTEMPTS: Final = 8

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RegistryWrite:
    """A registry server to be added or updated, with its tools."""

    plan: EntryPlan
    server: RegistryServer
    text: str
    tools: ToolPlan


@dataclass(frozen=True)
class WorkloadWrite:
    """A workload to be added or updated, with its tools."""

    change: WorkloadChange
    tools: ToolPlan
    first: Sequence[StoredTool] = ()
    """Tools as they were first seen, whose definition this replaces or removes."""

    @property
    def texts(self) -> list[str]:
        """Every text whose vector it rests on: its tools', and the one that stands for it when it has none."""
        bare = not self.change.after.linked and not self.tools.tools
        return [_toolless_text(self.change.after)] if bare else list(self.tools.texts.values())

    @property
    def needed_texts(self) -> list[str]:
        """The texts whose vectors are needed: of what changes; all, when its own embedding is their mean."""
        return self.tools.changed_texts if self.change.after.linked else self.texts

    def completed(self, *, embedded: bool) -> Workload:
        """The workload as it is stored; ``embedded`` false: some text could not be embedded."""
        return completed(self.change, [tool.definition for tool in self.tools.tools], embedded=embedded)


@dataclass
class Draft:
    """Everything one transaction will write. Empty: there is nothing to write."""

    registry: list[RegistryWrite] = field(default_factory=list)
    registry_removed: list[RegistryServer] = field(default_factory=list)
    workloads: list[WorkloadWrite] = field(default_factory=list)
    workloads_removed: list[Workload] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    embedded: Embedded = field(default_factory=Embedded)

    def texts(self) -> list[str]:
        """Every text whose vector is needed."""
        wanted: list[str] = []
        for item in self.registry:
            wanted += [item.text, *item.tools.changed_texts]
        for write in self.workloads:
            wanted += write.needed_texts
        return wanted

    @property
    def changed_tools(self) -> int:
        """How many tools of workloads get a new embedding."""
        return sum(len(write.tools.add) + len(write.tools.update) for write in self.workloads)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.registry or self.registry_removed or self.workloads or self.workloads_removed)

    def applied_to(self, state: StoredState, claims: Sequence[CatalogEntry]) -> StoredState:
        """What would be stored after this draft, as far as matching asks for it. For dry runs."""
        registry = {row.id: row for row in state.registry} | {item.server.id: item.server for item in self.registry}
        workloads = {row.id: row for row in state.workloads}
        workloads |= {write.change.after.id: write.completed(embedded=True) for write in self.workloads}
        gone = {row.id for row in (*self.registry_removed, *self.workloads_removed)}
        return replace(
            state,
            registry=[row for key, row in registry.items() if key not in gone],
            workloads=[row for key, row in workloads.items() if key not in gone],
            claims=list(claims),
            aliases=[*state.aliases, *self.aliases],
        )

    @property
    def registry_failures(self) -> dict[str, str]:
        """Names of registry servers some of whose texts could not be embedded, with the reason."""
        return self._failures((item.server.name, (item.text, *item.tools.changed_texts)) for item in self.registry)

    @property
    def workload_failures(self) -> dict[str, str]:
        """Names of workloads some of whose texts could not be embedded, with the reason (L7)."""
        return self._failures((write.change.after.name, write.texts) for write in self.workloads)

    def _failures(self, texts_by_name: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
        failed = self.embedded.failed
        return {name: failed[text] for name, texts in texts_by_name for text in texts if text in failed}


def _toolless_text(workload: Workload) -> str:
    """What stands for an autonomous workload without tools: there is no mean to take."""
    return server_text(name=workload.name, title="", description="", tags=())


class StalePlanError(Exception):
    """The store changed after the plan was made: it has to be made anew."""


async def until_applied[T](database: Database, attempt: Callable[[], Awaitable[T]]) -> T:
    """Plan and apply, anew whenever another process changed the store in between.

    What was embedded for one plan is remembered for the next, so planning anew costs little. When others never pause,
    the last plan is made while the write lock is held: then nothing can come in between. Raises StoreBusyError when
    the lock can't be had.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await attempt()
        except StalePlanError:
            log.info("the store changed while a plan was made; planning anew")
    log.info("others keep changing the store; planning while they wait")
    try:
        async with database.holding():
            return await attempt()
    except StalePlanError:
        raise StoreBusyError("the database changed though it was locked", remedy="try again") from None


class Writer:
    """Prepares and applies what plans ask for. Used by ingestions and by changes made by hand."""

    def __init__(self, store: Store, memory: EmbeddingMemory, surroundings: Surroundings) -> None:
        self._store = store
        self._memory = memory
        self._surroundings = surroundings

    async def draft(
        self,
        connection: AsyncConnection,
        *,
        entries: Sequence[EntryPlan] = (),
        registry_removed: Sequence[RegistryServer] = (),
        changes: Sequence[WorkloadChange] = (),
        workloads_removed: Sequence[Workload] = (),
        aliases: Sequence[Alias] = (),
    ) -> Draft:
        """What is to be written, with the stored tools of those servers (and only those) looked at."""
        draft = Draft(
            registry_removed=list(registry_removed),
            workloads_removed=list(workloads_removed),
            aliases=list(aliases),
        )
        changed = [plan for plan in entries if plan.change is not Change.UNCHANGED]
        rows = [plan.row.id for plan in changed if plan.row]
        stored = await self._store.registry_tools.of_servers(connection, rows)
        draft.registry = [self._registry_write(plan, stored) for plan in changed]
        ids = [change.before.id for change in changes if change.before]
        stored = await self._store.workload_tools.of_servers(connection, ids)
        draft.workloads = [self._workload_write(change, stored.get(change.after.id, [])) for change in changes]
        return draft

    def _registry_write(self, plan: EntryPlan, stored: dict[str, list[StoredTool]]) -> RegistryWrite:
        entry, row, now = plan.entry, plan.row, self._surroundings.timestamp()
        text = server_text(name=entry.name, title=entry.title, description=entry.description, tags=entry.tags)
        server = RegistryServer(
            id=row.id if row else self._surroundings.new_id(),
            name=entry.name,
            **{name: getattr(entry, name) for name in CONTENT_FIELDS},
            text_hash=text_hash(self._memory.model, text),
            tools_digest=tools_digest(entry.name, entry.tools),
            created_at=row.created_at if row else now,
            updated_at=now,
        )
        tools = self._plan_tools(server.id, server.name, stored.get(server.id, []), entry.tools)
        return RegistryWrite(plan=plan, server=server, text=text, tools=tools)

    def _workload_write(self, change: WorkloadChange, stored: list[StoredTool]) -> WorkloadWrite:
        wanted = [tool.definition for tool in stored] if change.tools is None else list(change.tools)
        if change.tools_partial:
            listed = {tool.name for tool in wanted}
            wanted += [tool.definition for tool in stored if tool.name not in listed]
        after = change.after
        tools = self._plan_tools(after.id, after.context_name, stored, wanted)
        return WorkloadWrite(change=change, tools=tools, first=first_definitions(stored, tools.update, tools.remove))

    def _plan_tools(
        self, server_id: str, context: str, stored: list[StoredTool], wanted: Sequence[ToolDefinition]
    ) -> ToolPlan:
        return plan_tools(
            server_id,
            context,
            stored,
            wanted,
            model=self._memory.model,
            new_id=self._surroundings.new_id,
            count_tokens=count_tokens,
        )

    async def missing_texts(self, draft: Draft) -> set[str]:
        """The texts that would be embedded, for a dry run."""
        return set(await self._memory.missing(draft.texts()))

    async def embed(self, draft: Draft, on_progress: Callable[[int, int], None] | None = None) -> None:
        """See that every vector the draft needs is remembered. Failing texts are noted in it (L7)."""
        draft.embedded = await self._memory.embed(draft.texts(), on_progress)

    @asynccontextmanager
    async def writing(self, sequence: int, run_id: str | None = None) -> AsyncGenerator[Writing]:
        """The write transaction for a plan made as of change ``sequence``. Raises StalePlanError when that is past."""
        async with self._store.database.writing() as connection:
            if await last_change(connection) != sequence:
                raise StalePlanError
            yield Writing(connection=connection, at=self._surroundings.timestamp(), run_id=run_id)

    async def apply(self, writing: Writing, draft: Draft, *, cause: str) -> None:
        """Write the draft. Workloads leave their registry servers before those are deleted (L4)."""
        registry = sum(len(item.tools.add) for item in draft.registry)
        workload = sum(len(item.tools.add) for item in draft.workloads)
        index = index_of(writing.connection)
        async with (
            index.filling(writing.connection, Side.REGISTRY, registry),
            index.filling(writing.connection, Side.WORKLOAD, workload),
        ):
            await self._apply(writing, draft, cause)

    async def _apply(self, writing: Writing, draft: Draft, cause: str) -> None:
        for write in draft.workloads:
            await self._apply_workload(writing, write, draft.embedded, cause)
        await self._let_go(writing, [row.name for row in draft.workloads_removed], cause)
        await self._store.workload_tools.remove_of_servers(writing, [row.id for row in draft.workloads_removed])
        await self._store.workloads.remove(writing, draft.workloads_removed, cause=cause)
        await self._store.registry_tools.remove_of_servers(writing, [row.id for row in draft.registry_removed])
        await self._store.registry_servers.remove(writing, draft.registry_removed, cause=cause)
        for item in draft.registry:
            await self._apply_registry(writing, item, draft.embedded, cause)
        for alias in draft.aliases:
            await self._store.registry_servers.add_alias(writing, alias)

    async def _let_go(self, writing: Writing, names: Sequence[str], cause: str) -> None:
        """What was first seen of workloads that go is kept for when they come back, unless a person deletes them."""
        if names and cause == "ingestion":
            await self._store.definitions.keep_of_workloads(writing, names)
        else:
            for name in names:
                await self._store.definitions.forget(writing, name)

    async def _apply_registry(self, writing: Writing, item: RegistryWrite, embedded: Embedded, cause: str) -> None:
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

    async def _apply_workload(self, writing: Writing, write: WorkloadWrite, embedded: Embedded, cause: str) -> None:
        change, tools = write.change, write.tools
        failed = [embedded.failed[text] for text in write.texts if text in embedded.failed]
        after = write.completed(embedded=not failed).model_copy(update={"updated_at": writing.at})
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
        """The remembered vectors, all but those that failed. Raises StalePlanError when others are gone by now."""
        vectors = await self._memory.recall(texts) if texts else {}
        if any(text not in vectors and text not in embedded.failed for text in texts):
            raise StalePlanError
        return vectors


def _own_vector(workload: Workload, tools: ToolPlan, vectors: Mapping[str, Vector]) -> Vector | None:
    """An autonomous workload's embedding: the mean of its tools' (L4)."""
    if not tools.tools:
        return vectors.get(_toolless_text(workload))
    return mean_vector([vectors[text] for text in tools.texts.values() if text in vectors])


async def _write_tools(
    writing: Writing, ops: ToolOps, server_name: str, tools: ToolPlan, vectors: Mapping[str, Vector]
) -> None:
    def with_vectors(items: Collection[StoredTool]) -> list[EmbeddedTool]:
        found = [(tool, vectors.get(tools.texts[tool.id])) for tool in items]
        return [
            EmbeddedTool(tool if vector is not None else tool.model_copy(update={"text_hash": ""}), vector)
            for tool, vector in found
        ]

    await ops.remove(writing, tools.remove)
    await ops.add(writing, server_name, with_vectors(tools.add))
    await ops.update(writing, server_name, with_vectors(tools.update))


def _said(plan: EntryPlan) -> str:
    row, entry = plan.row, plan.entry
    if row is None or plan.change is Change.UPDATED:
        return entry.identity.raw
    if plan.change is Change.RENAMED:
        return f"from {row.name} to {entry.name}"
    return f"from {row.identity.raw} to {entry.identity.raw}"


def _workload_log(write: WorkloadWrite, cause: str) -> list[Logged]:
    """The lines a change of a workload leaves in the change log: the row's own, and the relation's (L11)."""
    change, row = write.change, write.change.after
    operation = "added" if change.before is None else "updated"
    lines = [Logged("workload", row.id, row.name, operation, cause, row.identity.raw)]
    if change.relation is not None:
        relation = change.relation
        lines.append(Logged("workload", row.id, row.name, relation.operation, relation.cause, relation.detail))
    return lines


async def note_relations(writing: Writing, notes: Sequence[tuple[Workload, RelationChange]]) -> None:
    """Log changes of relation that change no row: drift that came or went."""
    await record(
        writing,
        [Logged("workload", row.id, row.name, note.operation, note.cause, note.detail) for row, note in notes],
    )
