"""A DataService in memory: the same methods, made of views, that can fail, stall and be changed by a test."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcp_optimizer.domain.loss import Loss
from mcp_optimizer.domain.matching import Explanation
from mcp_optimizer.domain.models import Relation
from mcp_optimizer.domain.reports import (
    AcceptReport,
    CheckFinding,
    CheckReport,
    DeletionReport,
    IngestPart,
    IngestPhase,
    IngestProgress,
    IngestReport,
    RegistryReport,
    SnapshotReport,
    WorkloadReport,
)
from mcp_optimizer.domain.search.queries import QueryView
from mcp_optimizer.domain.serving.presence import ServerView
from mcp_optimizer.domain.upgrade_report import BackupReport, ReindexReport
from mcp_optimizer.domain.views import (
    ChangeView,
    CountedHits,
    Overview,
    ProblemView,
    RegistryServerDetail,
    RegistryServerView,
    RunView,
    SearchHit,
    SearchQuery,
    ToolDifference,
    WhyNot,
    WhyNotReason,
    WorkloadDetail,
    WorkloadView,
)
from mcp_optimizer.errors import NotFoundError
from tests.tui import sample
from tests.tui.fake_relating import FakeRelating, duplicate_of


class FakeService(FakeRelating):
    """What it holds are plain lists: a test changes them and calls :meth:`tell`."""

    def __init__(self) -> None:
        self.registry: list[RegistryServerView] = []
        self.views: list[WorkloadView] = []
        self.run_views: list[RunView] = []
        self.problem_views: list[ProblemView] = []
        self.change_views: list[ChangeView] = []
        self.hits: list[SearchHit] = []
        self.servers: tuple[ServerView, ...] = ()
        self.query_views: list[QueryView] = []
        self.changed: set[str] = set()
        """Workloads with a tool that says something else than at first."""
        self.errors: dict[str, BaseException] = {}
        """Method name to what it raises."""
        self.stalled: set[str] = set()
        """Methods that never answer."""
        self.calls: list[tuple[Any, ...]] = []
        self.cancelled: list[str] = []
        self.ingest_gate: asyncio.Event | None = None
        """An ingestion waits here after its progress, when set."""
        self.is_open = False
        self._news: asyncio.Queue[list[ChangeView] | BaseException] = asyncio.Queue()

    @classmethod
    def loaded(cls) -> Self:
        """With the sample."""
        service = cls()
        service.registry, service.views = sample.registry(), sample.workloads()
        service.run_views, service.problem_views = sample.runs(), sample.problems()
        service.change_views, service.hits = sample.changes(), sample.hits()
        service.servers, service.query_views = sample.servers(), sample.queries()
        service.changed = {"notes"}
        return service

    async def __aenter__(self) -> Self:
        await self._answer("open")
        self.is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False

    async def _answer(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, *arguments))
        if method in self.errors:
            raise self.errors[method]
        if method in self.stalled:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(method)
                raise

    def tell(self, changes: Iterable[ChangeView] = ()) -> None:
        """Something was committed."""
        self._news.put_nowait(
            list(changes) or [ChangeView(sequence=9, at="", entity="workload", name="", operation="updated")]
        )

    def break_watch(self, error: BaseException) -> None:
        """Watching fails once."""
        self._news.put_nowait(error)

    async def watch(self) -> AsyncIterator[list[ChangeView]]:
        while True:
            news = await self._news.get()
            if isinstance(news, BaseException):
                raise news
            yield news

    # Reading

    async def overview(self) -> Overview:
        await self._answer("overview")
        relations = Counter(view.relation for view in self.views)
        stored = [view for view in self.views if view.id]
        return Overview(
            registry_servers=len(self.registry),
            registry_by_kind=dict(Counter(view.kind.value for view in self.registry)),
            registry_tools=sum(view.tools for view in self.registry),
            workloads=len(stored),
            workloads_by_status=dict(Counter(view.status for view in stored)),
            workload_tools=sum(view.tools for view in stored),
            workload_tokens=sum(view.tokens for view in stored),
            linked=relations[Relation.LINKED],
            drifted=sum(view.drift is not None for view in self.views),
            autonomous=relations[Relation.AUTONOMOUS],
            linkable=sum(view.linkable_to is not None for view in self.views),
            rejected=relations[Relation.REJECTED],
            duplicates=sum(bool(view.duplicates) for view in self.registry),
            runs=tuple(self.run_views),
            problems=tuple(self.problem_views),
            servers=self.servers,
            suspicious=len(self.changed & {view.name for view in self.views}),
            database="~/.local/share/mcp-optimizer.db",
            model="offline/all-MiniLM-L6-v2-w8a8",
        )

    async def registry_servers(self) -> list[RegistryServerView]:
        await self._answer("registry_servers")
        return list(self.registry)

    async def registry_server(self, name: str) -> RegistryServerDetail:
        await self._answer("registry_server", name)
        view = next((view for view in self.registry if name in {view.name, view.id}), None)
        if view is None:
            raise NotFoundError(f"no registry server {name}")
        linked = tuple(w.name for w in self.views if w.registry_server == view.name)
        return RegistryServerDetail(
            **view.model_dump(),
            tags=("web", "sample"),
            canonical_identity=view.identity,
            tool_list=tuple(sample.tool(f"tool_{number}") for number in range(1, 4)),
            workload_names=linked,
            duplicate=duplicate_of(view),
        )

    async def workloads(self) -> list[WorkloadView]:
        await self._answer("workloads")
        said = {"suspicious": "1 tool changed since first seen"}
        return [view.model_copy(update=said) if view.name in self.changed else view for view in self.views]

    async def workload(self, name: str) -> WorkloadDetail:
        await self._answer("workload", name)
        view = self._view(name)
        difference = ToolDifference(both=("tool_1", "tool_2"), only_live=("tool_3",), only_catalog=("tool_4",))
        tools = [sample.tool(f"tool_{number}") for number in range(1, 4)]
        if name in self.changed:
            tools[2] = sample.changed_tool()
        return WorkloadDetail(
            **view.model_dump(),
            canonical_identity=view.identity,
            tool_list=tuple(tools),
            tool_difference=difference if view.registry_server else None,
        )

    def _view(self, name: str) -> WorkloadView:
        view = next((view for view in self.views if view.name == name), None)
        if view is None:
            raise NotFoundError(f"no workload named {name}", remedy="`workload list` shows all")
        return view

    async def explain(self, name: str) -> Explanation:
        await self._answer("explain", name)
        return sample.explanation(self._view(name))

    async def search(self, query: SearchQuery) -> list[SearchHit]:
        await self._answer("search", query)
        return [hit for hit in self.hits if query.text != "nothing"][: query.limit]

    async def search_why(self, query: SearchQuery, server: str, tool: str) -> WhyNot:
        await self._answer("search_why", query, server, tool)
        view = next(view for view in self.views if view.name == server)
        reason, detail = WhyNotReason.OUTRANKED, "13 tools are ranked above it, and only 8 are shown"
        if query.status not in {None, view.status}:
            reason, detail = WhyNotReason.STATUS, f"the server is {view.status}, not {query.status}"
        above = ("github-prod/create_issue", "notes/find_page") if reason is WhyNotReason.OUTRANKED else ()
        place = 14 if above else None
        hit = self.hits[0] if above else None
        return WhyNot(
            server=server, tool=tool, scope=query.scope, reason=reason, detail=detail, place=place, above=above, hit=hit
        )

    async def search_tokens(self, query: SearchQuery) -> int:
        await self._answer("search_tokens", query)
        reached = [view for view in self.views if query.group in {None, view.group}]
        return sum(view.tokens for view in reached if query.status in {None, view.status})

    async def search_counted(self, query: SearchQuery) -> CountedHits:
        return CountedHits(await self.search(query), await self.search_tokens(query))

    async def groups(self) -> list[str]:
        await self._answer("groups")
        return sorted({view.group for view in self.views if view.group})

    async def runs(self, limit: int = 50) -> list[RunView]:
        await self._answer("runs")
        return self.run_views[:limit]

    async def problems(self, *, include_closed: bool = False, limit: int = 500) -> list[ProblemView]:
        await self._answer("problems", include_closed)
        return self.problem_views[:limit]

    async def changes(self, limit: int = 200) -> list[ChangeView]:
        await self._answer("changes")
        return self.change_views[:limit]

    async def recent_queries(self, limit: int = 100) -> list[QueryView]:
        await self._answer("recent_queries")
        return self.query_views[:limit]

    async def export_snapshot(self, path: Path) -> SnapshotReport:
        await self._answer("export_snapshot", path)
        path.write_text("{}")
        return SnapshotReport(file=str(path), registry_servers=len(self.registry), workloads=len(self.views))

    async def check(self) -> CheckReport:
        await self._answer("check")
        return CheckReport(findings=(CheckFinding(name="file", ok=True, detail="sound"),))

    async def backup(self, path: Path) -> BackupReport:
        await self._answer("backup", path)
        path.write_text("{}")
        return BackupReport(file=str(path), bytes=2, tables=1, rows=1)

    async def reindex(self) -> ReindexReport:
        await self._answer("reindex")
        return ReindexReport(indexed=1)

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
        await self._answer("ingest", part, tuple(sources), dry_run, *([allow_loss] if allow_loss else []))
        if on_progress is not None:
            on_progress(IngestProgress(phase=IngestPhase.FETCH))
            on_progress(IngestProgress(phase=IngestPhase.EMBED, done=120, total=400, detail="github"))
        if self.ingest_gate is not None:
            try:
                await self.ingest_gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append("ingest")
                raise
        self.tell()
        registry = RegistryReport(added=2, retagged=1, unchanged=4)
        report = IngestReport(
            registry=registry,
            workloads=WorkloadReport(added=3, linked=4, autonomous=2),
            seconds=1.5,
            source="ToolHive",
            dry_run=dry_run,
        )
        return [report for _ in sources]

    async def delete_registry_servers(self, names: Sequence[str], *, dry_run: bool = False) -> DeletionReport:
        await self._answer("delete_registry_servers", tuple(names), dry_run)
        gone = [view for view in self.registry if {view.id, view.name} & set(names)]
        if not dry_run:
            self.registry = [view for view in self.registry if view not in gone]
            self.tell()
        unlinked = tuple(w.name for w in self.views for view in gone if w.registry_server == view.name)
        return DeletionReport(
            entity="registry",
            deleted=tuple(view.name for view in gone),
            unlinked=unlinked,
            tools=3 * len(gone),
            reembedded_texts=4 * len(unlinked),
            dry_run=dry_run,
        )

    async def accept(self, name: str, tools: Sequence[str] | None = None, *, dry_run: bool = False) -> AcceptReport:
        await self._answer("accept", name, tools, dry_run)
        change = sample.changed_tool().change
        accepted = (change,) if name in self.changed and change is not None else ()
        if not dry_run:
            self.changed -= {name}
            self.tell()
        return AcceptReport(workload=name, accepted=accepted, dry_run=dry_run)

    async def delete_workloads(self, names: Sequence[str], *, dry_run: bool = False) -> DeletionReport:
        await self._answer("delete_workloads", tuple(names), dry_run)
        gone = [view for view in self.views if view.name in names]
        if not dry_run:
            self.views = [view for view in self.views if view not in gone]
            self.tell()
        return DeletionReport(
            entity="workload",
            deleted=tuple(view.name for view in gone),
            tools=sum(view.tools for view in gone),
            dry_run=dry_run,
        )
