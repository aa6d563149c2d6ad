"""From what is stored to what faces show. Pure: a state and counts in, views out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_optimizer.db.definition_ops import Suspect
from mcp_optimizer.db.logs.problems import Problem
from mcp_optimizer.db.rows import model_from_json
from mcp_optimizer.db.store import StoredState
from mcp_optimizer.domain.matching import RegistryIndex, Subject, disagreement, drift_of, linkable_to, relation_of
from mcp_optimizer.domain.models import (
    IdentityKey,
    ObservedWorkload,
    RegistryServer,
    Relation,
    StoredTool,
    Workload,
)
from mcp_optimizer.domain.tools.definitions import (
    definition_change,
    definition_hash,
    invisible_in,
    suspicion,
)
from mcp_optimizer.domain.views import (
    DescriptionSource,
    Overview,
    ProblemView,
    RegistryServerDetail,
    RegistryServerView,
    RunView,
    ToolDifference,
    ToolView,
    WorkloadDetail,
    WorkloadView,
)

type ToolCounts = Mapping[str, tuple[int, int]]
"""Server id to number of tools and sum of their tokens."""


class ViewBuilder:
    """A state with what every view of it needs, looked up once."""

    def __init__(
        self,
        state: StoredState,
        registry_tools: ToolCounts,
        workload_tools: ToolCounts,
        suspects: Sequence[Suspect] = (),
    ) -> None:
        self.state = state
        self.index: RegistryIndex = state.index()
        self._registry_tools = registry_tools
        self._workload_tools = workload_tools
        self._links = Counter(row.registry_server_id for row in state.workloads if row.registry_server_id)
        self._rows = {row.name: row for row in state.workloads}
        self._problems = {problem.name: problem for problem in state.problems if problem.entity == "workload"}
        self._suspicions = _suspicions(suspects)
        self._rejected = {
            name: result for name, result in self._problems.items() if result.problem == Relation.REJECTED
        }

    def registry_servers(self) -> list[RegistryServerView]:
        """Every registry server, by name."""
        return [self._registry_view(row) for row in self.state.registry]

    def registry_detail(self, row: RegistryServer, tools: Sequence[StoredTool]) -> RegistryServerDetail:
        """One registry server with its tools."""
        return RegistryServerDetail(
            **self._registry_view(row).model_dump(),
            tags=row.tags,
            tier=row.tier,
            repository=row.repository,
            canonical_identity=row.claimed.canonical,
            created_at=row.created_at,
            tool_list=tuple(map(tool_view, tools)),
            workload_names=tuple(workload.name for workload in self.state.linked_to(row.id)),
            duplicate=self.index.duplicates.get(row.claimed.key),
        )

    def _registry_view(self, row: RegistryServer) -> RegistryServerView:
        return RegistryServerView(
            name=row.name,
            kind=row.identity.kind,
            identity=row.claimed.raw,
            transport=row.transport,
            tools=self._registry_tools.get(row.id, (0, 0))[0],
            workloads=self._links[row.id],
            duplicates=self._other_claimants(row.claimed.key, row.name),
            chosen=self._chosen(row.claimed.key),
            id=row.id,
            group=row.group,
            title=row.title,
            description=row.description,
            status=row.status,
            updated_at=row.updated_at,
        )

    def _other_claimants(self, key: IdentityKey, name: str) -> tuple[str, ...]:
        duplicate = self.index.duplicates.get(key)
        return tuple(other for other in duplicate.names if other != name) if duplicate else ()

    def _chosen(self, key: IdentityKey) -> str | None:
        duplicate = self.index.duplicates.get(key)
        return duplicate.chosen if duplicate and duplicate.resolved else None

    def workloads(self) -> list[WorkloadView]:
        """Every workload by name, with the rejected ones that have no row."""
        rows = [self.workload(row) for row in self.state.workloads]
        rowless = [_rejected_view(problem) for name, problem in self._rejected.items() if name not in self._rows]
        return sorted(rows + rowless, key=lambda view: view.name)

    def workload(self, row: Workload) -> WorkloadView:
        """One workload that has a row."""
        server = self.index.by_id.get(row.registry_server_id or "")
        problem = self._problems.get(row.name)
        linkable = linkable_to(row, self.index)
        relation = Relation.REJECTED if row.name in self._rejected else relation_of(row)
        reasons = (problem.reason if problem else None, row.identity_problem, disagreement(row, self.index))
        tools, tokens = self._workload_tools.get(row.id, (0, 0))
        return WorkloadView(
            name=row.name,
            kind=row.kind,
            identity=row.identity.raw if row.identity else "",
            status=row.status,
            status_reason=row.status_reason,
            relation=relation,
            registry_server=server.name if server else None,
            registry_server_status=server.status if server else "",
            drift=drift_of(row, server),
            group=row.group,
            tools=tools,
            description=server.description if server else row.description or "",
            description_source=DescriptionSource.REGISTRY if server else DescriptionSource.OWN,
            context_name=row.context_name,
            id=row.id,
            tokens=tokens,
            linkable_to=linkable.name if linkable and relation is Relation.AUTONOMOUS else None,
            problem=next(filter(None, reasons), self._suspicion(row.name)),
            suspicious=self._suspicion(row.name),
            endpoint=row.endpoint,
            transport=row.transport,
            updated_at=row.updated_at,
        )

    def _suspicion(self, name: str) -> str | None:
        result = self._suspicions.get(name, [])
        return suspicion([view.problem for view in result]) if result else None

    def workload_detail(
        self,
        row: Workload,
        tools: Sequence[StoredTool],
        registry_tools: Sequence[StoredTool],
        accepted: Mapping[str, Mapping[str, Any]],
    ) -> WorkloadDetail:
        """One workload with its tools; ``registry_tools`` are those of the entry it is linked to, ``accepted`` the
        definitions as first seen of those tools that may say something else now, by name.
        """
        return WorkloadDetail(
            **self.workload(row).model_dump(),
            canonical_identity=row.identity.canonical if row.identity else "",
            virtual_mcp=row.virtual_mcp,
            evidence=row.evidence,
            relation_cause=row.relation_cause,
            relation_changed_at=row.relation_changed_at,
            created_at=row.created_at,
            tool_list=tuple(tool_view(tool, accepted.get(tool.name)) for tool in tools),
            tool_difference=_difference(tools, registry_tools) if row.linked else None,
        )

    def rejected_detail(self, name: str) -> WorkloadDetail | None:
        """A rejected workload that has no row; None when there is no such."""
        problem = self._rejected.get(name)
        return WorkloadDetail(**_rejected_view(problem).model_dump()) if problem else None

    def disagreements(self) -> list[ProblemView]:
        """Workloads whose recorded provenance names another entry than they are linked to: as true as this moment."""
        return [
            ProblemView(
                id=f"provenance/{row.name}",
                entity="workload",
                name=row.name,
                problem="provenance",
                reason=reason,
                since=row.relation_changed_at,
            )
            for row in self.state.workloads
            if (reason := disagreement(row, self.index)) is not None
        ]

    def suspicions(self) -> list[ProblemView]:
        """Tools whose definition changed since first seen, or that hold invisible characters: one problem a tool."""
        return [view for name in sorted(self._suspicions) for view in self._suspicions[name]]

    def subject(self, name: str) -> Subject | None:
        """The workload as the matcher sees it, whether it has a row or not; None when there is no such."""
        row = self._rows.get(name)
        problem = self._rejected.get(name)
        observed = (
            model_from_json(ObservedWorkload, problem.details, f"the problem of {problem.name}")
            if problem and problem.details
            else None
        )
        if observed is not None and observed.identity is not None:
            return Subject(
                name=name,
                kind=observed.identity.kind,
                identity=observed.identity,
                evidence=observed.evidence,
                stored=row,
                rejection=problem.reason if problem else None,
            )
        if row is None:
            return None
        return Subject(
            name=name,
            kind=row.kind,
            identity=row.identity,
            identity_problem=row.identity_problem,
            evidence=row.evidence,
            stored=row,
        )

    def overview(
        self, runs: Sequence[RunView], problems: Sequence[ProblemView], *, database: str, model: str
    ) -> Overview:
        """Every count of the first screen."""
        views = self.workloads()
        rows = [view for view in views if view.id]
        relations = Counter(view.relation for view in views)
        return Overview(
            registry_servers=len(self.state.registry),
            registry_by_kind=_counted(row.identity.kind for row in self.state.registry),
            registry_tools=sum(count for count, _ in self._registry_tools.values()),
            workloads=len(rows),
            workloads_by_status=_counted(view.status for view in rows),
            workload_tools=sum(count for count, _ in self._workload_tools.values()),
            workload_tokens=sum(tokens for _, tokens in self._workload_tools.values()),
            linked=relations[Relation.LINKED],
            drifted=sum(view.drift is not None for view in rows),
            autonomous=relations[Relation.AUTONOMOUS],
            linkable=sum(view.linkable_to is not None for view in rows),
            rejected=relations[Relation.REJECTED],
            unidentified=relations[Relation.UNIDENTIFIED],
            suspicious=len(self._suspicions),
            duplicates=sum(not duplicate.resolved for duplicate in self.state.duplicates),
            runs=tuple(runs),
            problems=tuple(problems),
            database=database,
            model=model,
        )


def tool_view(tool: StoredTool, accepted: Mapping[str, Any] | None = None) -> ToolView:
    """A tool for showing; ``accepted``: its definition as first seen, where it may say something else now."""
    return ToolView(
        name=tool.name,
        description=tool.definition.description,
        tokens=tool.token_count,
        embedded=bool(tool.text_hash),
        details=tool.details,
        hash=definition_hash(tool.details),
        invisible=invisible_in(tool.details),
        change=None if accepted is None else definition_change(tool.name, accepted, tool.details),
    )


def _suspicions(suspects: Sequence[Suspect]) -> dict[str, list[ProblemView]]:
    results: dict[str, list[ProblemView]] = {}
    for suspect in suspects:
        view = _suspicion_view(suspect)
        if view is not None:
            results.setdefault(suspect.workload, []).append(view)
    return results


def _suspicion_view(suspect: Suspect) -> ProblemView | None:
    if suspect.accepted is None:
        problem, reason = "invisible", f"{suspect.tool} holds invisible characters: {', '.join(suspect.invisible)}"
    else:
        change = definition_change(suspect.tool, suspect.accepted, suspect.details)
        if change is None:
            return None
        problem, reason = "changed", f"{suspect.tool}: {change.summary}"
    return ProblemView(
        id=f"{problem}/{suspect.workload}/{suspect.tool}",
        entity="workload",
        name=suspect.workload,
        problem=problem,
        reason=reason,
        since=suspect.since,
    )


def _rejected_view(problem: Problem) -> WorkloadView:
    observed = model_from_json(ObservedWorkload, problem.details, f"the problem of {problem.name}")
    identity = observed.identity
    return WorkloadView(
        name=problem.name,
        kind=identity.kind if identity else observed.kind,
        identity=identity.raw if identity else "",
        status=observed.status,
        status_reason=observed.status_reason,
        relation=Relation.REJECTED,
        registry_server=None,
        drift=None,
        group=observed.group,
        tools=0,
        description="",
        description_source=DescriptionSource.OWN,
        context_name=problem.name,
        problem=problem.reason,
        endpoint=observed.endpoint,
        transport=observed.transport,
    )


def _difference(live: Sequence[StoredTool], catalog: Sequence[StoredTool]) -> ToolDifference:
    ours, theirs = {tool.name for tool in live}, {tool.name for tool in catalog}
    return ToolDifference(
        both=tuple(sorted(ours & theirs)),
        only_live=tuple(sorted(ours - theirs)),
        only_catalog=tuple(sorted(theirs - ours)),
    )


def _counted(values: Iterable[str]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}
