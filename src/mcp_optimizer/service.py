"""The one door between the faces and everything else."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog

from mcp_optimizer.clock import Runtime
from mcp_optimizer.config import Settings
from mcp_optimizer.db.database import Database
from mcp_optimizer.db.embedding_cache import EmbeddingCache
from mcp_optimizer.db.logs import change_log, problems, quarantine
from mcp_optimizer.db.logs import ingest_runs as run_log
from mcp_optimizer.db.migrations import check_model
from mcp_optimizer.db.store import Store
from mcp_optimizer.domain.history.comparison import Comparison
from mcp_optimizer.domain.lookup import find_registry_server
from mcp_optimizer.domain.loss import Loss
from mcp_optimizer.domain.matching import Explanation, explain
from mcp_optimizer.domain.models import StoredTool
from mcp_optimizer.domain.progress import CallProgressCallback, ProgressCallback
from mcp_optimizer.domain.reports import (
    AcceptReport,
    CheckReport,
    DeletionReport,
    IngestPart,
    IngestProgress,
    IngestReport,
    InstallReport,
    RelationReport,
    ResolutionReport,
    SnapshotReport,
)
from mcp_optimizer.domain.search.learning import ForgetReport, LearnReport
from mcp_optimizer.domain.search.queries import QueryRecord, QueryView
from mcp_optimizer.domain.serving.agent_visibility import AgentVisibility
from mcp_optimizer.domain.serving.presence import PollView, ServerView
from mcp_optimizer.domain.tools.calls import CallPeer, RawResult
from mcp_optimizer.domain.upgrade_report import (
    BackupReport,
    CopyReport,
    QuarantinedContent,
    ReindexReport,
    UpgradeReport,
)
from mcp_optimizer.domain.vectors import Embedder
from mcp_optimizer.domain.views import (
    ChangeView,
    CountedHits,
    OfferedTool,
    Overview,
    ProblemView,
    RegistryServerDetail,
    RegistryServerView,
    RunView,
    SavedQuery,
    SavedResult,
    SearchHit,
    SearchQuery,
    ServerHit,
    WhyNot,
    WorkloadDetail,
    WorkloadView,
)
from mcp_optimizer.embeddings import open_embedder
from mcp_optimizer.errors import LearningOffError, NotFoundError, ReadOnlyError, TooSlowError
from mcp_optimizer.maintenance import embedding_damage
from mcp_optimizer.maintenance.backup import back_up
from mcp_optimizer.maintenance.check import check, reindex
from mcp_optimizer.maintenance.copy import copy
from mcp_optimizer.maintenance.reembed import Reembedder
from mcp_optimizer.maintenance.upgrade import Upgrader
from mcp_optimizer.operations.accept_tools import AcceptTools
from mcp_optimizer.operations.call_tool import ToolCaller
from mcp_optimizer.operations.change_set_writer import ChangeSetWriter
from mcp_optimizer.operations.delete import Deleter
from mcp_optimizer.operations.export_snapshot import export_snapshot
from mcp_optimizer.operations.ingest import Ingestion
from mcp_optimizer.operations.install import Installer
from mcp_optimizer.operations.polling import OnPoll, Poller, poll_store
from mcp_optimizer.operations.relations import RelationEditor
from mcp_optimizer.read_model.change_feed import watch
from mcp_optimizer.read_model.presence import ServerHeartbeats
from mcp_optimizer.read_model.query_log import QueryLog
from mcp_optimizer.read_model.view_builder import ViewBuilder
from mcp_optimizer.read_model.visible_tools import VisibleTools, running_names, visible_tools
from mcp_optimizer.search import FixedOrder, Learning, Search, check_saved, search_servers, why_not
from mcp_optimizer.sources.base import Source

_OVERVIEW_ROWS: Final = 8

type CountedSearch = Callable[[SearchQuery], Awaitable[CountedHits]]
type SearchDispatch = Callable[[SearchQuery, CountedSearch], Awaitable[CountedHits]]

log = structlog.get_logger(__name__)


class DataService:
    """Everything the program can do, as an async API. Open it with ``async with``, inside the running loop.

    Reading methods see what is stored at that moment, also what another process has written. Mutating ones raise
    ReadOnlyError when the service was opened read-only. All raise OptimizerError subclasses with a message (and
    ``remedy``) that may be shown.

    ``single_threaded``: for a process whose loop has nothing else to do meanwhile. Single texts are embedded, and
    SQLite is read, in the thread that asks: quicker by the ways to other threads, but nothing can be cancelled.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool = False,
        single_threaded: bool = False,
        embedder: Embedder | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.settings = settings
        self.read_only = read_only
        self.runtime = runtime or Runtime()
        self.embedder = embedder or open_embedder(settings, single_threaded=single_threaded)
        self.store = Store(
            Database(settings.database_url(), busy_timeout=settings.busy_timeout, single_threaded=single_threaded),
            settings.retention(),
        )
        memory = EmbeddingCache(self.store.database, self.embedder)
        writer = ChangeSetWriter(self.store, memory, self.runtime)
        self._ingestion = Ingestion(self.store, writer, self.runtime)
        self._deletion = Deleter(self.store, writer, self.runtime)
        self._relating = RelationEditor(self.store, writer, self.runtime)
        self._accepting = AcceptTools(self.store, writer)
        self._calling = ToolCaller(self.store, settings)
        self._installing = Installer(self.store, settings)
        self._queries = QueryLog(
            self.store.database, self.runtime, self.store.retention, calls=settings.search_learning
        )
        self.presence = ServerHeartbeats(self.store.database, self.runtime)
        self._search = Search(
            self.store,
            self.embedder,
            memory=settings.search_memory_mb * 1024 * 1024,
            single_threaded=single_threaded,
            order=None if settings.search_learning else FixedOrder(None),
        )
        self._learning = Learning(self.store, self.embedder, self._search, self.runtime)
        self._upgrading = Upgrader(self.store, self.embedder, self.runtime)
        self.upgraded: UpgradeReport | None = None
        """What opening did to the database, where it was not up to date."""
        self._view_builder_lock = asyncio.Lock()
        self._cached_view_builder: ViewBuilder | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> UpgradeReport:
        """Open the database, making or upgrading it where needed; what was done. Raises StoreError.

        A service that is opened read-only makes a database, but upgrades none: that raises ReadOnlyError.
        """
        database = self.store.database
        await database.open()
        try:
            report = await self._upgraded()
            await check_model(database, self.embedder)
        except BaseException:
            await database.close()
            raise
        return report

    async def _upgraded(self, on_progress: ProgressCallback | None = None) -> UpgradeReport:
        if self.read_only:
            preview = await self._upgrading.run(dry_run=True)
            if preview.done and preview.shape != "empty":
                self._refuse_read_only(f"open a database that has to be upgraded first ({'; '.join(preview.done)})")
        report = await self._upgrading.run(on_progress=on_progress)
        if report.done and report.shape != "empty":
            self.upgraded = report
            log.warning("the database was upgraded", **report.facts)
        return report

    async def close(self) -> None:
        """Close every connection."""
        await self._ingestion.close()
        await self._calling.close()
        await self._queries.close()
        await self._search.close()
        await self.store.database.close()

    # Reading

    async def overview(self) -> Overview:
        """Every count of the first screen, the last runs and the open problems."""
        async with self.store.database.reading() as connection:
            runs = await run_log.latest_runs(connection, _OVERVIEW_ROWS)
            result = await problems.views(connection, include_closed=False, limit=_OVERVIEW_ROWS)
        view_builder = await self._view_builder()
        result = [*view_builder.suspicions(), *result, *view_builder.disagreements()][:_OVERVIEW_ROWS]
        value = view_builder.overview(runs, result, database=self.store.database.label, model=self.embedder.model)
        return value.model_copy(update={"servers": tuple(await self.running_servers())})

    async def registry_servers(self) -> list[RegistryServerView]:
        """All registry servers, by name."""
        view_builder = await self._view_builder()
        return view_builder.registry_servers()

    async def registry_server(self, name: str) -> RegistryServerDetail:
        """One registry server, by name, identity or id. Raises NotFoundError, AmbiguousError."""
        view_builder = await self._view_builder()
        row = find_registry_server(view_builder.state.registry, name)
        async with self.store.database.reading() as connection:
            tools = await self.store.registry_tools.of_server(connection, row.id)
        return view_builder.registry_detail(row, tools)

    async def workloads(self) -> list[WorkloadView]:
        """All workloads, rejected ones included, by name."""
        view_builder = await self._view_builder()
        return view_builder.workloads()

    async def workload(self, name: str) -> WorkloadDetail:
        """One workload. Raises NotFoundError."""
        view_builder = await self._view_builder()
        row = next((row for row in view_builder.state.workloads if row.name == name), None)
        if row is None:
            rejected = view_builder.rejected_detail(name)
            if rejected is None:
                raise NotFoundError(f"no workload named {name}", remedy="`workload list` shows all")
            return rejected
        async with self.store.database.reading() as connection:
            tools = await self.store.workload_tools.of_server(connection, row.id)
            catalog_tools: list[StoredTool] = []
            if row.registry_server_id is not None:
                catalog_tools = await self.store.registry_tools.of_server(connection, row.registry_server_id)
            accepted = await self.store.definitions.accepted(connection, name)
        first = {tool: details for tool, (details, _) in accepted.items()}
        return view_builder.workload_detail(row, tools, catalog_tools, first)

    async def explain(self, name: str) -> Explanation:
        """Why this workload inherits from the entry it does, or from none (M5). Raises NotFoundError."""
        view_builder = await self._view_builder(counts=False)
        subject = view_builder.subject(name)
        if subject is None:
            raise NotFoundError(f"no workload named {name}", remedy="`workload list` shows all")
        async with self.store.database.reading() as connection:
            history = await change_log.relation_history(connection, name)
        return explain(subject, view_builder.index).model_copy(update={"history": tuple(history)})

    async def search(self, query: SearchQuery) -> list[SearchHit]:
        """Hybrid search over tools (Q1-Q4). Cancelling the task stops the query. Raises TooSlowError."""
        async with self._search_in_time():
            return await self._search.run(query)

    async def search_why(self, query: SearchQuery, server: str, tool: str) -> WhyNot:
        """Why a search finds a server's tool where it does, or not at all (Q3)."""
        async with self._search_in_time():
            return await why_not(self.store, self._search, query, server, tool)

    async def search_servers(self, text: str, limit: int = 10) -> list[ServerHit]:
        """Which registry servers are best for a task: by what they say of themselves, and by their tools."""
        async with self._search_in_time():
            return await search_servers(self.store, self._search, text, limit)

    async def search_saved(self, saved: Sequence[SavedQuery]) -> list[SavedResult]:
        """At which places the right answers of saved queries are found now."""
        return await check_saved(self._search, saved)

    async def search_counted(self, query: SearchQuery, dispatch: SearchDispatch | None = None) -> CountedHits:
        """:meth:`search` and :meth:`search_tokens` of one state of the store, for less than the two.

        ``dispatch`` decides where it is searched; it is given what searches here. The time is limited all the same.
        """
        async with self._search_in_time():
            here = self._search.counted
            return await (here(query) if dispatch is None else dispatch(query, here))

    async def warm_up(self) -> None:
        """Have at hand what the first searches would wait for: the model, then the vectors. Raises what they raise."""
        for _ in range(2):
            await self.search_counted(SearchQuery(text="ready"))

    async def search_tokens(self, query: SearchQuery) -> int:
        """Tokens of all tools that the query's scope and filters let through; a search saves of these."""
        async with self._search_in_time():
            return await self._search.baseline(query)

    @asynccontextmanager
    async def _search_in_time(self) -> AsyncGenerator[None]:
        """A block that searches; one that takes too long is ended, its query too. Raises TooSlowError."""
        seconds = self.settings.search_timeout
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise TooSlowError(
                f"the search took longer than {seconds:g} s and was ended", remedy="set search_timeout to more seconds"
            ) from None

    async def offered_tools(self, query: SearchQuery, *, most: int) -> list[OfferedTool]:
        """Every tool that the query's scope and filters let through, by server and name. Raises TooManyError."""
        return await self._search.every(query, most=most)

    async def groups(self) -> list[str]:
        """The workloads' groups, sorted."""
        async with self.store.database.reading() as connection:
            return sorted({row.group for row in await self.store.workloads.all(connection) if row.group})

    async def runs(self, limit: int = 50) -> list[RunView]:
        """The last ingestions, newest first."""
        async with self.store.database.reading() as connection:
            return await run_log.latest_runs(connection, limit)

    async def problems(self, *, include_closed: bool = False, limit: int = 500) -> list[ProblemView]:
        """Problems of single items, the open ones first, then the newest; disagreeing provenance among them."""
        async with self.store.database.reading() as connection:
            result = await problems.views(connection, include_closed=include_closed, limit=limit)
        view_builder = await self._view_builder(counts=False)
        present = [*view_builder.suspicions(), *view_builder.disagreements()]
        return sorted([*present, *result], key=lambda problem: not problem.open)[:limit]

    async def changes(self, limit: int = 200) -> list[ChangeView]:
        """The last lines of the change log, newest first."""
        async with self.store.database.reading() as connection:
            return await change_log.latest(connection, limit)

    async def compare(self, before: str, after: str = "now") -> Comparison:
        """What differs between two of: a snapshot or catalog file, ``now``, ``yesterday``, a time in ISO 8601."""
        comparing = await asyncio.to_thread(
            importlib.import_module, "mcp_optimizer.operations.compare"
        )  # takes a second
        return await comparing.StateComparer(self.store, self.settings, self.runtime).compare(before, after)

    # Changing

    async def ingest(
        self,
        part: IngestPart,
        sources: Sequence[str | None] = (None,),
        *,
        dry_run: bool = False,
        allow_loss: bool | Loss = False,
        wait: bool = True,
        on_progress: Callable[[IngestProgress], None] | None = None,
    ) -> list[IngestReport]:
        """Ingest from each source in turn (None: default). Cancelling the task stops it and leaves the store whole.

        Raises LargeLossError where one would take away much (C9), unless ``allow_loss`` is true, or a loss that was
        shown and covers it. ``wait`` for MCP servers that are slow to list their tools; else they come in later.
        """
        locate = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.open_source")  # takes a second
        reports: list[IngestReport] = []
        for named in sources:
            source = locate.open_source(named, self.settings)
            reports += await self.ingest_from(
                part, source, dry_run=dry_run, allow_loss=allow_loss, wait=wait, on_progress=on_progress
            )
        return reports

    async def ingest_from(
        self,
        part: IngestPart,
        source: Source,
        *,
        dry_run: bool = False,
        allow_loss: bool | Loss = False,
        wait: bool = True,
        on_progress: Callable[[IngestProgress], None] | None = None,
    ) -> list[IngestReport]:
        """Like :meth:`ingest`, from a source that is open already."""
        if not dry_run:
            self._refuse_read_only("ingest")
        report = await self._ingestion.run(
            part, source, dry_run=dry_run, allow_loss=allow_loss, wait=wait, on_progress=on_progress
        )
        return [report]

    async def ingest_document(
        self, location: str, *, on_progress: Callable[[IngestProgress], None] | None = None
    ) -> IngestReport:
        """Ingest a snapshot or catalog as it stands: no MCP server that it names is asked for anything."""
        locate = await asyncio.to_thread(importlib.import_module, "mcp_optimizer.sources.open_source")  # takes a second
        source = locate.DocumentSource(location, self.settings, ask_servers=False)
        (report,) = await self.ingest_from(IngestPart.ALL, source, on_progress=on_progress)
        return report

    async def delete_registry_servers(self, names: Sequence[str], *, dry_run: bool = False) -> DeletionReport:
        """Delete registry servers from this database; workloads linked to them become autonomous (L4, L10)."""
        if not dry_run:
            self._refuse_read_only("delete registry servers")
        return await self._deletion.registry_servers(names, dry_run=dry_run)

    async def delete_workloads(self, names: Sequence[str], *, dry_run: bool = False) -> DeletionReport:
        """Delete workloads from this database; what the source still lists comes back (L10)."""
        if not dry_run:
            self._refuse_read_only("delete workloads")
        return await self._deletion.workloads(names, dry_run=dry_run)

    async def rematch(self, names: Sequence[str] | None = None, *, dry_run: bool = False) -> RelationReport:
        """Match workloads again, or all of them (None). Gives relations, takes none away (L3)."""
        if not dry_run:
            self._refuse_read_only("re-match workloads")
        return await self._relating.rematch(names, dry_run=dry_run)

    async def link(self, name: str, registry_server: str, *, dry_run: bool = False) -> RelationReport:
        """Tie a workload to a registry server of its kind by hand (L5)."""
        if not dry_run:
            self._refuse_read_only("link workloads")
        return await self._relating.link(name, registry_server, dry_run=dry_run)

    async def unlink(self, names: Sequence[str], *, dry_run: bool = False) -> RelationReport:
        """Make workloads autonomous by hand (L5)."""
        if not dry_run:
            self._refuse_read_only("unlink workloads")
        return await self._relating.unlink(names, dry_run=dry_run)

    async def resolve(self, identity: str, name: str, *, dry_run: bool = False) -> ResolutionReport:
        """Choose the entry that counts among those that claim an identity (M3)."""
        if not dry_run:
            self._refuse_read_only("resolve duplicates")
        return await self._relating.resolve(identity, name, dry_run=dry_run)

    async def accept(self, name: str, tools: Sequence[str] | None = None, *, dry_run: bool = False) -> AcceptReport:
        """Accept changed definitions of a workload's tools, or of these: what they say now counts as first seen."""
        if not dry_run:
            self._refuse_read_only("accept changed tools")
        return await self._accepting.accept(name, tools, dry_run=dry_run)

    def _refuse_read_only(self, action: str) -> None:
        if self.read_only:
            raise ReadOnlyError(f"can't {action}: opened read-only", remedy="open it without --read-only")

    async def export_snapshot(self, path: Path) -> SnapshotReport:
        """Write all that is stored to a file that another person's program opens to the same explanations (S7)."""
        return await export_snapshot(self.store, path)

    # Learning

    async def learn(self, *, saved: Sequence[SavedQuery] = (), dry_run: bool = False) -> LearnReport:
        """Learn the order of tools from what agents called after asking; used where held-out queries find more.

        Raises LearningOffError where the setting is off. ``saved``: queries whose answers must not be lost.
        """
        if not self.settings.search_learning:
            raise LearningOffError("learning from use is off", remedy="set search_learning to true")
        if not dry_run:
            self._refuse_read_only("learn")
        await self._queries.flush()
        return await self._learning.run(saved=saved, dry_run=dry_run)

    async def forget_learned(self, *, dry_run: bool = False) -> ForgetReport:
        """Forget what was learned, and the calls it was learned from: the order is the plain one again."""
        if not dry_run:
            self._refuse_read_only("forget")
        await self._queries.flush()
        return await self._learning.forget(dry_run=dry_run)

    async def is_learning_due(self) -> bool:
        """Whether so many calls are new that a server should learn."""
        return self.settings.search_learning and await self._learning.is_due()

    async def last_learned(self) -> LearnReport | None:
        """How the last learning went; None where there was none."""
        return await self._learning.last_report()

    # Keeping

    async def upgrade(self, *, dry_run: bool = False, on_progress: ProgressCallback | None = None) -> UpgradeReport:
        """Bring the database to the program's revision, or say what that would do. Needs no :meth:`open`."""
        preview = self._upgrading.preview_of_missing() if dry_run else None
        if preview is not None:
            return preview
        if not dry_run:
            self._refuse_read_only("upgrade")
        database = self.store.database
        await database.open()
        try:
            return await (self._upgrading.run(dry_run=True) if dry_run else self._upgraded(on_progress))
        finally:
            await database.close()

    async def backup(self, path: Path) -> BackupReport:
        """Copy the database to a new file, compared table by table. Needs no :meth:`open`, and upgrades nothing."""
        return await back_up(self.store.database.path, path)

    async def copy_to(self, url: str) -> CopyReport:
        """Copy everything to an empty database, of either engine, and compare. Needs no :meth:`open`."""
        start = self.runtime.monotonic()
        report = await copy(self.store.database, Database(url, busy_timeout=self.settings.busy_timeout))
        return report.model_copy(update={"seconds": round(self.runtime.monotonic() - start, 3)})

    async def quarantined(self) -> list[QuarantinedContent]:
        """Rows of an older database that had no place, as they were."""
        async with self.store.database.reading() as connection:
            return await quarantine.contents(connection)

    async def check(self) -> CheckReport:
        """Prove that the core tables keep the rules, and that the search tables agree with them (S3)."""
        return await check(self.store)

    async def reindex(self, on_progress: ProgressCallback | None = None) -> ReindexReport:
        """Rebuild the search index from the core tables. What can't be an embedding is re-embedded before."""
        self._refuse_read_only("reindex")
        async with self.store.database.reading() as connection:
            wrong = await embedding_damage.damaged(connection)
        embedded = 0
        if wrong:
            async with self.store.database.writing() as connection:
                await embedding_damage.forget_damaged(connection)
            embedded = await Reembedder(self.store, self.embedder, self.runtime).run(on_progress)
        return ReindexReport(indexed=await reindex(self.store), damaged=wrong, embedded_texts=embedded)

    async def reembed(self, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Re-embed everything with the settings' model, and search with that from then on; the number of texts
        embedded now. Needs no :meth:`open`, which refuses a store of another model (E3)."""
        self._refuse_read_only("re-embed")
        database = self.store.database
        await database.open()
        try:
            await self._upgraded()
            return await Reembedder(self.store, self.embedder, self.runtime).run(on_progress)
        finally:
            await database.close()

    async def doctor(self) -> CheckReport:
        """What works here and what does not, each with its remedy."""
        from mcp_optimizer.maintenance.doctor import examine  # noqa: PLC0415 (it looks for ToolHive: imports as above)

        return await examine(self.settings, self.embedder)

    # Serving

    async def call_tool(
        self,
        server: str,
        tool: str,
        parameters: dict[str, Any],
        *,
        meta: Mapping[str, Any] | None = None,
        on_progress: CallProgressCallback | None = None,
        peer: CallPeer | None = None,
        visibility: AgentVisibility | None = None,
    ) -> RawResult:
        """The tool's own result as it came, also where that is an error, limited by ``max_tool_response_tokens``.

        ``meta`` is passed on to the server; ``peer`` is who made the call, and what its server may ask of it.

        Raises NotFoundError (no such server that agents see, not running, no such tool) and CallError (unreachable, an
        address that is refused, out of time, refused by the server). Cancelling the task cancels the call there.
        ``visibility``: what the caller may see, where that is less than the settings say.
        """
        return await self._calling.call(
            server, tool, parameters, meta=meta, on_progress=on_progress, peer=peer, visibility=visibility
        )

    def tell_of_tool_changes(self, told: Callable[[str], None]) -> None:
        """Have the endpoint told of every server that says, while a connection is kept, that its tools changed."""
        self._calling.on_tools_changed = told

    async def install_server(self, name: str) -> InstallReport:
        """Have ToolHive start a server of the registry; it is in the store after the next ingestion.

        Raises NotFoundError, ReadOnlyError (opened read-only, installing is off, on Kubernetes) and SourceError.
        """
        self._refuse_read_only("install servers")
        return await self._installing.install(name)

    def polling(self, source: str | Source | None = None, *, on_poll: OnPoll | None = None) -> Poller:
        """What ingests again and again: from ToolHive or Kubernetes (None, as the settings say), or from a source."""
        self._refuse_read_only("poll")
        self._calling.source = source
        return poll_store(self.store, self._ingestion, self.settings, self.runtime, source=source, on_poll=on_poll)

    def note_query(self, record: QueryRecord) -> None:
        """Have an answered query stored soon (see ``domain.queries.query_record``); no request waits for it."""
        if not self.read_only:
            self._queries.note(record)

    def note_call(self, session: str, server: str, tool: str) -> None:
        """Have noted that a session called a tool with success; it counts where a query of the session offered it."""
        if not self.read_only:
            self._queries.note_call(session, server, tool)

    async def recent_queries(self, limit: int = 100) -> list[QueryView]:
        """The last queries that running servers answered, newest first."""
        return await self._queries.recent(limit)

    async def announce_server(self, *, address: str, transport: str) -> ServerView:
        """Say that a server runs in this process; see ``presence.kept`` for all of it in one block."""
        return await self.presence.announce(address=address, transport=transport)

    async def heartbeat(self, server: ServerView, polls: Sequence[PollView] = ()) -> None:
        """Say that it still runs, every ``HEARTBEAT_SECONDS``, and how its polls went."""
        await self.presence.beat(server, polls)

    async def withdraw_server(self, server: ServerView) -> None:
        """Say that it has ended."""
        await self.presence.withdraw(server)

    async def running_servers(self) -> list[ServerView]:
        """The servers that run on this database, in whatever process; without a fresh heartbeat one does not."""
        return await self.presence.running()

    # Watching

    async def running_workloads(self, visibility: AgentVisibility) -> list[str]:
        """The names of the running workloads that a caller sees, sorted."""
        return await running_names(self.store, visibility)

    async def visible_tools(self, exposures: list[AgentVisibility]) -> list[VisibleTools]:
        """What each of these callers would find now; it differs when their tools do."""
        return await visible_tools(self.store, exposures)

    def watch(self, interval: float = 0.5) -> AsyncGenerator[list[ChangeView]]:
        """Batches of changes as they are committed, by this process or another. Never ends by itself."""
        return watch(self.store.database, interval=interval)

    async def _view_builder(self, *, counts: bool = True) -> ViewBuilder:
        """The stored state with its indexes, for making views; without ``counts`` tools are not counted.

        One with counts is kept until a change is logged, by whomever.
        """
        async with self._view_builder_lock, self.store.database.reading() as connection:
            cached = self._cached_view_builder
            if cached is not None and cached.state.sequence == await change_log.last_change(connection):
                return cached
            instance = ViewBuilder(
                await self.store.state(connection),
                await self.store.registry_tools.counts(connection) if counts else {},
                await self.store.workload_tools.counts(connection) if counts else {},
                await self.store.definitions.suspects(connection),
            )
            if counts:
                self._cached_view_builder = instance
        return instance
